"""A damaged cassette, copied as far as it can be read, behind the damage too; the original stays as it is: evidence."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from replay.cassette import frame as f
from replay.cassette import layout, opening
from replay.cassette.codec import unpack
from replay.cassette.continued import Continued
from replay.cassette.disk import Disk
from replay.cassette.salvage import Hole, is_lost, mended, salvage

_NEW: Final = ("id", "writer", "format")


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a cassette.

    Attributes:
        events: in the copy. lost: those of them that are gaps now.
        holes: what couldn't be read, in the order of the file.
        ended: the recording's end was found, and the copy is sealed. Otherwise it replays to its cut.
    """

    events: int
    lost: tuple[int, ...]
    holes: tuple[Hole, ...]
    ended: bool


def repair(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Repaired:
    """Copy what is left of the cassette at `path` to a new one at `out`.

    The copy has the header of the original but a new id, and `repaired`: the original's id. What is lost is an event of
    kind `gap`, where a replay stops; what couldn't be read is a blind spot. Signatures aren't taken over: they are
    about the original.

    Raises:
        CassetteMissing, CassetteUnreadable, CassetteEmpty, CassetteForeign, CassetteNewer, CassetteDamaged: not even
            the header can be read.
        CassetteExists: there is something at `out`. OSError: the disk is full.

    Example:
        repair("torn.cassette", "whole.cassette").lost
    """
    source = opening.source(path)
    try:
        header = layout.header(source)
        kept = {name: each for name, each in header.items() if name not in _NEW}
        holes: list[Hole] = []
        lost: list[int] = []
        end: bytes | None = None
        writer = Continued.create(
            out, {**kept, "repaired": {"id": header.get("id")}}, journal=journal(header.get("recipients"))
        )
        assert isinstance(writer, Continued)
        try:
            found = list(salvage(source))
            holes += (each for each in found if isinstance(each, Hole))
            frames = list(mended(found))
            lost += (event for type_, event, payload in frames if is_lost(type_, payload))
            end = next((payload for type_, _, payload in reversed(frames) if type_ == f.END), None)
            writer.copy(frames)
            for hole in holes:
                stretch = f"bytes {hole.offset} to {hole.offset + hole.size} of {source.name}"
                writer.blind("damage", f"{stretch}: {hole.reason}", None, 1)
            outcome: Any = None if end is None else unpack(end)
            if isinstance(outcome, dict):
                writer.end(cast("dict[str, Any]", outcome))
                writer.seal()
            else:
                writer.flush()
        finally:
            writer.close()
        return Repaired(writer.events, tuple(lost), tuple(holes), isinstance(outcome, dict))
    finally:
        source.close()


def journal(recipients: Any) -> Callable[[int], Disk] | None:
    """What was encrypted stays so, to the same keys."""
    if not recipients:
        return None
    from replay.cassette.journal import Journal

    return partial(Journal, recipients=[str(each) for each in recipients])
