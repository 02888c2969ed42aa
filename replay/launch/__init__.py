"""Starting programs: to record them (`recording`), or to execute again what was recorded (`replaying`)."""

from __future__ import annotations

from replay.launch.recording import Recording, record_command
from replay.launch.replaying import run
from replay.launch.result import Run

__all__ = ["Recording", "Run", "record_command", "run"]
