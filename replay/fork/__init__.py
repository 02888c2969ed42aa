"""Executing a recording again with something changed, into a new recording (docs/design/fork.md)."""
