"""Reading a cassette from its first byte to its last whole frame, trusting nothing: for files without a footer, and for
verification.

A file that is being recorded, or whose writer died, is as readable as any other: everything before the first byte
that is missing or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from replay.cassette import frame as f
from replay.cassette.codec import unpack
from replay.cassette.footer import Footer, Segment, Stored, Tables
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged, CassetteEmpty, CassetteForeign, CassetteNewer

WINDOW: Final = 128 * 1024
BLOCK_LIMIT: Final = 32 << 20
"""A block that claims to unpack to more is damage (a writer packs up to 16 MB)."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a cassette stops being readable.

    Attributes:
        offset: in bytes, in the file on the disk.
        reason: in words. cut: the file ends within a frame, everything there is is right.
        good_events: how many events begin before it. block: of these, how many before the BLOCK that is damaged.
    """

    offset: int
    reason: str
    good_events: int
    cut: bool = False
    block: int | None = None


class Run(NamedTuple):
    """A segment with its bytes, unpacked, and where its frames lie in them."""

    segment: Segment
    stored: Stored
    data: bytes
    frames: list[f.Frame]


def check_preamble(start: bytes, name: str) -> None:
    """Raises CassetteEmpty, CassetteForeign, CassetteNewer, or CassetteDamaged where even the preamble was cut."""
    if not start:
        raise CassetteEmpty(f"{name} is empty", hint="the recording died before it wrote its header")
    if len(start) < len(f.PREAMBLE) and f.PREAMBLE.startswith(start):
        raise CassetteDamaged(f"{name} was cut within its first bytes", offset=len(start), good_events=0)
    if not start.startswith(f.MAGIC):
        raise CassetteForeign(f"{name} isn't a cassette")
    version = int.from_bytes(start[len(f.MAGIC) : len(f.PREAMBLE)], "big")
    if version > f.VERSION:
        raise CassetteNewer(f"{name} has format {version}, this version reads up to {f.VERSION}", hint="please update")
    if version == 0:
        raise CassetteForeign(f"{name} has format 0, which never existed")


def unblock(payload: bytes) -> bytes:
    """The frames in a BLOCK. Raises CassetteDamaged."""
    import zstandard  # a process that reads no sealed file never loads it

    fields: Any = unpack(payload)
    try:
        size, _, packed = fields
        if not 0 <= size <= BLOCK_LIMIT or zstandard.frame_content_size(packed) != size:
            raise ValueError("its lengths differ")
        return zstandard.ZstdDecompressor().decompress(packed)
    except (zstandard.ZstdError, ValueError, TypeError) as error:
        raise CassetteDamaged(f"a BLOCK can't be unpacked: {error}", offset=0, good_events=0) from None


def salvaged(stored: bytes) -> bytes:
    """What can still be unpacked of a stored BLOCK that is damaged: a beginning, whose frames have checksums."""
    import zstandard

    head = stored[f.HEAD.size :]
    at = head.find(_ZSTD, 0, 32)
    out = bytearray()
    if at >= 0:
        stream = zstandard.ZstdDecompressor(max_window_size=BLOCK_LIMIT).decompressobj()
        try:
            for start in range(at, len(head), _SLICE):
                out += stream.decompress(head[start : start + _SLICE])
                if len(out) > BLOCK_LIMIT:
                    break
        except zstandard.ZstdError:
            pass
    return bytes(out)


_ZSTD = b"\x28\xb5\x2f\xfd"
_SLICE = 64
"""What an error comes with is lost."""


class Scan:
    """One pass over a cassette.

    Attributes, final once `runs` is exhausted:
        footer: what the footer of this file should say.
        tables: lanes, sites, blind spots.
        outcome: payload of END.
        index_at, index_end: where an INDEX frame was found.
        damage: why the pass ended early, None if it didn't.
    """

    def __init__(self, source: ByteSource) -> None:
        """Raises what `check_preamble` raises."""
        check_preamble(source.read_at(0, len(f.PREAMBLE)), source.name)
        self._source = source
        self.footer = Footer([], 0, 0, {}, (), (), (), [])
        self.tables = Tables({}, {}, [])
        self.outcome: bytes | None = None
        self.index_at: int | None = None
        self.index_end = 0
        self.damage: Damage | None = None
        self._events = 0
        self._block: int | None = None
        self._raw = len(f.PREAMBLE)
        self._seed = 0

    def runs(self) -> Iterator[Run]:
        """The segments, in order, up to the damage."""
        at = len(f.PREAMBLE)
        source = self._source
        want = WINDOW
        while at < source.size and self.index_at is None:
            data = source.read_at(at, want)
            parsed = f.parse(data, self._seed)
            frames = parsed.frames
            envelope = frames.pop() if frames and frames[-1][0] in f.ENVELOPES else None
            end = envelope[2] - 13 if envelope else parsed.end
            if frames:
                yield from self._run(data[:end], frames, Stored(at, end, False), parsed.crc)
            if envelope and self.damage is None:
                self._position = at + end
                yield from self._envelope(envelope, data, parsed.crc)
            if self.damage is None and parsed.problem:
                yield from self._salvage(at + parsed.end, parsed.crc)
                self._fail(at + parsed.end, parsed.problem)
            if self.damage is not None:
                break
            if parsed.end == 0:
                want = f.whole_size(data, 0)
                if len(data) < want <= source.size - at:
                    continue
                self._fail(at, f"the file ends within a frame ({len(data)} of {want} bytes)", cut=True)
                break
            at += parsed.end
            want = WINDOW
        self.footer.size = self._raw
        self.footer.events = self._events

    def _run(self, data: bytes, frames: list[f.Frame], stored: Stored, crc: int) -> Iterator[Run]:
        segment = Segment(self._raw, self._seed, self._events)
        good = self._check(data, frames, len(self.footer.segments), stored)
        if good < len(frames):
            data, frames = data[: frames[good][2] - 13], frames[:good]
            crc = int.from_bytes(data[frames[-1][2] - 13 : frames[-1][2] - 9], "big") if frames else self._seed
            stored = stored if stored.packed else Stored(stored.offset, len(data), False)
        if frames:
            self.footer.segments.append(segment)
            self.footer.stored.append(stored)
            self._raw += len(data)
            self._seed = crc
            yield Run(segment, stored, data, frames)

    def _check(self, data: bytes, frames: list[f.Frame], number: int, stored: Stored) -> int:
        """How many of the frames make sense where they stand; the rest is damage."""
        events = first = self._events
        strays = self.footer.strays
        for index, (type_, event, start, end) in enumerate(frames):
            if type_ == 4 or type_ == 2:
                if event != events:
                    return self._senseless(index, start, stored, events, f"event {event} where {events} is due")
                events += 1
            elif type_ == 3 or type_ == 5:
                if event >= events:
                    return self._senseless(
                        index, start, stored, events, f"an outcome of event {event}, which didn't begin"
                    )
                if event < first:
                    numbers = strays.setdefault(event, [])
                    if not numbers or numbers[-1] != number:
                        numbers.append(number)
            elif type_ != 6 and type_ != 10:
                try:
                    self._announcement(type_, data[start:end])
                except (CassetteDamaged, ValueError, TypeError) as error:
                    return self._senseless(index, start, stored, events, f"{f.NAMES.get(type_, type_)}: {error}")
        self._events = events
        return len(frames)

    def _announcement(self, type_: int, payload: bytes) -> None:
        """Keeps what LANE, SITE, BLIND and END say. Frames of unknown type are skipped: a later version may add
        some."""
        if type_ == f.END:
            self.outcome = payload
        elif type_ == f.LANE:
            self.tables.add_lane(*unpack(payload))
        elif type_ == f.SITE:
            self.tables.add_site(*unpack(payload))
        elif type_ == f.BLIND:
            self.tables.add_blind(*unpack(payload))

    def _envelope(self, envelope: f.Frame, data: bytes, seed: int) -> Iterator[Run]:
        type_, _, start, end = envelope
        at = self._position
        if type_ == f.INDEX:
            self.index_at = at
            self.index_end = at + 13 + end - start
            return
        if type_ == f.DIGESTS:
            return
        try:
            raw = unblock(data[start:end])
        except CassetteDamaged as error:
            self._fail(at, error.what)
            return
        parsed = f.parse(raw, seed)
        if parsed.frames:
            yield from self._run(raw, parsed.frames, Stored(at, end - start + 13, True), parsed.crc)
        if self.damage is None and parsed.end != len(raw):
            self._fail(at, "a BLOCK that holds other things than whole frames")

    def _salvage(self, at: int, seed: int) -> Iterator[Run]:
        """What is left of a BLOCK whose checksum doesn't fit."""
        source = self._source
        head = source.read_at(at, f.HEAD.size)
        size = f.whole_size(head, 0)
        if len(head) == f.HEAD.size and f.HEAD.unpack(head)[2] == f.BLOCK and size <= source.size - at:
            raw = salvaged(source.read_at(at, size))
            parsed = f.parse(raw, seed)
            self._block = self._events
            if parsed.frames:
                yield from self._run(raw[: parsed.end], parsed.frames, Stored(at, size, True), parsed.crc)

    def _senseless(self, index: int, start: int, stored: Stored, events: int, reason: str) -> int:
        self._events = events
        self._fail(stored.offset + (0 if stored.packed else start - 13), reason)
        return index

    def _fail(self, offset: int, reason: str, *, cut: bool = False) -> None:
        self.damage = Damage(offset, reason, self._events, cut, self._block)
