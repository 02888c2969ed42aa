"""Writing a cassette: frames go to a pending list, `flush` gives them to the system in one write.

After `flush` has returned, the frames survive kill -9. The writer takes no lock: whoever records holds one. Nothing
here reads a clock after the header, and nothing compresses before `seal`.

Tried and rejected: a buffered file object (1 µs slower, and its buffer dies with the process), a thread that writes
(the GIL makes the main thread no faster), an index kept per event (memory grows with the recording).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from errno import EBADF, EIO, ENOENT
from hashlib import sha256
from os import unlink  # bound now: seams patch the module's attributes
from struct import Struct
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from replay.cassette import frame as f
from replay.cassette import header as head
from replay.cassette import records
from replay.cassette.codec import Encoder, pack
from replay.cassette.disk import Disk, Plain, high
from replay.cassette.redact import Redactor
from replay.cassette.repeats import Repeats
from replay.cassette.traces import Ours
from replay.model.errors import CassetteExists, CassetteMissing, CassetteUnreadable, KeyUnusable, NotStorable

if TYPE_CHECKING:
    from replay.cassette.sealing import Sign

SEGMENT_BYTES: Final = 256 * 1024
SEGMENT_EVENTS: Final = 640
"""A segment, which is what a reader unpacks to read one event, is full at either. Long texts pack a tenth better in
256 KB than in 128; small events would take too long to go through."""

BACKLOG: Final = 8 << 20
"""How many bytes wait for a disk that takes none, before the writer gives up."""

_CLOSED: Final = "the program closed the recording's file"
_PIECE: Final = 0
_ERROR: Final = 1
_STREAM: Final = 2
_TYPE: Final = 8  # where the type stands in a frame

_cover: Final = Struct(">IBI").pack


def nobodys(_: str) -> bool:
    """No frame is left out."""
    return False


class Writer:
    """One cassette being recorded.

    Attributes:
        path: where.
        header: what was written first.
        events: how many events there are, which is the id of the next one.
        size: bytes so far, pending ones too.
        ours: frames that are left out of stored tracebacks; none by default.
        on_failure: gets what went wrong with the disk; None: it is raised.
        aside, on_turn, asked: for flight recorders.
        now: microseconds since the recording began, for what the writer itself has to say.
        sign: signs what `seal` seals. signatures: there already are.
        broken: nothing more is written, and the file says why: the disk took nothing for too long, or somebody cut or
            removed the file.

    Example:
        >>> writer = Writer.create("x.cassette", {"program": "demo"})
        >>> writer.lane(0, "m")
        >>> writer.event(0, "tool", "add", "read", 12, None, [1, 2], None, None, None, 3, 0, 3)
        0
        >>> writer.flush(); writer.end({"exit_code": 0}); writer.seal(); writer.close()
    """

    def __init__(
        self,
        fd: int,
        path: str,
        header: dict[str, Any],
        redactor: Redactor | None = None,
        journal: Callable[[int], Disk] | None = None,
        packed: bytes | None = None,
    ) -> None:
        """Takes over `fd`, an empty file; `packed` is the header's bytes. Use `create`."""
        self.path = path
        self.header = header
        self.events = 0
        self.size = len(f.PREAMBLE)
        self.broken = False
        self.on_failure: Callable[[OSError], None] | None = None
        self.now: Callable[[], int] = int
        self.sign: Sign | None = None
        self.signatures: list[Any] = []
        self.aside: object = None
        self.on_turn: object = None
        self.asked: str | None = None
        self._failure = OSError(EIO, "nothing was written")
        self._disk: Disk = Plain(fd) if journal is None else journal(fd)
        self._encoder = Encoder()
        self._redactor = redactor
        self._bare = self._encoder.pack
        self._pack = self._bare if redactor is None else redactor.packing(self._bare)
        self.ours: Ours = nobodys
        self._streams = None if redactor is None else redactor.streams(self._bare)
        self._pending: list[bytes] = [f.PREAMBLE]
        self._stuck = False  # the last write failed
        self._written = 0
        self._crc = 0
        self._sha = sha256()
        self._chained = 0
        self._unhashed: list[bytes] = [f.PREAMBLE]
        self._repeats = Repeats(None if redactor is None else redactor.texts)
        self._turn_at = SEGMENT_BYTES
        self._turn_event = SEGMENT_EVENTS
        self._segments = [(self.size, 0, 0)]  # offset, seed, first event: what `footer.Segment` names
        self._first = 0  # first event of the current segment
        self._strays: dict[int, list[int]] = {}
        self._gaps: list[int] = []
        self._lanes: list[tuple[int, str]] = []
        self._sites: list[tuple[int, str, int, str]] = []
        self._blind: list[tuple[str, str, int | None, int]] = []
        self._ended = False
        packed = self._bare(header) if packed is None else packed
        self._emit(f.HEADER, f.NO_EVENT, packed if redactor is None else redactor.head(packed))
        self._cut()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        header: Mapping[str, Any],
        redactor: Redactor | None = None,
        journal: Callable[[int], Disk] | None = None,
    ) -> Writer:
        """A new file, 0600, with its header on the disk.

        Args:
            path: in a directory that exists.
            header: storable; `format`, `writer`, `created`, `id`, `flags` are added.
            redactor: takes secrets out of whatever is written.
            journal: makes an encrypted file of an empty one (`replay.cassette.journal`).

        Raises:
            CassetteExists: there is something at `path`; it is left as it is.
            CassetteMissing: the directory isn't there.
            CassetteUnreadable: no permission to create it.
            NotStorable: the header. KeyUnusable: what `journal` raises.
            OSError: the disk is full.
        """
        where = os.fspath(path)
        whole = head.complete(header)
        packed = pack(whole, "header")
        try:
            fd = os.open(where, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        except FileExistsError:
            raise CassetteExists(
                f"{where} exists already", hint="a recording never overwrites; choose another -o"
            ) from None
        except FileNotFoundError:
            raise CassetteMissing(f"no directory for {where}", hint="create it first") from None
        except (PermissionError, NotADirectoryError) as error:
            raise CassetteUnreadable(f"can't create {where}: {error.strerror}") from None
        fd = high(fd)
        try:
            writer = cls(fd, where, whole, redactor, journal, packed)
            writer.flush()
        except (OSError, KeyUnusable):
            os.close(fd)
            os.unlink(where)  # ours, and without a header: a cassette that says nothing
            raise
        return writer

    # What a recorder says. Each of these adds one frame to what is pending.

    def event(
        self,
        lane: int,
        kind: str,
        name: str,
        effect: str,
        at: int,
        site: int | None,
        request: object,
        body: bytes | None,
        chain: Hashable | None,
        meta: Mapping[str, Any] | None,
        took: int,
        status: int,
        value: object,
    ) -> int:
        """A whole event: what was asked and what came of it. Returns its id.

        Args:
            lane: number announced by `lane`. site: number announced by `site`, or None.
            at, took: microseconds since the recording began / until the outcome.
            body: the large part of the request. chain: any key; the body is stored as a difference to the last one
                with the same key.
            status: 0 result, 1 error, 2 a stream was opened.

        Raises:
            NotStorable: nothing was added, the id is still free.
        """
        try:
            came = self._error(value) if status == _ERROR else value
            if kind == "output" and self._streams is not None:
                request = self._streams.masked(request)
            stored, base = (None, None) if body is None else self._repeats.body(chain, body)
            payload = self._pack([lane, kind, name, effect, at, site, request, stored, meta, took, status, came])
        except NotStorable as error:
            raise self._explained(error, request=request, result=value, meta=meta) from None
        event = self.events
        self.events = event + 1
        # The frame is made here and not by _emit: this is the hot path, and a call costs a tenth of it.
        covered = _cover(len(payload), 4, event) + payload
        self._crc = crc = crc32(covered, self._crc)
        frame = crc.to_bytes(4, "big") + covered
        self._pending.append(frame)
        self._unhashed.append(frame)
        self.size = size = self.size + len(frame)
        if kind == "gap":
            self._gaps.append(event)
        if base is not None and chain is not None:
            self._repeats.put(chain, event, base)
        if size >= self._turn_at or event >= self._turn_event:
            self._turn()
        return event

    def call(
        self,
        lane: int,
        kind: str,
        name: str,
        effect: str,
        at: int,
        site: int | None,
        request: object,
        body: bytes | None,
        chain: Hashable | None,
        meta: Mapping[str, Any] | None,
    ) -> int:
        """The first half of an event, as in `event`; `ret` is the other. Returns its id.

        Raises:
            NotStorable: nothing was added, the id is still free.
        """
        try:
            stored, base = (None, None) if body is None else self._repeats.body(chain, body)
            payload = self._pack([lane, kind, name, effect, at, site, request, stored, meta])
        except NotStorable as error:
            raise self._explained(error, request=request, meta=meta) from None
        event = self.events
        self.events = event + 1
        if kind == "gap":
            self._gaps.append(event)
        if base is not None and chain is not None:
            self._repeats.put(chain, event, base)
        self._emit(f.CALL, event, payload)
        return event

    def again(self, payload: bytes) -> int:
        """A CALL whose payload is packed already. Returns its id."""
        event = self.events
        self.events = event + 1
        self._emit(f.CALL, event, payload)
        return event

    def last(self) -> bytes:
        """The payload of the event that was added last, before the next `flush`."""
        added = next(frame for frame in reversed(self._pending) if frame[_TYPE] in (f.CALL, f.EVENT))
        return added[f.HEAD.size :]

    def content(self, event_id: int, content: bytes, digest: bytes, chain: Hashable) -> None:
        """The large part of an event's outcome, between `call` and `ret`. What the cassette has already isn't stored
        again, and what is like the last one with the same key is stored as a difference.

        Args:
            digest: of `content`; equal digests mean equal contents, so it has to be a cryptographic one.
            chain: as in `event`.
        """
        stored = self._repeats.content(event_id, content, digest, chain)
        if event_id < self._first:
            self._stray(event_id)
        self._emit(f.CONTENT, event_id, self._bare([stored]))

    def remember(self, digest: bytes, event_id: int, size: int) -> None:
        """That event's body or content, of `size` bytes, has this digest: `content` refers to it from now on."""
        self._repeats.remember(digest, event_id, size)

    def ret(self, event_id: int, at: int, status: int, value: object, suspended: bool) -> None:
        """The outcome of an event that `call` began.

        Args:
            status: 0 result, 1 error, 2 a stream was opened: `value` is its head, chunks follow.
            suspended: whether the lane gave way to others while it waited.
        """
        try:
            came = self._error(value) if status == _ERROR else value
            pack = self._bare if came is None else self._pack  # there is nothing in None
            payload = pack([at, status, came, suspended])
        except NotStorable as error:
            raise self._explained(error, result=value) from None
        if event_id < self._first:
            self._stray(event_id)
        self._emit(f.RETURN, event_id, payload)
        if status == _STREAM and self._streams is not None:
            self._streams.opened(event_id, value)

    def _error(self, value: object) -> object:
        return self._encoder.error(value, self.ours) if isinstance(value, BaseException) else value

    def chunk(self, event_id: int, lane: int, at: int, status: int, value: object, suspended: bool) -> None:
        """A piece of the stream that an event opened. status: 0 piece, 1 error, 3 end, 4 closed by the program."""
        try:
            came = self._error(value) if status == _ERROR else value
            if self._streams is not None:
                if status == _PIECE:
                    waits, came, late = self._streams.piece(event_id, came)
                    status = records.WAITS if waits else status
                else:
                    late = self._streams.end(event_id)
                if late:
                    self._piece(event_id, self._pack([lane, at, records.LATE, late, False]))
                while self._streams.unable:
                    self.blind("redaction", self._streams.unable.pop(), None, 1)
            pack = self._bare if came is None else self._pack
            payload = pack([lane, at, status, came, suspended])
        except NotStorable as error:
            raise self._explained(error, result=value) from None
        self._piece(event_id, payload)

    def _piece(self, event_id: int, payload: bytes) -> None:
        if event_id < self._first:
            self._stray(event_id)
        self._emit(f.CHUNK, event_id, payload)

    def track(self, entries: Sequence[object]) -> None:
        """A piece of the schedule, flat."""
        self._emit(f.TRACK, f.NO_EVENT, self._bare(list(entries)))

    def lane(self, number: int, path: str, holder: object = None) -> None:
        """Announces a lane, before its first use. holder: lives as long as the lane may be used; no matter here."""
        self._emit(f.LANE, f.NO_EVENT, self._bare([number, path]))
        self._lanes.append((number, path))

    def site(self, number: int, file: str, line: int, function: str) -> None:
        """Announces a call site, before its first use."""
        self._emit(f.SITE, f.NO_EVENT, self._bare([number, file, line, function]))
        self._sites.append((number, file, line, function))

    def blind(self, what: str, detail: str, site: int | None, count: int) -> None:
        """Something that no seam saw. A later one with the same `what`, `detail` and `site` replaces the count."""
        detail = detail if self._redactor is None else self._redactor.text(detail)
        self._emit(f.BLIND, f.NO_EVENT, self._bare([what, detail, site, count]))
        self._blind.append((what, detail, site, count))

    def end(self, outcome: Mapping[str, Any]) -> None:
        """The program's outcome, behind a CHAIN over everything, both on the disk. Nothing comes after it but `seal`.

        Raises:
            NotStorable: nothing was added.
        """
        try:
            payload = self._pack(dict(outcome))
        except NotStorable as error:
            raise self._explained(error, outcome=dict(outcome)) from None
        if not self._ended:
            for event, late in () if self._streams is None else self._streams.ends():
                self._piece(event, self._pack([0, self.now(), records.LATE, late, False]))
            self._chain()
            self._cut()
            self._ended = True
            self._emit(f.END, f.NO_EVENT, payload)
            self._cut()
        self.flush()

    # To the disk.

    @property
    def waits(self) -> bool:
        """The disk took not everything so far."""
        return self._stuck

    @property
    def unpacks(self) -> bool:
        """A compressed stream goes on, which another writer couldn't search for secrets."""
        return self._streams is not None and self._streams.unpacks

    def flush(self) -> None:
        """Writes what is pending.

        Raises:
            OSError: such as a full disk; `on_failure` gets it instead where it is set. What wasn't written stays
                pending, also the rest of a frame of which a part was, so a later flush goes on where this one stopped.
                Beyond BACKLOG the writer stops (`stop`).
        """
        pending = self._pending
        if not pending:
            return
        if self._stuck:
            self._retry()
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        done = 0
        put = self._disk.put
        try:
            done = put(data)
            while done < len(data):
                done += put(data[done:])
        except OSError as error:
            self._pending = [data[done:]]
            self._written += done
            self._stuck = True
            if error.errno == EBADF:
                self.stop(OSError(EBADF, _CLOSED))
            else:
                self._fail(error)
            return
        self._written += done
        self._pending = []

    def stop(self, error: OSError, *, changed: bool = False) -> None:
        """Nothing more is written: the file is cut back to its last whole frames, and a `gap` says why it ends there
        (`replay.cassette.stopping`). The error goes where that of `flush` goes, with the reason as its text.

        Args:
            changed: somebody else has written to the file.
        """
        self.broken = True
        self._pending.clear()
        self._unhashed.clear()
        if not self._disk.mine():
            self._fail(error)
            return
        segments = None if changed else self._segments
        reason = f"the recording stopped here: {error.strerror or error}"
        try:
            if not self._disk.stop(self.header, segments, self.now(), reason):
                error = OSError(ENOENT, "the cassette was removed while it was recorded")
        except OSError:
            pass  # a reader copes with what a crash leaves
        self._fail(error)

    def save(self, reason: str) -> None:
        """It is all here. A flight recorder (`replay.cassette.ring`) saves what it has."""

    def settle(self) -> bool:
        """Nothing more comes: whether all of it is on the disk. What isn't is given up for the reason."""
        if not self._stuck:
            self._look()
        self.flush()
        if self._stuck and not self.broken:
            self.stop(self._failure)
        return not self.broken

    def _retry(self) -> None:
        """After a failure: piece by piece, so that an attempt that fails again costs one call."""
        pending = self._pending
        if self.broken:
            pending.clear()
            self._fail(self._failure)
            return
        try:
            while pending:
                done = self._disk.put(pending[0])
                self._written += done
                pending[0] = pending[0][done:]
                if not pending[0]:
                    del pending[0]
        except OSError as error:
            if self.size - self._written > BACKLOG:
                self.stop(error)
            else:
                self._fail(error)
            return
        self._stuck = False

    def _fail(self, error: OSError) -> None:
        self._failure = error
        if self.on_failure is None:
            raise error
        self.on_failure(error)

    def _look(self) -> None:
        """Whether the file is still what was written. Asked once in a segment: it costs a call."""
        if not self._disk.mine():
            self._lost(OSError(EBADF, _CLOSED))
            return
        names, size, due = self._disk.look(self._written)
        if not names:
            self._lost(OSError(ENOENT, "the cassette was removed while it was recorded"))
        elif size < due:
            self._lost(OSError(EIO, f"somebody cut the cassette to {size} bytes while it was recorded"))

    def _lost(self, error: OSError) -> None:
        self._stuck = True
        self.stop(error, changed=True)

    def seal(self, *, quick: bool = False) -> str | None:
        """Packs the file and gives it a footer: written beside, then put in its place in one step; `quick`: a small one
        only gets the footer.

        Returns: why it has no digests (`sealing.seal`); else None.

        Raises:
            OSError: the disk is full or the path is gone; the unsealed file is still there, whole.
        """
        from replay.cassette import sealing  # a recording begins sooner without it
        from replay.cassette.footer import Footer, Segment

        if not self._ended:
            self.end({})
        self.flush()
        footer = Footer(
            segments=[Segment(*segment) for segment in self._segments[:-1]],  # the last is empty: `end` cut
            size=self.size,
            events=self.events,
            strays=self._strays,
            lanes=self._lanes,
            sites=self._sites,
            blind=self._blind,
            gaps=self._gaps,
            signatures=list(self.signatures),
        )
        return sealing.seal(self._disk, self.path, footer, self._crc, self.sign, quick=quick)

    def discard(self) -> None:
        """Removes the file: nobody wants what is in it."""
        self.close()
        unlink(self.path)

    def close(self) -> None:
        """Lets go of the file and of whoever records: nothing here is to be found by a garbage collection of a server.
        Doesn't flush and doesn't seal."""
        self._disk.close()
        self._encoder.end()
        self.now, self.ours = int, nobodys
        self.on_failure = self.on_turn = self.aside = None

    # Inside.

    def _emit(self, type_: int, event: int, payload: bytes) -> None:
        covered = _cover(len(payload), type_, event) + payload
        self._crc = crc = crc32(covered, self._crc)
        frame = crc.to_bytes(4, "big") + covered
        self._pending.append(frame)
        self._unhashed.append(frame)
        self.size += len(frame)
        if self.size >= self._turn_at or self.events > self._turn_event:
            self._turn()

    def _stray(self, event: int) -> None:
        segments = self._strays.setdefault(event, [])
        number = len(self._segments) - 1
        if not segments or segments[-1] != number:
            segments.append(number)

    def _turn(self) -> None:
        """A segment is full."""
        if self._ended:
            return  # nothing comes behind END, however long it is
        self._aim()
        if not self._stuck:
            self._look()
        if self.size - self._chained >= SEGMENT_BYTES:
            self._chain()
        self._cut()

    def _cut(self) -> None:
        self._segments.append((self.size, self._crc, self.events))
        self._first = self.events
        self._aim()

    def _aim(self) -> None:
        self._turn_at = self.size + SEGMENT_BYTES
        self._turn_event = self.events + SEGMENT_EVENTS

    def _chain(self) -> None:
        """A CHAIN frame over all bytes so far. Hashed here and not per frame: one call for 256 KB."""
        self._sha.update(b"".join(self._unhashed))
        self._unhashed.clear()
        self._chained = self.size
        self._emit(f.CHAIN, f.NO_EVENT, self._bare([self._sha.digest()]))

    def _explained(self, error: NotStorable, **parts: object) -> NotStorable:
        from replay.cassette.explain import first

        return first(parts, error, self._pack)
