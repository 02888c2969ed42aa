"""A flight recorder: a ring of parts on the disk that keeps the newest events, saved when something goes wrong.

Each part is a cassette of its own (`X.ring/000007.part` beside `X.cassette`), with the header, its lanes, its call
sites and its own bases of differences, so that the oldest one can go at any time and no event is ever cut. An event
that is under way when a part is full is carried into the next: its CALL is written again when something more of it
comes, with the number it had in `meta`. `replay.cassette.merging` puts the parts together.

Events are numbered on, from the first that ever was, as the recorder knows them; in a part they count from 0.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final
from weakref import WeakValueDictionary

from replay.cassette._msgpack import plain, unplain
from replay.cassette.directory import ring_of
from replay.cassette.locks import hold
from replay.cassette.lru import Recent
from replay.cassette.redact import Redactor
from replay.cassette.repeats import BASES_BYTES
from replay.cassette.sealing import Sign
from replay.cassette.traces import Ours
from replay.cassette.writer import Writer, nobodys
from replay.model.errors import CassetteExists, NotStorable, ReplayError

PARTS: Final = 8
"""Of so many parts the ring consists; the oldest goes when another begins."""

SMALLEST: Final = 64 << 10
"""Bytes of a part, at least."""

_UNDER_WAY: Final = 4096
"""Events that may be carried; of more (or of more bytes than the ring has), those that were silent for the longest time
can't go on."""

_STREAM = 2


_NOT_SEARCHED: Final = "a compressed body that went on in the flight recorder's next part isn't searched for secrets"


def _weight(begun: tuple[bytes, bytes | None]) -> int:
    payload, body = begun
    return len(payload) + len(body or b"")


class Ring:
    """As a `Writer`, on a ring.

    Args:
        path: of the cassette that it is saved as.
        header, redactor: as for `Writer.create`. limit: bytes of all parts together.
        sign: makes what signs the cassette with that id.

    Raises:
        as `Writer.create`; CassetteExists: there is a ring.

    Attributes:
        aside: within it, opening and removing files is nobody's doing. on_turn: another part begins.
        asked: why it is to be saved with the next `flush`.
    """

    def __init__(
        self,
        path: str,
        header: Mapping[str, Any],
        limit: int,
        redactor: Redactor | None = None,
        sign: Callable[[str], Sign] | None = None,
    ) -> None:
        self.path = path
        self.folder = ring_of(path)
        self._limit = limit
        self._redactor = redactor
        self._sign = sign
        self._part = max(limit // PARTS, SMALLEST)
        self._on_failure: Callable[[OSError], None] | None = None
        self.now: Callable[[], int] = int
        self.ours: Ours = nobodys
        self.on_turn: Callable[[], None] = lambda: None
        self.aside: Callable[[], AbstractContextManager[object]] = nullcontext
        self.asked: str | None = None
        self._lanes: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._fresh: dict[int, str] = {}
        self._places: dict[int, tuple[str, int, str]] = {}
        self._under_way: Recent[int, tuple[bytes, bytes | None]] = Recent(_UNDER_WAY, max(limit, BASES_BYTES), _weight)
        self._parts: list[tuple[str, int]] = []
        self._count = 0
        self._base = self._before = 0
        self._held = -1
        try:
            os.makedirs(self.folder, mode=0o700)
        except FileExistsError:
            raise CassetteExists(
                f"{self.folder} exists already", hint="of a process that runs, or was killed"
            ) from None
        try:
            self._held = hold(self.folder)
            self._begin({**header, "ring": {"first": 0}})
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._let_go()
            raise
        self.header = {key: value for key, value in self._writer.header.items() if key != "ring"}

    # As a writer.

    @property
    def events(self) -> int:
        """How many there have been."""
        return self._base + self._writer.events

    @property
    def size(self) -> int:
        """Bytes there have been."""
        return self._before + self._writer.size

    @property
    def broken(self) -> bool:
        """Nothing more is written."""
        return self._writer.broken

    @property
    def on_failure(self) -> Callable[[OSError], None] | None:
        """As a writer's."""
        return self._on_failure

    @on_failure.setter
    def on_failure(self, value: Callable[[OSError], None] | None) -> None:
        self._on_failure = value
        self._equip()

    def event(
        self, lane: int, kind: str, name: str, effect: str, at: int, site: int | None, request: object,
        body: bytes | None, chain: Hashable | None, meta: Mapping[str, Any] | None, took: int, status: int,
        value: object,
    ) -> int:  # fmt: skip
        self._ready(site)
        local = self._writer.event(
            lane, kind, name, effect, at, site, request, body, chain, meta, took, status, value
        )  # fmt: skip
        if status == _STREAM:
            self._remember(local, body)
        return self._base + local

    def call(
        self, lane: int, kind: str, name: str, effect: str, at: int, site: int | None, request: object,
        body: bytes | None, chain: Hashable | None, meta: Mapping[str, Any] | None,
    ) -> int:  # fmt: skip
        self._ready(site)
        local = self._writer.call(lane, kind, name, effect, at, site, request, body, chain, meta)
        self._remember(local, body)
        return self._base + local

    def ret(self, event_id: int, at: int, status: int, value: object, suspended: bool) -> None:
        self._writer.ret(self._local(event_id), at, status, value, suspended)
        if status != _STREAM:
            self._over(event_id)

    def chunk(self, event_id: int, lane: int, at: int, status: int, value: object, suspended: bool) -> None:
        self._writer.chunk(self._local(event_id), lane, at, status, value, suspended)
        if status:
            self._over(event_id)
        elif self._writer.size > self._part:
            self._ready(None)

    def content(self, event_id: int, content: bytes, digest: bytes, chain: Hashable) -> None:
        self._writer.content(self._local(event_id), content, digest, chain)

    def remember(self, digest: bytes, event_id: int, size: int) -> None:
        if event_id >= self._base:
            self._writer.remember(digest, event_id - self._base, size)

    def track(self, entries: Sequence[object]) -> None:
        self._writer.track(entries)

    def lane(self, number: int, path: str, holder: object = None) -> None:
        if holder is not None:
            self._lanes[number] = holder
        self._fresh[number] = path
        self._writer.lane(number, path)

    def site(self, number: int, file: str, line: int, function: str) -> None:
        self._places[number] = (file, line, function)  # of a program there are so many; announced when used

    def blind(self, what: str, detail: str, site: int | None, count: int) -> None:
        self._ready(site)
        self._writer.blind(what, detail, site, count)

    def end(self, outcome: Mapping[str, Any]) -> None:
        self._writer.end(outcome)

    def flush(self) -> None:
        self._writer.flush()
        if self.asked is not None:
            reason, self.asked = self.asked, None
            try:
                self.save(reason)
            except (OSError, ReplayError) as error:
                if self._on_failure is None:
                    raise
                self._on_failure(OSError(f"the flight recorder wasn't saved: {error}"))

    def settle(self) -> bool:
        return self._writer.settle()

    def close(self) -> None:
        self._writer.close()
        self._let_go()

    # What it is for.

    def save(self, reason: str) -> None:
        """What there is now, as a cassette beside the ring.

        Raises:
            OSError, ReplayError: it can't be written.
        """
        self._writer.flush()
        with self.aside():
            from replay.cassette.merging import merge

            merge(self.folder, self.path, reason)

    def seal(self, *, quick: bool = False) -> str | None:
        """Saved, and gone. Returns nothing, in place of what `Writer.seal` says."""
        self._writer.close()
        from replay.cassette.merging import merge

        merge(self.folder, self.path, "the program failed", sign=self._sign)
        self.discard()
        return None

    def discard(self) -> None:
        """Gone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    # Inside.

    def _let_go(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def _begin(self, header: Mapping[str, Any]) -> None:
        path = os.path.join(self.folder, f"{self._count:06d}.part")
        self._writer = Writer.create(path, header, self._redactor)
        self._count += 1
        self._current = path
        self._carried: dict[int, int] = {}
        self._announced: set[int] = set()
        self._equip()

    def _equip(self) -> None:
        self._writer.ours, self._writer.now, self._writer.on_failure = self.ours, self._elapsed, self._on_failure

    def _elapsed(self) -> int:
        return self.now()

    def _ready(self, site: int | None) -> None:
        """There is room in this part, and it knows the call site."""
        if self._writer.size > self._part and not self._writer.broken:
            self._turn()
        self._announce(site)

    def _announce(self, site: int | None) -> None:
        if site is not None and site not in self._announced and site in self._places:
            self._announced.add(site)
            self._writer.site(site, *self._places[site])

    def _turn(self) -> None:
        with self.aside():
            self._next()

    def _next(self) -> None:
        old, path = self._writer, self._current
        old.flush()
        if old.waits or old.broken:
            return  # the disk is full: this part grows until there is room
        size, first = old.size, self._base + old.events
        try:
            self._begin({**self.header, "ring": {"first": first}})
        except (OSError, ReplayError):
            self._part = max(self._part, size + SMALLEST)  # asked again later
            return
        self._part = max(self._limit // PARTS, SMALLEST)
        old.close()
        self._base = first
        self._before += size
        self._parts.append((path, size))
        alive = {number: lane.path for number, lane in list(self._lanes.items())}
        for number, name in {**self._fresh, **alive}.items():
            self._writer.lane(number, name)
        self._fresh.clear()
        if old.unpacks:
            self._writer.blind("redaction", _NOT_SEARCHED, None, 1)
        self.on_turn()
        kept = sum(size for _, size in self._parts) + self._part
        while self._parts and kept > self._limit:
            oldest, size = self._parts.pop(0)
            kept -= size
            with suppress(OSError):  # somebody else did it
                os.unlink(oldest)

    def _remember(self, local: int, body: bytes | None) -> None:
        self._under_way.put(self._base + local, (self._writer.last(), body))

    def _over(self, event: int) -> None:
        self._under_way.pop(event)
        self._carried.pop(event, None)

    def _safe(self, body: bytes | None) -> bytes | None:
        return body if body is None or self._redactor is None else self._redactor.body(body).safe

    def _local(self, event: int) -> int:
        """Its number in this part, to which it is carried where it began in another."""
        if event >= self._base:
            return event - self._base
        local = self._carried.get(event)
        if local is None:
            begun = self._under_way.get(event)
            if begun is None:
                raise NotStorable(f"event {event} began too long ago for the flight recorder")
            fields: list[Any] = unplain(begun[0], int_keys=True)
            del fields[9:]  # an event that opened a stream has its head behind that
            if fields[0] not in self._lanes and fields[0] not in self._fresh:
                self._writer.lane(fields[0], "?")
            self._announce(fields[5])
            fields[7] = self._safe(begun[1])
            fields[8] = {**(fields[8] or {}), "ring": event}
            local = self._carried[event] = self._writer.again(plain(fields))
        return local
