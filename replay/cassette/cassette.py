"""What `replay.load` returns: a cassette to look into. Nothing is executed, nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, overload

from replay.cassette.directory import resolve
from replay.cassette.layout import State
from replay.cassette.reader import Reader
from replay.cassette.scan import Damage
from replay.cassette.stopping import is_stop
from replay.model.event import BlindSpot, Event

__all__ = ["Cassette", "Events", "load", "resolve"]


class Events(Sequence[Event]):
    """The events of a cassette, each read when it is asked for."""

    def __init__(self, reader: Reader, ids: range) -> None:
        self._reader = reader
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Events: ...
    def __getitem__(self, index: int | slice) -> Event | Events:
        if isinstance(index, slice):
            return Events(self._reader, self._ids[index])
        return self._reader.event(self._ids[index])

    def __iter__(self) -> Iterator[Event]:
        return map(self._reader.event, self._ids)

    def light(self, *kinds: str) -> Iterator[Event]:
        """In order, those of these kinds (all, where none is named), with `LEFT_OUT` for bodies that have to be put
        together: where each call of a model has the conversation before it, that is most of the work."""
        return self._reader.light(self._ids, frozenset(kind.encode() for kind in kinds))

    def __repr__(self) -> str:
        return f"<{len(self)} events of {self._reader.source.name}>"


class Cassette:
    """One recorded execution.

    Attributes:
        path: the file.
        header: what the recorder said first: `id`, `created`, `format`, the program, its tags.
        status: `sealed` (whole), `open` (being recorded, or the recorder was killed), `torn` (the end is damaged).
        damage: where and why it is torn; None otherwise.
        events: a lazy sequence of `replay.model.event.Event`; slices are lazy too.

    Example:
        >>> with load("incident.cassette") as cassette:
        ...     [event.name for event in cassette.events if event.effect == "write"]
        ['refund', 'send_email']
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.path = Path(reader.source.name)
        self.header: dict[str, Any] = reader.header
        self.status: State = reader.status
        self.damage: Damage | None = reader.damage
        self.events = Events(reader, range(len(reader)))

    @property
    def id(self) -> str:
        """The ULID of the recording."""
        return str(self.header.get("id", ""))

    @property
    def blind_spots(self) -> list[BlindSpot]:
        """What no seam saw."""
        return self.reader.blind_spots

    @property
    def gaps(self) -> list[Event]:
        """Events that were seen but couldn't be stored."""
        return [self.reader.event(number) for number in self.reader.gaps]

    @property
    def stopped(self) -> str | None:
        """Why the recording stopped before its program did (a full disk); None if it didn't."""
        last = self.gaps[-1:]
        return next((str(gap.request["reason"]) for gap in last if is_stop(gap.kind, gap.request)), None)

    @property
    def outcome(self) -> dict[str, Any] | None:
        """How the program ended (`exit_code`, `exception`, …); None if the recording stopped before."""
        return self.reader.outcome

    @property
    def lanes(self) -> list[str]:
        """Paths of all lanes, in the order of their first use."""
        return list(self.reader.lanes.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self.reader.close()

    def __repr__(self) -> str:
        return f"<Cassette {self.path} {self.status}, {len(self.events)} events>"


def load(path: str | os.PathLike[str]) -> Cassette:
    """Opens a cassette for reading; lazy, random access, nothing executed.

    Raises:
        CassetteMissing, CassetteUnreadable, CassetteEmpty, CassetteForeign, CassetteNewer: by those names.
        CassetteDamaged: not even the header can be read. A damaged end is no error: see `status` and `damage`.

    Example:
        >>> load("incident.cassette").events[-1].kind
        'tool'
    """
    return Cassette(Reader.open(path))
