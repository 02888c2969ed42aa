"""How a cassette lies on the disk: from its footer, or from a scan where it has none that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from replay.cassette import footer as foot
from replay.cassette import frame as f
from replay.cassette.codec import unpack
from replay.cassette.footer import Footer, Tables
from replay.cassette.scan import Damage, Scan, check_preamble, salvaged, unblock
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged

if TYPE_CHECKING:
    from replay.cassette.digests import Digests

State: TypeAlias = Literal["sealed", "open", "torn"]

Record: TypeAlias = tuple[int, int, bytes]
"""(type, event, payload) of a frame. `replay.cassette.frame` has the types, `records` decodes the payloads."""

_START = 4096  # holds most headers


@dataclass(slots=True)
class Layout:
    """What is known of a cassette once it is open.

    Attributes:
        tables: None while they are still packed, in `packed_tables`.
        outcome: payload of END, as far as it is known without reading further.
        index_at: offset of the INDEX frame, or where the readable part ends. seed: of its crc.
    """

    status: State
    footer: Footer
    index_at: int
    seed: int = 0
    tables: Tables | None = None
    packed_tables: bytes = b""
    outcome: bytes | None = None
    damage: Damage | None = None


def header(source: ByteSource) -> dict[str, Any]:
    """The map of the HEADER frame.

    Raises:
        CassetteEmpty, CassetteForeign, CassetteNewer, CassetteDamaged.
    """
    start = len(f.PREAMBLE)
    data = source.read_at(0, _START)
    check_preamble(data[:start], source.name)
    size = f.whole_size(data, start)
    if len(data) < start + size <= source.size:
        data = source.read_at(0, start + size)
    parsed = f.parse(data, 0, start, limit=1)
    if not parsed.frames:
        what = parsed.problem or "it was cut"
        raise CassetteDamaged(f"{source.name}: its header can't be read: {what}", offset=start, good_events=0)
    type_, _, begin, end = parsed.frames[0]
    found: Any = unpack(data[begin:end]) if type_ == f.HEADER else None
    if type(found) is not dict:
        raise CassetteDamaged(f"{source.name} doesn't begin with a header", offset=start, good_events=0)
    return found  # pyright: ignore[reportUnknownVariableType]


def of(source: ByteSource) -> Layout:
    """The layout of a cassette whose header is right."""
    return _sealed(source) or _scanned(source)


def _sealed(source: ByteSource) -> Layout | None:
    """From the footer; None if there is none, or one that isn't right."""
    end = source.size - f.TRAILER.size
    found = foot.find(source.read_at(max(end, 0), f.TRAILER.size))
    if found is None or found[0] >= end:
        return None
    index_at, seed = found
    data = source.read_at(index_at, end - index_at)
    frames = f.parse(data, seed).frames
    if len(frames) != 1 or frames[0][0] != f.INDEX or frames[0][3] != len(data):
        return None
    try:
        footer, tables = foot.unpack(data[frames[0][2] :])
    except ValueError:
        return None
    return Layout("sealed", footer, index_at, seed, packed_tables=tables)


def _scanned(source: ByteSource) -> Layout:
    scan = Scan(source)
    for _ in scan.runs():
        pass
    damage = scan.damage
    if damage is None and scan.index_at is not None:
        damage = Damage(scan.index_end, "the footer was altered or cut", scan.footer.events)
    return Layout(
        status="open" if damage is None else "torn",
        footer=scan.footer,
        index_at=source.size if damage is None else damage.offset,
        tables=scan.tables,
        outcome=scan.outcome,
        damage=damage,
    )


class Unpacked(NamedTuple):
    """One segment: its frames, where their payloads lie in `data`, and why there are no more."""

    data: bytes
    frames: list[f.Frame]
    damage: CassetteDamaged | None

    def record(self, frame: f.Frame) -> Record:
        """A frame with its payload."""
        type_, event, start, end = frame
        return type_, event, self.data[start:end]


class Packed(NamedTuple):
    """The bytes of one segment, not looked into.

    Attributes:
        sealed: it was a BLOCK with a right checksum. problem: what is wrong with one.
    """

    data: bytes
    sealed: bool
    problem: str | None


def unpacked(source: ByteSource, footer: Footer, number: int) -> Packed:
    """The bytes of one segment; as many as can be unpacked."""
    stored = footer.stored[number]
    data = source.read_at(stored.offset, stored.size)
    if not stored.packed:
        return Packed(data, False, None)
    envelope = f.parse(data, footer.segments[number].seed).frames
    if len(envelope) != 1 or envelope[0][0] != f.BLOCK or envelope[0][3] != len(data):
        return Packed(salvaged(data), False, "a BLOCK was altered or cut")
    try:
        return Packed(unblock(data[envelope[0][2] :]), True, None)
    except CassetteDamaged as error:
        return Packed(salvaged(data), False, error.what)


def segment(source: ByteSource, footer: Footer, number: int) -> Unpacked:
    """One segment, checksums verified, as far as it can be read."""
    return checked(unpacked(source, footer, number), source, footer, number)


def checked(found: Packed, source: ByteSource, footer: Footer, number: int) -> Unpacked:
    """Its frames, checksums verified, as far as they are right."""
    data, _, problem = found
    begin, stored = footer.segments[number], footer.stored[number]
    parsed = f.parse(data, begin.seed)
    if parsed.end != len(data) or not data:
        problem = problem or parsed.problem or "cut"
    if problem is None:
        return Unpacked(data, parsed.frames, None)
    good = begin.first + sum(frame[0] in (f.CALL, f.EVENT) for frame in parsed.frames)
    offset = stored.offset + (0 if stored.packed else parsed.end)
    what = f"{source.name}: {problem} at byte {offset}"
    return Unpacked(data, parsed.frames, CassetteDamaged(what, offset=offset, good_events=good))


def digests(source: ByteSource, found: Layout) -> Digests | None:
    """What was stored of a sealed cassette; None where there is nothing that can be used."""
    from replay.cassette.digests import Digests  # as in `Reader.digests`

    if found.footer.digests is None:
        return None
    offset, size = found.footer.digests
    data = source.read_at(offset, size) if offset + size <= found.index_at else b""
    frames = f.parse(data, found.seed).frames
    if len(frames) != 1 or frames[0][0] != f.DIGESTS or frames[0][3] != len(data):
        return None
    try:
        return Digests.unpack(unblock(data[frames[0][2] :]), found.footer.events)
    except CassetteDamaged:
        return None


def is_gap(type_: int, payload: bytes) -> bool:
    """Whether a frame begins an event of kind `gap`; most can be told without decoding."""
    return type_ in (f.CALL, f.EVENT) and b"\xa3gap" in payload and unpack(payload)[1] == "gap"
