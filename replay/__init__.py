"""Record an agent once; re-run that execution offline, as often as you like."""
