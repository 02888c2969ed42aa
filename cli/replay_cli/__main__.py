"""`python -m replay_cli` is `replay`."""

from replay_cli.main import main

main()
