"""Sealing: the same frames, packed in blocks, with a footer that makes any event readable at once.

The checksums and the sha256 chain run over the frames as they were recorded, so sealing changes neither. BLOCK and
INDEX are envelopes: their own crc is seeded with that of the last frame before them and seeds nothing.

A packed file is a new one in the place of the old. Where packing isn't worth that, the file only gets the footer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from replay.cassette import frame as f
from replay.cassette._msgpack import plain
from replay.cassette.disk import Ending
from replay.cassette.footer import Footer, Segment, Stored, trailer
from replay.model.errors import CassetteMissing

if TYPE_CHECKING:
    from replay.cassette.signing import Marks

Sign: TypeAlias = "Callable[[Marks], dict[str, Any]]"
"""Makes an entry of the footer's `signatures`."""

PACK_FROM: Final = 16 << 10
"""A smaller file is sealed by a footer alone where that is to be quick: packing a server's request of 12 KB saves 4 of
them, and takes a file, a sync and half a millisecond. Its digests are made when somebody compares it."""

PACK_UP_TO: Final = 64 << 20
"""A bigger file is sealed by a footer alone: packing it would hold up the program's exit (3 ms per MB)."""

BLOCK_UP_TO: Final = 16 << 20
"""A bigger segment (one huge frame) stays as it is, so that a reader never unpacks more than this at once."""

LEVEL: Final = 3

PART: Final = 16 << 10
"""What stands before a damaged place can be unpacked up to a border of these; a cassette gets no larger by them."""


def seal(
    disk: Ending, path: str, footer: Footer, crc: int, sign: Sign | None = None, *, quick: bool = False
) -> str | None:
    """Seals the cassette on `disk`; fills in `footer.stored`, and `footer.signatures` where it is to be signed.

    Args:
        quick: the program that was recorded goes on, and pays for it.

    Returns: why it has no digests, where they couldn't be made, which is a bug; else None.

    Raises:
        CassetteMissing: `path` is another file by now; nothing was done.
        OSError: the unsealed file is untouched.
    """
    if sign is not None:
        footer.signatures.append(sign(_marks(disk, footer)))
    pack = (PACK_FROM if quick else 0) <= footer.size <= PACK_UP_TO
    if not pack and disk.append(_in_place(footer, crc), footer.size):
        return None
    if not disk.is_at(path):
        raise CassetteMissing(f"{path} isn't the file that was recorded any more", hint="it was moved while recording")
    making = _Making(footer)
    disk.replace(path, _sealed(disk, footer, crc, making, pack=pack))
    return making.failed


def _segments(disk: Ending, footer: Footer) -> Iterator[tuple[Segment, bytes]]:
    ends = [s.offset for s in footer.segments[1:]] + [footer.size]
    for segment, end in zip(footer.segments, ends, strict=True):
        yield segment, disk.read(segment.offset, end - segment.offset)


def _marks(disk: Ending, footer: Footer) -> Marks:
    """What a signature is about."""
    from replay.cassette.signing import Marks

    marks = Marks()
    for segment, raw in _segments(disk, footer):
        marks.add(raw, f.parse(raw, segment.seed).frames)
    return marks


def _sealed(disk: Ending, footer: Footer, crc: int, making: _Making, *, pack: bool) -> Iterator[bytes]:
    """The whole sealed file, piece by piece."""
    yield f.PREAMBLE
    at = len(f.PREAMBLE)
    footer.stored.clear()
    last = len(footer.segments) - 1
    for number, (segment, raw) in enumerate(_segments(disk, footer)):
        making.add(raw, segment.seed)
        packed = pack and 0 < number < last and len(raw) <= BLOCK_UP_TO  # HEADER and END are read without unpacking
        if packed:
            payload = plain([len(raw), segment.first, compressed(raw)])
            raw, _ = f.encode(f.BLOCK, f.NO_EVENT, payload, segment.seed)
        footer.stored.append(Stored(at, len(raw), packed))
        yield raw
        at += len(raw)
    digests = making.done()
    if digests is not None:
        raw, _ = f.encode(f.DIGESTS, f.NO_EVENT, plain([len(digests), 0, compressed(digests)]), crc)
        footer.digests = at, len(raw)
        yield raw
        at += len(raw)
    yield _footer(footer, crc, at)


def compressed(raw: bytes) -> bytes:
    """One zstd frame, in whose blocks not more than `PART` bytes each are lost by one that is damaged."""
    from zstandard import COMPRESSOBJ_FLUSH_BLOCK, ZstdCompressor  # a process that doesn't seal never loads it

    stream = ZstdCompressor(level=LEVEL).compressobj(size=len(raw))
    parts: list[bytes] = []
    for at in range(0, len(raw), PART):
        parts.append(stream.compress(raw[at : at + PART]))
        if at + PART < len(raw):
            parts.append(stream.flush(COMPRESSOBJ_FLUSH_BLOCK))
    return b"".join([*parts, stream.flush()])


class _Making:
    """Digests of a recording that isn't too large for them. That they can't be made is no reason not to seal.

    Attributes:
        failed: what went wrong.
    """

    def __init__(self, footer: Footer) -> None:
        from replay.cassette import digests  # a process that doesn't seal never loads it

        self.failed: str | None = None
        wanted = footer.size <= digests.UP_TO and footer.events <= digests.UP_TO_EVENTS
        self._making = digests.Making() if wanted else None

    def add(self, raw: bytes, seed: int) -> None:
        if self._making is None:
            return
        try:
            for type_, event, start, end in f.parse(raw, seed).frames:
                self._making.add(type_, event, raw[start:end])
        except Exception as error:
            self._fail(error)

    def done(self) -> bytes | None:
        try:
            return None if self._making is None else self._making.done().pack()
        except Exception as error:
            self._fail(error)
            return None

    def _fail(self, error: Exception) -> None:
        self._making = None
        self.failed = f"{type(error).__name__}: {error}"


def _in_place(footer: Footer, crc: int) -> bytes:
    """What seals a file whose segments stay as they are."""
    ends = [s.offset for s in footer.segments[1:]] + [footer.size]
    footer.stored += (Stored(s.offset, end - s.offset, False) for s, end in zip(footer.segments, ends, strict=True))
    return _footer(footer, crc, footer.size)


def _footer(footer: Footer, crc: int, at: int) -> bytes:
    index, _ = f.encode(f.INDEX, f.NO_EVENT, footer.pack(), crc)
    return index + trailer(at, crc)
