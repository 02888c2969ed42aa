"""The footer of a sealed cassette: where the segments lie, and the tables a reader needs before it reads any of
them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast
from zlib import crc32

from replay.cassette import frame as f
from replay.cassette._msgpack import BAD_INPUT, plain, unplain
from replay.model.event import Site


class Segment(NamedTuple):
    """A run of whole frames in the unpacked file.

    Attributes:
        offset: where it begins, in the unpacked file.
        seed: crc of the frame before it.
        first: id of the first event that begins in it, or behind it.
    """

    offset: int
    seed: int
    first: int


class Stored(NamedTuple):
    """Where a segment lies in the file on the disk: `packed` as a BLOCK frame of `size` bytes, or as it was."""

    offset: int
    size: int
    packed: bool


Sites = Sequence[tuple[int, str, int, str]]
Blind = Sequence[tuple[str, str, "int | None", int]]


@dataclass(slots=True)
class Footer:
    """What INDEX holds.

    Attributes:
        segments: in order, without a hole. stored: where each of them lies; same length.
        size: bytes of the unpacked file. events: how many.
        strays: event -> segments with frames of it other than the one it began in.
        gaps: ids of events of kind `gap`.
        digests: where the DIGESTS frame is, and its bytes; None where there is none.
        signatures: as they stand there, trusted by nobody (`replay.cassette.signing`).
    """

    segments: list[Segment]
    size: int
    events: int
    strays: dict[int, list[int]]
    lanes: Sequence[tuple[int, str]]
    sites: Sites
    blind: Blind
    gaps: Sequence[int]
    stored: list[Stored] = field(default_factory=list[Stored])
    signatures: list[Any] = field(default_factory=list[Any])
    digests: tuple[int, int] | None = None

    def pack(self) -> bytes:
        """The payload of the INDEX frame."""
        numbers: list[int] = []
        for segment, stored in zip(self.segments, self.stored, strict=True):
            numbers += (*segment, stored.offset, stored.size, int(stored.packed))
        tables = plain([self.lanes, self.sites, self.blind])
        payload: dict[str, Any] = {
            "segments": numbers,
            "size": self.size,
            "events": self.events,
            "strays": self.strays,
            "gaps": self.gaps,
            "tables": tables,
        }
        if self.signatures:
            payload["signatures"] = self.signatures
        if self.digests is not None:
            payload["digests"] = self.digests
        return plain(payload)


@dataclass(slots=True)
class Tables:
    """Lanes, sites and blind spots, as announced."""

    lanes: dict[int, str]
    sites: dict[int, Site]
    blind: list[tuple[str, str, int | None, int]]

    def add_lane(self, number: object, path: object) -> None:
        """From a LANE frame. This and the others raise ValueError for values of other types."""
        if type(number) is not int or type(path) is not str:
            raise ValueError("a lane of another shape")
        self.lanes[number] = path

    def add_site(self, number: object, file: object, line: object, function: object) -> None:
        """From a SITE frame."""
        if type(number) is not int or type(file) is not str or type(line) is not int or type(function) is not str:
            raise ValueError("a site of another shape")
        self.sites[number] = Site(file, line, function)

    def add_blind(self, what: object, detail: object, site: object, count: object) -> None:
        """From a BLIND frame."""
        if type(what) is not str or type(detail) is not str or type(count) is not int:
            raise ValueError("a blind spot of another shape")
        if site is not None and type(site) is not int:
            raise ValueError("a blind spot at no site")
        self.blind.append((what, detail, site, count))


def unpack(payload: bytes) -> tuple[Footer, bytes]:
    """The footer without its tables, and their bytes for `unpack_tables` (most readers of one event need few of them).

    Raises:
        ValueError: not such a footer.
    """
    try:
        raw: Any = unplain(payload, int_keys=True)
        numbers = cast("list[int]", raw["segments"])
        if not all(type(n) is int and n >= 0 for n in numbers) or len(numbers) % 6 or not numbers:
            raise ValueError("segments that are none")
        if not 0 <= int(raw["events"]) < f.NO_EVENT:
            raise ValueError("as many events as there can't be")
        rows = list(zip(*[iter(numbers)] * 6, strict=True))
        footer = Footer(
            segments=[Segment(*row[:3]) for row in rows],
            size=int(raw["size"]),
            events=int(raw["events"]),
            strays={int(k): [int(n) for n in v] for k, v in raw["strays"].items()},
            lanes=(),
            sites=(),
            blind=(),
            gaps=[int(n) for n in raw["gaps"]],
            stored=[Stored(row[3], row[4], bool(row[5])) for row in rows],
            signatures=list(raw.get("signatures", ())),
            digests=_place(raw.get("digests")),
        )
        return footer, bytes(raw["tables"])
    except BAD_INPUT as error:
        raise ValueError(f"not a footer: {error}") from None


def _place(found: Any) -> tuple[int, int] | None:
    if found is None:
        return None
    offset, size = found
    if type(offset) is not int or type(size) is not int or min(offset, size) < 0:
        raise ValueError("digests that are nowhere")
    return offset, size


def unpack_tables(data: bytes) -> Tables:
    """Lanes, sites and blind spots of a sealed cassette. Raises ValueError."""
    tables = Tables({}, {}, [])
    try:
        lanes, sites, blind = unplain(data)
        for lane in lanes:
            tables.add_lane(*lane)
        for site in sites:
            tables.add_site(*site)
        for spot in blind:
            tables.add_blind(*spot)
    except BAD_INPUT as error:
        raise ValueError(f"the footer's tables: {error}") from None
    return tables


def trailer(index_at: int, seed: int) -> bytes:
    """The last 24 bytes of a sealed cassette: where the INDEX frame is, and the seed of its crc."""
    start = f.TRAILER.pack(index_at, seed, 0, b"")[:12]
    return f.TRAILER.pack(index_at, seed, crc32(start), f.TRAILER_MARK)


def find(data: bytes) -> tuple[int, int] | None:
    """(offset of INDEX, seed) if `data`, the last 24 bytes of a file, is a trailer."""
    if len(data) != f.TRAILER.size:
        return None
    index_at, seed, crc, mark = f.TRAILER.unpack(data)
    return (index_at, seed) if mark == f.TRAILER_MARK and crc == crc32(data[:12]) else None
