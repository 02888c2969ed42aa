"""One file per command; `replay_cli.main.COMMANDS` is the list."""
