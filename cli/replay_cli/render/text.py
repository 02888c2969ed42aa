"""What of recorded content may reach a terminal, and how: `replay.model.visible`."""

from replay.model.visible import block, one_line, plural, size

__all__ = ["block", "one_line", "plural", "size"]
