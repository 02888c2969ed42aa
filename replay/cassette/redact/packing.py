"""Content encodings piece by piece: unpacked as they come, and packed again so that what came before stays valid.

`unpacker` and `packer` know gzip, deflate, br and zstd. The libraries of the last two are the program's own: where it
hasn't imported one, it can't read such a body either, and nothing is imported in the middle of a recording.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol

_TOO_MUCH: Final = "it unpacks to too much"
_SLICE: Final = 256
"""Bytes given to zstd at a time, which knows no bound: they unpack to 8 MB at most."""

_FLUSHED: Final = b"\0\0\xff\xff"
_STORED: Final = b"\0\0\0\xff\xff"
"""A block of deflate with nothing in it, at the border of a byte."""

_SKIPPED: Final = b"\x50\x2a\x4d\x18\0\0\0\0"
"""A frame of zstd that says nothing."""

_NAMED: Final = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"
_PLAIN: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_ZLIB: Final = b"\x78\x9c"
_BOUNDED: Final = "output_buffer_limit"


class Unreadable(Exception):
    """These bytes can't be unpacked: the reason."""


class Unpacker(Protocol):
    """One packed text.

    Attributes:
        ended: it is whole; what comes next begins another one. raw: deflate without the frame that it should have.
    """

    ended: bool
    raw: bool

    def feed(self, data: bytes, most: int) -> bytes:
        """What `data` unpacks to.

        Raises:
            Unreadable: it isn't packed like that, or unpacks to more than `most` bytes.
        """
        ...


class Packer(Protocol):
    """Packs a text in pieces, each of which can be unpacked when it is there."""

    def piece(self, text: bytes, *, last: bool) -> bytes:
        """Never empty, so that it can be a chunk."""
        ...


class Before(NamedTuple):
    """A text that was packed already: what its trailer has to say."""

    crc: int = 0
    adler: int = 1
    size: int = 0

    def and_(self, text: bytes) -> Before:
        """With a text behind it."""
        return Before(zlib.crc32(text, self.crc), zlib.adler32(text, self.adler), self.size + len(text))

    def trailer(self, *, gzip: bool) -> bytes:
        """What ends it."""
        if gzip:
            return self.crc.to_bytes(4, "little") + (self.size & 0xFFFFFFFF).to_bytes(4, "little")
        return self.adler.to_bytes(4, "big")


NOTHING: Final = Before()


def known(name: str) -> bool:
    """Whether such a body can be searched here."""
    return name in ("gzip", "deflate") or _library(name) is not None


def unpacker(name: str) -> Unpacker:
    """For a content-encoding that is `known`.

    Example:
        >>> import gzip
        >>> unpacker("gzip").feed(gzip.compress(b"hello"), 100)
        b'hello'
    """
    if name == "gzip":
        return _Inflate((31,))
    if name == "deflate":
        return _Inflate((15, -15))
    return _Brotli(_library(name)) if name == "br" else _Zstd(_library(name))


def packer(name: str, *, raw: bool = False, after: Before | None = None) -> Packer:
    """For a content-encoding that is `known`.

    Args:
        raw: deflate without its frame.
        after: the text that was packed before by somebody else, up to a place where deflate is `flushed`.
    """
    if name in ("gzip", "deflate"):
        return _Deflate(name == "gzip", raw, after)
    return _Flushing(_library(name), name)


def flushed(name: str, packed: bytes) -> bool:
    """Whether another packer can go on behind these bytes."""
    return name in ("gzip", "deflate") and packed.endswith(_FLUSHED)


def exactly(name: str, text: bytes, size: int, *, raw: bool = False) -> bytes | None:
    """The text packed into so many bytes, for a length that was said before; None where it can't be done.

    Example:
        >>> import gzip
        >>> packed = exactly("gzip", b"hello", 100)
        >>> len(packed), gzip.decompress(packed)
        (100, b'hello')
    """
    for packed in _EXACTLY[name](text, size, raw):
        if packed is not None and len(packed) == size:
            return packed
    return None


def _gzips(text: bytes, size: int, raw: bool) -> Iterator[bytes | None]:
    for level in range(9, 0, -1):
        body = _deflated(text, level) + NOTHING.and_(text).trailer(gzip=True)
        missing = size - len(_PLAIN) - len(body)  # which the name of a file fills
        yield _PLAIN + body if missing == 0 else _NAMED + b"x" * (missing - 1) + b"\0" + body if missing > 0 else None


def _deflates(text: bytes, size: int, raw: bool) -> Iterator[bytes | None]:
    head, tail = (b"", b"") if raw else (_ZLIB, NOTHING.and_(text).trailer(gzip=False))
    for level in range(9, 0, -1):
        body = _deflated(text, level)
        missing = size - len(head) - len(body) - len(tail)
        # empty blocks: a stored one has 5 bytes, one of fixed codes and a stored one behind it have 6
        long = missing % 5
        short = (missing - 6 * long) // 5
        yield head + _STORED * short + b"\x02\0\0\0\xff\xff" * long + body + tail if missing >= 0 <= short else None


def _brotlis(text: bytes, size: int, raw: bool) -> Iterator[bytes | None]:
    library = _library("br")
    for quality in (5, 11):
        stream = library.Compressor(quality=quality)
        body = stream.process(text) + stream.flush()
        yield body + b"\x06" * (size - len(body) - 1) + b"\x03"


def _zstds(text: bytes, size: int, raw: bool) -> Iterator[bytes | None]:
    library = _library("zstd")
    for level in (19, 12, 6, 3, 1):
        for checked in (False, True):
            pack = library.ZstdCompressor(level=level, write_checksum=checked, write_content_size=False)
            body = pack.compress(text)
            missing = size - len(body)
            empty = b"\0\0\0" * (missing // 3)  # blocks with nothing in them, behind the frame's head
            yield body[:6] + empty + body[6:] if missing >= 0 and missing % 3 == 0 else None


_EXACTLY: Final[dict[str, Callable[[bytes, int, bool], Iterator[bytes | None]]]] = {
    "gzip": _gzips,
    "deflate": _deflates,
    "br": _brotlis,
    "zstd": _zstds,
}


def _library(name: str) -> Any:
    return sys.modules.get({"br": "brotli", "zstd": "zstandard"}.get(name, ""))


def _deflated(text: bytes, level: int) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    return stream.compress(text) + stream.flush()


class _Inflate:
    def __init__(self, windows: tuple[int, ...]) -> None:
        self._windows = windows
        self._stream = zlib.decompressobj(windows[0])
        self._first = b""
        self.ended = self.raw = False

    def feed(self, data: bytes, most: int) -> bytes:
        try:
            out = self._stream.decompress(data, most + 1)
        except zlib.error as error:
            if len(self._windows) < 2 or len(self._first) > 1:
                raise Unreadable(str(error)) from None
            self._windows, self.raw = self._windows[1:], True
            self._stream = zlib.decompressobj(self._windows[0])
            return self.feed(self._first + data, most)
        self._first += data[:2]
        if len(out) > most:
            raise Unreadable(_TOO_MUCH)
        self.ended = self._stream.eof
        rest = self._stream.unused_data.lstrip(b"\0")  # padding is allowed
        if rest:
            self._stream, self._first = zlib.decompressobj(self._windows[0]), b""
            out += self.feed(rest, most - len(out))
        return out


class _Brotli:
    raw = False

    def __init__(self, library: Any) -> None:
        self._library = library
        self._stream = library.Decompressor()
        self.ended = False

    def feed(self, data: bytes, most: int) -> bytes:
        out = bytearray()
        try:
            part = self._stream.process(data, output_buffer_limit=65536)
            while part:
                out += part
                if len(out) > most:
                    raise Unreadable(_TOO_MUCH)
                part = self._stream.process(b"", output_buffer_limit=65536)
        except TypeError:
            raise Unreadable("the installed brotli can't bound its output (1.2 or later can)") from None
        except self._library.error as error:
            raise Unreadable(str(error)) from None
        self.ended = self._stream.is_finished()
        return bytes(out)


class _Zstd:
    raw = False

    def __init__(self, library: Any) -> None:
        self._library = library
        self._stream = self._new()
        self.ended = False

    def _new(self) -> Any:
        return self._library.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def feed(self, data: bytes, most: int) -> bytes:
        out = bytearray()
        try:
            for at in range(0, len(data), _SLICE):
                part = data[at : at + _SLICE]
                while part:
                    if self._stream.eof:
                        self._stream = self._new()
                    out += self._stream.decompress(part)
                    part = self._stream.unused_data if self._stream.eof else b""
                if len(out) > most:
                    raise Unreadable(_TOO_MUCH)
        except self._library.ZstdError as error:
            raise Unreadable(str(error)) from None
        self.ended = self._stream.eof
        return bytes(out)


class _Deflate:
    def __init__(self, gzip: bool, raw: bool, after: Before | None) -> None:
        self._stream = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._gzip = gzip
        self._head = b"" if raw or after is not None else _PLAIN if gzip else _ZLIB
        self._framed = not raw
        self._before = after or NOTHING

    def piece(self, text: bytes, *, last: bool) -> bytes:
        self._before = self._before.and_(text)
        out = self._head + self._stream.compress(text)
        out += self._stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        self._head = b""
        if last and self._framed:
            out += self._before.trailer(gzip=self._gzip)
        return out or _STORED


class _Flushing:
    """br and zstd: their libraries do it all, but for a piece of nothing."""

    def __init__(self, library: Any, name: str) -> None:
        self._library = library
        self._name = name
        self._stream = library.Compressor(quality=5) if name == "br" else library.ZstdCompressor().compressobj()
        self._begun = False

    def piece(self, text: bytes, *, last: bool) -> bytes:
        if self._name == "br":
            out = self._stream.process(text) + (self._stream.finish() if last else self._stream.flush())
            return out or b"\x06"
        block = self._library.COMPRESSOBJ_FLUSH_FINISH if last else self._library.COMPRESSOBJ_FLUSH_BLOCK
        out = self._stream.compress(text) + self._stream.flush(block)
        self._begun = self._begun or bool(out)
        return out or (b"\0\0\0" if self._begun else _SKIPPED)
