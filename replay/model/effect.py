"""What a crossing does to the world. By itself, so that seams need not wait for the classes of events."""

from __future__ import annotations

from typing import Literal

Effect = Literal["draw", "read", "write"]
"""`draw` takes chance or time, `read` asks the world, `write` changes it."""
