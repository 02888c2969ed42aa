"""What is left of a damaged cassette, behind the damage too.

Each frame's crc continues from that of the frame before. So behind a damaged stretch, a frame whose crc nobody can
check gives the seed that the next one is checked with: a run of frames that fit together is found again, and all but
its first are vouched for. In a sealed file each segment has its seed in the footer, and segments are independent.

What is lost leaves a trace: events keep their numbers, and one that is lost, or that was stored as a difference to a
lost one, is an event of kind `gap` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from replay.cassette import frame as f
from replay.cassette import layout, records
from replay.cassette.codec import pack, unpack
from replay.cassette.delta import Delta
from replay.cassette.footer import Tables
from replay.cassette.layout import Record
from replay.cassette.scan import BLOCK_LIMIT, unblock
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged

_STEP: Final = 1 << 20
MOST_LOST: Final = 1 << 20
"""Events in a row: a number beyond that is one that was made up."""
_PIECE: Final = 256
"""What comes out of so many packed bytes is within reason, whatever they say."""
_PLAUSIBLE: Final = re.compile(rb"(?=[\x00-\x40]...[\x01-\x0e])", re.DOTALL)
"""Length and type of a head, behind its crc."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch that can't be read. `offset`, `size`: bytes in the file."""

    offset: int
    size: int
    reason: str


Found: TypeAlias = "Record | Hole"


def salvage(source: ByteSource) -> Iterator[Found]:
    """Every frame behind the header that can be vouched for, in order, and what lies between.

    The file is held in memory: up to the size of an unsealed one.

    Raises:
        CassetteEmpty, CassetteForeign, CassetteNewer, CassetteDamaged: not even the header can be read.
    """
    layout.header(source)
    found = layout.of(source)
    if found.status == "sealed":
        return (each for each in _by_segments(source, found) if isinstance(each, Hole) or each[0] != f.HEADER)
    data = b"".join(source.read_at(at, _STEP) for at in range(0, source.size, _STEP))
    start = len(f.PREAMBLE)
    first = f.parse(data, 0, start, limit=1)
    return _walk(data, first.end, first.crc)


def _by_segments(source: ByteSource, found: layout.Layout) -> Iterator[Found]:
    """With a footer that is right, segments are independent of each other."""
    for begin, stored in zip(found.footer.segments, found.footer.stored, strict=True):
        data = source.read_at(stored.offset, stored.size)
        if not stored.packed:
            yield from _walk(data, 0, begin.seed, stored.offset)
            continue
        inner = _unpacked(data[f.HEAD.size :])
        if inner is None:
            yield Hole(stored.offset, stored.size, "a BLOCK that can't be unpacked")
        else:
            yield from _walk(inner, 0, begin.seed, stored.offset)


def _walk(data: bytes, at: int, seed: int | None, offset: int = 0) -> Iterator[Found]:
    """The frames from `at` on. `seed`: None: nobody knows the crc before. `offset`: of `data` in the file."""
    while at < len(data):
        parsed = None if seed is None else f.parse(data, seed, at)
        if parsed is None or not parsed.frames:
            behind = _resume(data, at)
            yield Hole(offset + at, behind.at - at, "lost" if parsed is None else parsed.problem or "cut")
            yield from behind.frames
            at, seed = behind.at, behind.seed
            continue
        at = parsed.end
        for type_, event, start, end in parsed.frames:
            if type_ == f.INDEX:
                return
            if type_ == f.DIGESTS:
                continue  # a new copy has its own
            if type_ != f.BLOCK:
                yield type_, event, data[start:end]
                seed = parsed.crc
                continue
            inner = _unpacked(data[start:end])
            if inner is None:
                yield Hole(offset + start - f.HEAD.size, end - start + f.HEAD.size, "a BLOCK that can't be unpacked")
                seed = None
            else:
                yield from _walk(inner, 0, parsed.crc, offset + start)
                seed = _last(inner)


@dataclass(frozen=True, slots=True)
class _Behind:
    """Where a damaged stretch ends.

    Attributes:
        at: of the next frame that can be vouched for. seed: what its crc continues from; None: not known yet.
        frames: those before `at` that can be vouched for: of a BLOCK, all but the first.
    """

    at: int
    seed: int | None
    frames: Sequence[Record] = ()


def _resume(data: bytes, at: int) -> _Behind:
    """The search reads up to 32 times what there is: bytes that were made to look like heads don't hold it up."""
    budget = 32 * len(data)
    for found in _PLAUSIBLE.finditer(data, at + 4):
        start = found.start() - 4
        body = start + f.HEAD.size
        if budget < 0 or body > len(data):
            break
        crc, length, type_, _ = f.HEAD.unpack_from(data, start)
        end = body + length
        if end > len(data):
            continue
        if type_ == f.BLOCK:
            inner = _unpacked(data[body:end])
            budget -= length + len(inner or b"")
            records = None if inner is None else _linked(inner)
            if inner is not None and records is not None:
                return _Behind(end, _last(inner), records)
        elif f.parse(data, crc, end, limit=1).frames:
            return _Behind(end, crc)
        else:
            budget -= min(f.whole_size(data, end), len(data) - end)
    return _Behind(len(data), None)


def _linked(data: bytes) -> list[Record] | None:
    """The frames but the first, of bytes that hold nothing but frames that fit together."""
    size = f.whole_size(data, 0)
    parsed = f.parse(data, int.from_bytes(data[:4], "big"), size)
    if parsed.end != len(data):
        return None
    return [(type_, event, data[start:end]) for type_, event, start, end in parsed.frames]


def _last(data: bytes) -> int | None:
    """The crc of the last frame; None where the bytes end within one."""
    at = 0
    while at + (size := f.whole_size(data, at)) < len(data):
        at += size
    return int.from_bytes(data[at : at + 4], "big") if at + size == len(data) else None


def _unpacked(payload: bytes) -> bytes | None:
    """The frames in a BLOCK; as much as comes out of one that is damaged. None: nothing does."""
    try:
        return unblock(payload)
    except CassetteDamaged:
        return _begun(payload) or None


def _begun(payload: bytes) -> bytes:
    import zstandard

    at = payload.find(zstandard.FRAME_HEADER)
    unpacker = zstandard.ZstdDecompressor(max_window_size=BLOCK_LIMIT).decompressobj()
    found = bytearray()
    try:
        for start in range(at, len(payload), _PIECE) if at >= 0 else ():
            found += unpacker.decompress(payload[start : start + _PIECE])
            if len(found) > BLOCK_LIMIT:
                break
    except zstandard.ZstdError:
        pass
    return bytes(found)


def mended(found: Iterable[Found]) -> Iterator[Record]:
    """Frames that a cassette can have: an event for each number, `gap` where it is lost. Holes are left out.

    Also lost is an event that was stored as a difference to a lost one, and what comes later of a lost one. Frames
    whose payload makes no sense are left out, and events beyond a stretch of `MOST_LOST`.
    """
    due = 0
    lost: set[int] = set()
    for each in found:
        if isinstance(each, Hole) or not sound(*each):
            continue
        type_, event, payload = each
        if type_ in (f.CALL, f.EVENT):
            if not due <= event <= due + MOST_LOST:
                continue
            for number in range(due, event):
                lost.add(number)
                yield _gap(number, "lost in the damaged part of the file")
            due = event + 1
            base = _base(type_, payload)
            if base is not None and (base in lost or base >= event):
                lost.add(event)
                yield _gap(event, f"stored as a difference to event {base}, which is lost")
                continue
        elif type_ in f.LATER and (event >= due or event in lost or _base(type_, payload) in lost):
            continue
        yield each


def sound(type_: int, _event: int, payload: bytes) -> bool:
    """Whether the payload is what its type says, as far as a writer has to know."""
    tables = Tables({}, {}, [])
    adds: dict[int, Callable[..., None]] = {
        f.LANE: tables.add_lane, f.SITE: tables.add_site, f.BLIND: tables.add_blind
    }  # fmt: skip
    try:
        if type_ in adds:
            adds[type_](*unpack(payload))
        elif type_ in _READ:
            _READ[type_](payload)
    except (CassetteDamaged, ValueError, TypeError):
        return False
    return True


_READ: Final[dict[int, Callable[[bytes], object]]] = {
    f.CALL: records.call, f.EVENT: records.whole, f.RETURN: records.ret, f.CHUNK: records.chunk,
    f.CONTENT: records.content, f.END: unpack,
}  # fmt: skip


def is_lost(type_: int, payload: bytes) -> bool:
    """Whether a frame of `mended` is an event that is lost."""
    return layout.is_gap(type_, payload) and unpack(payload)[2] == "lost"


def _base(type_: int, payload: bytes) -> int | None:
    """The event that a frame's body is a difference to."""
    if type_ in (f.RETURN, f.CHUNK):
        return None
    body = records.content(payload) if type_ == f.CONTENT else _call(type_, payload).body
    return body.base if isinstance(body, Delta) else None


def _call(type_: int, payload: bytes) -> records.Call | records.Whole:
    return records.whole(payload) if type_ == f.EVENT else records.call(payload)


def _gap(event: int, reason: str) -> Record:
    request = {"kind": "unknown", "reason": reason}
    return f.EVENT, event, pack([0, "gap", "lost", "read", 0, None, request, None, None, 0, 0, None])
