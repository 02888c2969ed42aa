"""What makes two executions the same: clock and chance, event loops, threads, environment, output, and the sandbox."""
