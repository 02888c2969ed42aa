"""Finishing a recording from outside: the process that started the program adds how it ended, and seals.

The recorded process writes END at its exit and leaves sealing to its parent: only the parent knows the exit code, and
the program's exit isn't held up by compression. A second END replaces the first for every reader.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, cast

from replay.cassette import frame as f
from replay.cassette import layout, opening, sealing
from replay.cassette.codec import pack, unpack
from replay.cassette.disk import Ending, Plain
from replay.cassette.footer import Footer, Segment
from replay.cassette.scan import Run, Scan
from replay.cassette.source import ByteSource, FileSource
from replay.cassette.writer import SEGMENT_BYTES, SEGMENT_EVENTS
from replay.model.errors import CassetteDamaged, UsageError

_HEAD: Final = 13


def finish(path: str | os.PathLike[str], more: Mapping[str, Any], sign: sealing.Sign | None = None) -> str | None:
    """Add `more` to the outcome of a recording whose process has ended, and seal it.

    Args:
        path: an open cassette that ends with END.
        more: storable, such as `{"exit_code": 3}`.
        sign: signs it as well.

    Returns: why it has no digests (`sealing.seal`); else None.

    Raises:
        CassetteDamaged: it is torn or has no END: the recording didn't end; it is left as it is.
        UsageError: it is sealed.
        OSError: the disk is full; what was there is whole.
    """
    where = os.fspath(path)
    source = opening.source(where)
    try:
        scan = Scan(source)
        cutter = _Cutter()
        for run in scan.runs():
            cutter.add(run)
        if scan.outcome is None or scan.damage is not None:
            raise CassetteDamaged(
                f"{where} didn't end",
                offset=scan.footer.size,
                good_events=scan.footer.events,
                hint="it replays to the cut",
            )
        if scan.index_at is not None:
            raise UsageError(f"{where} is sealed already")
        outcome: Any = unpack(scan.outcome)
        if not isinstance(outcome, dict):
            raise CassetteDamaged(f"{where}: END holds no map", offset=scan.footer.size, good_events=scan.footer.events)
        disk = _disk(where, source)
        try:
            return _end(disk, where, scan, cutter, pack({**cast("dict[str, Any]", outcome), **more}), sign)
        finally:
            disk.close()
    finally:
        source.close()


def _disk(path: str, source: ByteSource) -> Ending:
    if isinstance(source, FileSource):
        return Plain(os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)))
    from replay.cassette.journal import Ended

    return Ended(path, source, layout.header(source).get("recipients"))


def _end(disk: Ending, path: str, scan: Scan, cutter: _Cutter, outcome: bytes, sign: sealing.Sign | None) -> str | None:
    digest = sha256(disk.read(0, cutter.size)).digest()
    chain, crc = f.encode(f.CHAIN, f.NO_EVENT, pack([digest]), cutter.crc)
    end, last = f.encode(f.END, f.NO_EVENT, outcome, crc)
    cutter.cut()
    cutter.segments[-1] = Segment(cutter.size, cutter.crc, cutter.events)
    data = chain + end
    while data:
        data = data[disk.put(data) :]
    tables = scan.tables
    footer = Footer(
        segments=[*cutter.segments[:-1], cutter.segments[-1], Segment(cutter.size + len(chain), crc, cutter.events)],
        size=cutter.size + len(chain) + len(end),
        events=cutter.events,
        strays=cutter.strays,
        lanes=list(tables.lanes.items()),
        sites=[(number, site.file, site.line, site.function) for number, site in tables.sites.items()],
        blind=tables.blind,
        gaps=cutter.gaps,
    )
    return sealing.seal(disk, path, footer, last, sign)


class _Cutter:
    """Cuts frames into segments, as a writer does: the header by itself, then by size and by number of events."""

    def __init__(self) -> None:
        self.size = len(f.PREAMBLE)
        self.crc = 0
        self.events = 0
        self.segments = [Segment(self.size, 0, 0)]
        self.strays: dict[int, list[int]] = {}
        self.gaps: list[int] = []

    def add(self, run: Run) -> None:
        for type_, event, start, end in run.frames:
            self._place(type_, event, run.data[start:end])
            self.size += _HEAD + end - start
            self.crc = int.from_bytes(run.data[start - _HEAD : start - 9], "big")
            begun = self.segments[-1]
            full = self.size - begun.offset >= SEGMENT_BYTES or self.events - begun.first >= SEGMENT_EVENTS
            if type_ == f.HEADER or full:
                self.cut()

    def cut(self) -> None:
        if self.segments[-1].offset != self.size:
            self.segments.append(Segment(self.size, self.crc, self.events))

    def _place(self, type_: int, event: int, payload: bytes) -> None:
        if type_ in (f.CALL, f.EVENT):
            self.events += 1
            if b"\xa3gap" in payload and unpack(payload)[1] == "gap":
                self.gaps.append(event)
        elif type_ in f.LATER and event < self.segments[-1].first:
            numbers = self.strays.setdefault(event, [])
            number = len(self.segments) - 1
            if not numbers or numbers[-1] != number:
                numbers.append(number)
