"""Two executions side by side: what differs, what of it is a cause, and what only follows. Pure, over events."""
