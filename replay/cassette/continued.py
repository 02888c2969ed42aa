"""A cassette that begins as another one did: its frames are copied as they are; what comes behind is written anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from replay.cassette import frame as f
from replay.cassette import records
from replay.cassette.codec import unpack
from replay.cassette.layout import Record, is_gap
from replay.cassette.writer import Writer

_LEFT_OUT = frozenset((f.HEADER, f.CHAIN, f.END))


class Continued(Writer):
    """A Writer that takes whole frames. Event ids, lanes and sites of what is copied stay what they were."""

    @property
    def lanes(self) -> list[tuple[int, str]]:
        """(number, path) of all that are announced."""
        return self._lanes

    @property
    def sites(self) -> list[tuple[int, str, int, str]]:
        """(number, file, line, function) of all that are announced."""
        return self._sites

    def copy(self, frames: Iterable[Record]) -> None:
        """Add the frames of another cassette, from its beginning. A piece whose value would come later is left out."""
        for type_, event, payload in _whole(frames):
            if type_ in (f.CALL, f.EVENT):
                self.events = event + 1
                if is_gap(type_, payload):
                    self._gaps.append(event)
            elif type_ in (f.LANE, f.SITE, f.BLIND):
                tables: dict[int, list[Any]] = {f.LANE: self._lanes, f.SITE: self._sites, f.BLIND: self._blind}
                tables[type_].append(tuple(unpack(payload)))
            elif type_ in (f.RETURN, f.CHUNK, f.CONTENT) and event < self._first:
                self._stray(event)
            self._emit(type_, event, payload)


def _whole(frames: Iterable[Record]) -> Iterator[Record]:
    """Those that a cassette may begin with, without pieces that wait for what isn't among them."""
    kept: list[Record] = []
    waiting: dict[int, list[int]] = {}
    for record in frames:
        if record[0] in _LEFT_OUT:
            continue
        if record[0] == f.CHUNK:
            status = records.chunk(record[2]).status
            if status == records.WAITS:
                waiting.setdefault(record[1], []).append(len(kept))
            elif status == records.LATE:
                waiting.pop(record[1], None)
        kept.append(record)
    dropped = {place for places in waiting.values() for place in places}
    return (record for place, record in enumerate(kept) if place not in dropped)
