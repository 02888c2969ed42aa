"""The log of a sandbox: what was refused, what a hole let through, which walls stand. One JSON object a line.

Written at once and next to the verdict, so that what is tried after the verdict (a `__del__` at exit, a thread that
outlives the program) and by a process that is killed is told all the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from replay.boundary import originals

_NAME = "sandbox.log"
Kind = Literal["escape", "hole", "wall"]


@dataclass(frozen=True, slots=True)
class Log:
    """Of the replay with that scratch directory."""

    scratch: str

    @property
    def path(self) -> str:
        return os.path.join(self.scratch, _NAME)

    def add(self, kind: Kind, **fields: Any) -> None:
        """Append one entry; it is in the file when this returns."""
        line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
        descriptor = originals.os_open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            originals.os_write(descriptor, line)
        finally:
            originals.os_close(descriptor)

    def read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(kind, fields) in order; what is no entry (the program can write there) is left out."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            return
        for line in lines:
            try:
                found = json.loads(line)
                yield found.pop("kind"), found
            except (ValueError, KeyError, AttributeError):
                continue
