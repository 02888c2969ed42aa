"""Small recordings that tests damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replay.cassette.reader import Reader
from replay.cassette.writer import Writer


def begin(path: Path, **header: Any) -> Writer:
    """A writer with one lane and one site."""
    writer = Writer.create(path, header)
    writer.lane(0, "m")
    writer.site(0, "agent.py", 7, "step")
    return writer


def add(
    writer: Writer, value: object = None, *, body: bytes | None = None, chain: object = None, kind: str = "tool"
) -> int:
    """One event."""
    return writer.event(0, kind, "add", "read", 5, 0, ["in"], body, chain, None, 1, 0, value)


def record(path: Path, values: list[Any], *, seal: bool = False) -> None:
    """One event per value, flushed each; half of them as CALL and RETURN."""
    writer = begin(path)
    for number, value in enumerate(values):
        if number % 2:
            event = writer.call(0, "tool", "add", "read", 5, 0, ["in"], None, None, None)
            writer.ret(event, 6, 0, value, False)
        else:
            add(writer, value)
        writer.flush()
    if seal:
        writer.end({"exit_code": 0})
        writer.seal()
    writer.close()


def responses(path: Path) -> list[Any]:
    """The response of each readable event."""
    with Reader.open(path) as reader:
        return [reader.event(i).response for i in range(len(reader))]
