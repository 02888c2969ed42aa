"""Sealing: the same frames, packed in blocks, with a footer that makes any event readable at once.

The checksums and the sha256 chain run over the frames as they were recorded, so sealing changes neither. BLOCK and
INDEX are envelopes: their own crc is seeded with that of the last frame before them and seeds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from replay.cassette import frame as f
from replay.cassette._msgpack import plain
from replay.cassette.footer import Footer, Stored, trailer
from replay.model.errors import CassetteMissing

if TYPE_CHECKING:
    from replay.cassette.signing import Marks

Sign: TypeAlias = "Callable[[Marks], dict[str, Any]]"
"""Makes an entry of the footer's `signatures`."""

PACK_UP_TO: Final = 64 << 20
"""A bigger file is sealed by a footer alone: packing it would hold up the program's exit (3 ms per MB)."""

BLOCK_UP_TO: Final = 16 << 20
"""A bigger segment (one huge frame) stays as it is, so that a reader never unpacks more than this at once."""

LEVEL: Final = 3


def seal(fd: int, path: str, footer: Footer, crc: int, sign: Sign | None = None) -> int:
    """Seals the cassette open at `fd`; fills in `footer.stored`, and `footer.signatures` where it is to be signed.

    Returns:
        the descriptor of the sealed file: another one, if it was packed.

    Raises:
        CassetteMissing: `path` is another file by now; nothing was done.
        OSError: the unsealed file is untouched.
    """
    if sign is not None:
        footer.signatures.append(sign(_marks(fd, footer)))
    if footer.size > PACK_UP_TO:
        _append(fd, footer, crc)
        return fd
    mine = os.fstat(fd)
    if not os.path.exists(path) or not os.path.samestat(mine, os.stat(path)):
        raise CassetteMissing(f"{path} isn't the file that was recorded any more", hint="it was moved while recording")
    new = put_in_place(path, mine.st_mode, lambda new: write_all(new, _packed(fd, footer, crc)))
    os.close(fd)
    return new


def put_in_place(path: str, mode: int, write: Callable[[int], None]) -> int:
    """A file that `write` writes beside, in the place of the one at `path` in one step. Returns its descriptor.

    Raises:
        OSError: nothing has changed.
    """
    beside = f"{path}.sealing"
    if os.path.exists(beside):
        os.unlink(beside)  # of a process that died while it sealed
    new = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode & 0o777)
    try:
        write(new)
        os.fsync(new)  # a rename can reach the disk before the bytes do
        os.replace(beside, path)
    except BaseException:
        os.close(new)
        os.unlink(beside)
        raise
    return new


def _marks(fd: int, footer: Footer) -> Marks:
    """What a signature is about."""
    from replay.cassette.signing import Marks

    marks = Marks()
    ends = [s.offset for s in footer.segments[1:]] + [footer.size]
    for segment, end in zip(footer.segments, ends, strict=True):
        raw = read_all(fd, segment.offset, end - segment.offset)
        marks.add(raw, f.parse(raw, segment.seed).frames)
    return marks


def _packed(fd: int, footer: Footer, crc: int) -> bytes:
    """The whole sealed file."""
    from zstandard import ZstdCompressor  # a process that doesn't seal never loads it

    compress = ZstdCompressor(level=LEVEL, write_content_size=True).compress
    out = [f.PREAMBLE]
    at = len(f.PREAMBLE)
    ends = [s.offset for s in footer.segments[1:]] + [footer.size]
    last = len(ends) - 1
    for number, (segment, end) in enumerate(zip(footer.segments, ends, strict=True)):
        raw = read_all(fd, segment.offset, end - segment.offset)
        packed = 0 < number < last and len(raw) <= BLOCK_UP_TO  # HEADER and END can be read without unpacking
        if packed:
            payload = plain([len(raw), segment.first, compress(raw)])
            raw, _ = f.encode(f.BLOCK, f.NO_EVENT, payload, segment.seed)
        footer.stored.append(Stored(at, len(raw), packed))
        out.append(raw)
        at += len(raw)
    index, _ = f.encode(f.INDEX, f.NO_EVENT, footer.pack(), crc)
    out += (index, trailer(at, crc))
    return b"".join(out)


def _append(fd: int, footer: Footer, crc: int) -> None:
    ends = [s.offset for s in footer.segments[1:]] + [footer.size]
    footer.stored += (Stored(s.offset, end - s.offset, False) for s, end in zip(footer.segments, ends, strict=True))
    index, _ = f.encode(f.INDEX, f.NO_EVENT, footer.pack(), crc)
    try:
        write_all(fd, index + trailer(footer.size, crc))
    except OSError:
        os.ftruncate(fd, footer.size)
        raise


def write_all(fd: int, data: bytes) -> None:
    """Writes all of `data`, however often it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_all(fd: int, offset: int, count: int) -> bytes:
    """`count` bytes from `offset`.

    Raises:
        OSError: the file is shorter.
    """
    data = b""
    while len(data) < count:
        more = os.pread(fd, count - len(data), offset + len(data))
        if not more:
            raise OSError(5, "the file is shorter than what was written to it")
        data += more
    return data
