"""Reading a cassette: lazily, at random, without changing it and without executing anything.

A sealed file is opened through its footer (one read at each end); any other is scanned once, with checksums. From there
both are the same: segments, of which the last few used are kept unpacked.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from replay.cassette import footer as foot
from replay.cassette import frame as f
from replay.cassette import header as head
from replay.cassette import layout, opening, records
from replay.cassette.codec import unpack
from replay.cassette.delta import Delta, rebuild
from replay.cassette.footer import Tables
from replay.cassette.layout import Record
from replay.cassette.lru import Recent
from replay.cassette.named import Named, text_of
from replay.cassette.scan import Damage
from replay.cassette.segment import Run
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged
from replay.model.event import LEFT_OUT, BlindSpot, Event, Failure, Piece, PieceStatus, Site

if TYPE_CHECKING:
    from replay.cassette.digests import Digests

_SEGMENTS_KEPT: Final = 8
_BODIES_KEPT: Final = 4
_LINKS_KEPT: Final = 512
_PIECES: Final[dict[int, PieceStatus]] = {0: "piece", 1: "error", 3: "end", 4: "closed"}


class Reader:
    """Random access to one cassette; for one thread at a time.

    Attributes:
        header: what the recorder said first.
        status: `sealed` has a footer; `open` ends with a whole frame (being recorded, or its writer died); `torn` ends
            within a frame, or has a damaged one.
        damage: where and why it is torn; None otherwise.

    Example:
        >>> with Reader.open("x.cassette") as reader:
        ...     reader.event(-1).name
        'add'
    """

    def __init__(self, source: ByteSource, known_flags: frozenset[str] = head.KNOWN_FLAGS) -> None:
        """Takes over `source`. Raises as `open` does."""
        self.source = source
        self.header: dict[str, Any] = layout.header(source)
        head.check(self.header, source.name, known_flags)
        self._layout = layout.of(source)
        self._footer = self._layout.footer
        self.status: layout.State = self._layout.status
        self.damage: Damage | None = self._layout.damage
        self._tables = self._layout.tables
        self._gaps: list[int] | None = None
        self._digests: Digests | None = None
        self._firsts = [segment.first for segment in self._footer.segments]
        self._runs: Recent[int, Run] = Recent(_SEGMENTS_KEPT)
        self._bodies: Recent[int, bytes] = Recent(_BODIES_KEPT)
        self._links: Recent[int, bytes | Delta] = Recent(_LINKS_KEPT)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | ByteSource, known_flags: frozenset[str] = head.KNOWN_FLAGS) -> Reader:
        """Opens the cassette at `path`.

        Raises:
            CassetteMissing, CassetteUnreadable: the file.
            CassetteEmpty, CassetteForeign, CassetteNewer: its first bytes.
            CassetteDamaged: not even its header can be read. Damage behind that is no error here: see `damage`.
        """
        source = opening.source(path) if isinstance(path, (str, os.PathLike)) else path
        try:
            return cls(source, known_flags)
        except BaseException:
            source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self.source.close()

    def __len__(self) -> int:
        """How many events begin in the readable part."""
        return self._footer.events

    @property
    def lost_its_seal(self) -> bool:
        """It has been sealed once, and the end of it is gone: not a recording that died, but a file that was cut."""
        if self.status == "sealed":
            return False
        if any(stored.packed for stored in self._footer.stored):
            return True
        damage = self.damage
        if damage is None:
            return False
        head = self.source.read_at(damage.offset, f.HEAD.size)
        return len(head) > f.TYPE and head[f.TYPE] in f.ENVELOPES

    # Frames, for those who read everything in order.

    def frames(self) -> Iterator[Record]:
        """All readable frames in the order they were recorded.

        Raises:
            CassetteDamaged: while iterating, at the first damage that the footer didn't know of.
        """
        for number in range(len(self._footer.segments)):
            run = self._run(number)
            yield from run.records()
            if run.damage is not None and self.damage is None:
                raise run.damage

    def frames_of(self, event: int, limit: int | None = None) -> list[Record]:
        """The frames of one event: CALL or EVENT first, then RETURN and CHUNKs.

        Args:
            limit: no more than so many, and none behind the segment in which it begins.

        Raises:
            IndexError, CassetteDamaged.
        """
        if not 0 <= event < len(self):
            raise IndexError(f"event {event} of {len(self)}")
        number = bisect_right(self._firsts, event) - 1
        run = self._run(number)
        found = run.of(event, limit)
        for stray in self._footer.strays.get(event, ()) if limit is None else ():
            found += self._run(stray).of(event) if 0 <= stray < len(self._firsts) else ()
        if not found or found[0][0] not in (f.CALL, f.EVENT):
            raise run.damage or self._damaged(number, f"event {event} isn't where the footer says")
        return found

    @property
    def track(self) -> Iterator[list[Any]]:
        """The schedule: the list of each TRACK frame, in order."""
        for type_, _, payload in self.frames():
            if type_ == f.TRACK:
                yield unpack(payload)

    # Events.

    def event(self, number: int, *, light: bool = False) -> Event:
        """Event `number`, from the end where negative, with its outcome, its pieces and its whole body.

        Args:
            light: with `LEFT_OUT` for a body that is stored as a difference.

        Raises:
            IndexError: there is none.
            CassetteDamaged: it can't be read.
        """
        number = number + len(self) if number < 0 else number
        first, *rest = self.frames_of(number)
        if not rest and first[0] == f.EVENT:
            return self._whole(number, first[2], light=light)
        outcome: records.Return | None = None
        call: records.Call | records.Whole
        if first[0] == f.EVENT:
            call = event = records.whole(first[2])
            outcome = records.Return(event.at + event.took, event.status, event.value, False)
        else:
            call = records.call(first[2])
        pieces: list[Piece] = []
        waiting = 0  # of the last ones
        content: bytes | None = None
        for type_, _, payload in rest:
            if type_ == f.RETURN:
                outcome = records.ret(payload)
            elif type_ == f.CHUNK:
                chunk = records.chunk(payload)
                if chunk.status != records.LATE:
                    pieces.append(Piece(chunk.at, _PIECES.get(chunk.status, "piece"), chunk.value))
                    waiting += chunk.status == records.WAITS
                    continue
                for place, value in zip(range(len(pieces) - waiting, len(pieces)), chunk.value, strict=False):
                    pieces[place] = Piece(pieces[place].at, "piece", value)
                waiting = 0
            elif type_ == f.CONTENT:
                content = self.body(number, records.content(payload))
        failed = outcome is not None and outcome.status == 1
        return Event(
            id=number,
            kind=call.kind,
            name=call.name,
            effect=call.effect,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            lane=self.lanes.get(call.lane, f"?{call.lane}"),
            at=call.at,
            took=None if outcome is None else outcome.at - call.at,
            site=None if call.site is None else self.sites.get(call.site),
            request=call.request,
            body=LEFT_OUT if light and isinstance(call.body, Delta) else self.body(number, call.body),
            status=_status(outcome),
            response=None if outcome is None or failed else outcome.value,
            error=_failure(outcome.value) if outcome is not None and failed else None,
            pieces=tuple(pieces[: len(pieces) - waiting]),
            meta=call.meta or {},
            content=content,
        )

    def light(self, numbers: Iterable[int], kinds: frozenset[bytes]) -> Iterator[Event]:
        """Those events that are of these kinds (all, where there are none), light. Raises as `event`."""
        for number in numbers:
            if kinds and not self._of(number, kinds):
                continue
            yield self.event(number, light=True)

    def _of(self, number: int, kinds: frozenset[bytes]) -> bool:
        type_, _, payload = self.frames_of(number)[0]
        kind = records.kind(payload)
        if kind is None:
            said = records.whole(payload) if type_ == f.EVENT else records.call(payload)
            kind = said.kind.encode("utf-8", "surrogatepass")  # a file may have what text can't
        return kind in kinds

    def _whole(self, number: int, payload: bytes, *, light: bool) -> Event:
        """The event of a frame that has all of it, as nearly all are."""
        lane, kind, name, effect, at, site, request, body, meta, took, status, value = records.whole(payload)
        failed = status == 1
        return Event(
            number,
            kind,
            name,
            effect,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            self.lanes.get(lane, f"?{lane}"),
            at,
            took,
            None if site is None else self.sites.get(site),
            request,
            LEFT_OUT if light and type(body) is Delta else None if body is None else self.body(number, body),
            "failed" if failed else "streamed" if status == 2 else "done",
            None if failed else value,
            _failure(value) if failed else None,
            (),
            meta or {},
        )

    def asked(self, event: int) -> bytes | None:
        """The body of that event's request, whole, without the rest of it. Raises as `event`."""
        type_, _, payload = self.frames_of(event, 1)[0]
        return self.body(event, (records.whole(payload) if type_ == f.EVENT else records.call(payload)).body)

    def content(self, event: int) -> bytes | None:
        """The large part of that event's outcome, whole, without the rest of it. Raises as `event`."""
        found = next((payload for type_, _, payload in self.frames_of(event) if type_ == f.CONTENT), None)
        return None if found is None else self.body(event, records.content(found))

    def body(self, event: int, stored: bytes | Delta | None) -> bytes | None:
        """The whole body, or content, of `event`, whose frame holds `stored`.

        Raises:
            CassetteDamaged: a delta that doesn't fit its base.
        """
        if stored is None or isinstance(stored, bytes):
            return stored
        links: list[Delta] = []
        body: bytes | Delta | None = stored
        base = event
        while isinstance(body, Delta):
            links.append(body)
            if not 0 <= body.base < base:
                raise self._damaged(None, f"event {base} is a difference to event {body.base}")
            base = body.base
            body = self._bodies.get(base) or self._stored_body(base)
        if body is None:
            raise self._damaged(None, f"event {event} is a difference to event {base}, which has no body")
        try:
            whole = rebuild(body, reversed(links))
        except ValueError as error:
            raise self._damaged(None, f"event {event}: {error}") from None
        self._bodies.put(event, whole)
        return whole

    # Tables.

    @property
    def tables(self) -> Tables:
        """Lanes, sites and blind spots as announced."""
        if self._tables is None:
            try:
                self._tables = foot.unpack_tables(self._layout.packed_tables)
            except ValueError as error:
                raise self._damaged(None, str(error)) from None
        return self._tables

    @property
    def lanes(self) -> dict[int, str]:
        """Number -> path."""
        return self.tables.lanes

    @property
    def sites(self) -> dict[int, Site]:
        """Number -> place in the source."""
        return self.tables.sites

    @property
    def blind_spots(self) -> list[BlindSpot]:
        """What no seam saw; each once, with its last count."""
        sites = self.sites
        last = {(what, detail, site): count for what, detail, site, count in self.tables.blind}
        return [
            BlindSpot(what, detail, None if site is None else sites.get(site), count)
            for (what, detail, site), count in last.items()
        ]

    @property
    def gaps(self) -> list[int]:
        """Ids of the events that were seen but not stored (kind `gap`). Reads everything where there is no footer."""
        if self.status == "sealed":
            return list(self._footer.gaps)
        if self._gaps is None:
            self._gaps = [event for type_, event, payload in self.frames() if layout.is_gap(type_, payload)]
        return list(self._gaps)

    @property
    def signatures(self) -> list[Any]:
        """As they stand in the footer, checked by nobody."""
        return list(self._footer.signatures)

    @property
    def digests(self) -> Digests:
        """Of all events: as stored, or made of all frames where nothing is stored. Raises CassetteDamaged."""
        if self._digests is None:
            from replay.cassette import digests  # 13 ms, and few want to compare

            self._digests = layout.digests(self.source, self._layout) or digests.of(self.frames())
        return self._digests

    @property
    def outcome(self) -> dict[str, Any] | None:
        """What END says of the program's end; None if the recording has none."""
        payload = self._layout.outcome
        if payload is None and self.status == "sealed":
            payload = next((p for t, _, p in self._run(len(self._firsts) - 1).records() if t == f.END), None)
        if payload is None:
            return None
        outcome: Any = unpack(payload)
        if type(outcome) is not dict:
            raise self._damaged(None, "END holds no map")
        return outcome  # pyright: ignore[reportUnknownVariableType]

    # Inside.

    def _run(self, number: int) -> Run:
        run = self._runs.get(number)
        if run is None:
            run = Run(self.source, self._footer, number)
            self._runs.put(number, run)
        return run

    def _stored_body(self, event: int) -> bytes | Delta | None:
        body = self._links.get(event)
        if body is None:
            ((type_, _, payload),) = self.frames_of(event, 1)
            body = (records.whole(payload) if type_ == f.EVENT else records.call(payload)).body
            if body is None:
                body = next((records.content(p) for t, _, p in self.frames_of(event) if t == f.CONTENT), None)
            if body is not None:
                self._links.put(event, body)
        return body

    def _damaged(self, number: int | None, what: str) -> CassetteDamaged:
        """Damage in segment `number`; None: of the footer or of what frames say."""
        offset = self._layout.index_at if number is None else self._footer.stored[number].offset
        good = len(self) if number is None else self._firsts[number]
        return CassetteDamaged(f"{self.source.name}: {what}", offset=offset, good_events=good)


def _status(outcome: records.Return | None) -> Literal["done", "failed", "streamed", "open"]:
    if outcome is None:
        return "open"
    return "failed" if outcome.status == 1 else "streamed" if outcome.status == 2 else "done"


def _failure(value: Any) -> Failure:
    if isinstance(value, Named):
        return Failure(value.type_name, text_of(value), value)
    return Failure(type(value).__name__, str(value), value)  # a recorder may store something simpler
