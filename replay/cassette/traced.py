"""Cassettes by the trace that they are part of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from replay.cassette.directory import SUFFIX
from replay.cassette.family import header_at
from replay.model.errors import CassetteMissing, UsageError


def traced(trace: str, directory: str | os.PathLike[str]) -> list[Path]:
    """The cassettes in `directory` and below whose trace id begins with `trace`, in the order in which they began.

    Raises:
        CassetteMissing: there is none.
        UsageError: more than one trace begins so.
    """
    wanted = trace.strip().lower()
    found: dict[str, list[tuple[str, str, Path]]] = {}
    for path in Path(directory).rglob(f"*{SUFFIX}"):
        header = header_at(path) or {}
        link: Any = header.get("trace")
        identity = str(link.get("id", "")) if isinstance(link, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        if wanted and identity.startswith(wanted):
            found.setdefault(identity, []).append((str(header.get("created")), str(header.get("id")), path))
    if not found:
        raise CassetteMissing(f"no cassette of trace {trace} in {os.fspath(directory)}", hint="`replay ls` lists them")
    if len(found) > 1:
        raise UsageError(f"{trace} fits {len(found)} traces: {', '.join(sorted(found)[:3])}", hint="give more of it")
    return [path for _, _, path in sorted(*found.values())]
