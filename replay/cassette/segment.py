"""One segment of a cassette: all of its frames in order, checked one after another; or those of one event.

What a BLOCK with a right checksum unpacks to is what was sealed. Who wants one event out of it is spared checking all
the others: the lengths lead to its frames, and these are checked, each with the crc that stands in the frame before it
as its seed. Where lengths or checksums don't fit, and where a segment isn't packed, all of it is checked, and the
damage is found.
"""

from __future__ import annotations

from typing import Final

from replay.cassette import frame as f
from replay.cassette import layout
from replay.cassette.footer import Footer
from replay.cassette.layout import Record, Unpacked
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged

_FEW: Final = 16
"""Who asks for no more events than these is spared an index of them all."""


class Run:
    """Segment `number`, as far as it can be read."""

    __slots__ = ("_asked", "_checked", "_data", "_ends", "_events", "_index", "_packed", "_where")

    def __init__(self, source: ByteSource, footer: Footer, number: int) -> None:
        self._where = source, footer, number
        self._packed = layout.unpacked(*self._where)
        self._data = self._packed.data
        self._checked: Unpacked | None = None
        self._events: list[int] = []
        self._ends: list[int] = []  # 0, and the end of each frame
        self._index: dict[int, list[int]] | None = None
        self._asked = 0

    def records(self) -> list[Record]:
        """All frames, in order."""
        data, frames, _ = self._check()
        return [(type_, event, data[start:end]) for type_, event, start, end in frames]

    @property
    def damage(self) -> CassetteDamaged | None:
        """Why there are no more frames."""
        return self._check().damage

    def of(self, event: int, limit: int | None = None) -> list[Record]:
        """The frames of that event, in order; no more than that many."""
        if not self._ends:
            self._look()
        places = self._places(event)[:limit]
        if self._checked is None and not self._fit(places):
            self._check()
            places = self._places(event)[:limit]
        data, ends = self._data, self._ends
        return [(data[ends[at] + f.TYPE], event, data[ends[at] + f.HEAD.size : ends[at + 1]]) for at in places]

    def _look(self) -> None:
        """Where the frames are: by their lengths alone, if these can be believed."""
        if self._packed.sealed:
            self._events, self._ends = f.walk(self._data)
            if self._ends[-1] == len(self._data):
                return
        self._check()

    def _check(self) -> Unpacked:
        if self._checked is None:
            self._checked = layout.checked(self._packed, *self._where)
            self._data = self._checked.data
            self._events = [event for _, event, _, _ in self._checked.frames]
            self._ends = [0, *(end for _, _, _, end in self._checked.frames)]
            self._index = None
        return self._checked

    def _fit(self, places: list[int]) -> bool:
        """Whether the checksum of each of these frames continues that of the frame before."""
        _, footer, number = self._where
        data, ends = self._data, self._ends
        for at in places:
            seed = f.crc_at(data, ends[at - 1]) if at else footer.segments[number].seed
            if not f.fits(data, ends[at], ends[at + 1], seed):
                return False
        return True

    def _places(self, event: int) -> list[int]:
        """Which of the frames are of that event."""
        self._asked += 1
        if self._asked > _FEW:
            return self._indexed().get(event, [])
        found: list[int] = []
        try:
            while True:
                found.append(self._events.index(event, found[-1] + 1 if found else 0))
        except ValueError:
            return found

    def _indexed(self) -> dict[int, list[int]]:
        if self._index is None:
            self._index = {}
            for at, event in enumerate(self._events):
                self._index.setdefault(event, []).append(at)
        return self._index
