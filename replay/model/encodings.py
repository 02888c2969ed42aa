"""Content decoding: gzip, deflate, and br / zstd where a library is installed. Bounded, so that a bomb stays small.

`LIMIT` bounds what a body may decode to, per encoding applied; what came up to there is kept, with a warning. Damaged
and cut bodies give what could be decoded, with a warning. Nothing raises.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any

LIMIT = 64 * 1024 * 1024
"""Bytes that one body may decode to. Context windows of 2026 are below 10 MB of text."""

_ALIASES = {"x-gzip": "gzip", "x-deflate": "deflate"}


def decode(body: bytes, encoding: str, limit: int = LIMIT) -> tuple[bytes, list[str]]:
    """The body without its content-encoding(s), and warnings.

    Args:
        body: as it came off the wire, after transfer-decoding.
        encoding: the `content-encoding` header, such as `gzip` or `gzip, br`; empty for none.
        limit: bytes at which decoding stops.

    Example:
        >>> import gzip
        >>> decode(gzip.compress(b"hello"), "gzip")
        (b'hello', [])
        >>> decode(b"hello", "rot13")
        (b'hello', ['no decoder for content-encoding rot13'])
    """
    warnings: list[str] = []
    if not encoding:
        return body, warnings
    names = [name.strip().lower() for name in encoding.split(",")]
    for name in reversed([_ALIASES.get(name, name) for name in names if name not in ("", "identity")]):
        decoder = _DECODERS.get(name)
        if decoder is None:
            warnings.append(f"no decoder for content-encoding {name}")
            break
        if not body:
            break  # HEAD, 204, or a stream that never began
        body, problem = decoder(body, limit)
        if problem:
            warnings.append(f"{name}: {problem}")
    return body, warnings


_CUT = "the body is cut"
_DAMAGED = "the body is damaged, or isn't encoded at all"


def _too_big(limit: int) -> str:
    return f"decodes to more than {limit} bytes; the rest is left out"


def _gzip(body: bytes, limit: int) -> tuple[bytes, str]:
    out = bytearray()
    while body:  # a gzip file may have several members
        stream = zlib.decompressobj(31)
        try:
            out += stream.decompress(body, limit - len(out) + 1)
        except zlib.error:
            return (bytes(out), _DAMAGED) if out else (body, _DAMAGED)
        if len(out) > limit:
            return bytes(out[:limit]), _too_big(limit)
        if not stream.eof:
            return bytes(out), _CUT
        body = stream.unused_data.lstrip(b"\0")  # padding between members is allowed
    return bytes(out), ""


def _deflate(body: bytes, limit: int) -> tuple[bytes, str]:
    for window in (15, -15):  # the standard says zlib; some servers send the raw stream
        stream = zlib.decompressobj(window)
        try:
            out = stream.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(out) > limit:
            return out[:limit], _too_big(limit)
        return out, "" if stream.eof else _CUT
    return body, _DAMAGED


def _library(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def _br(body: bytes, limit: int) -> tuple[bytes, str]:
    library = _library("brotli", "brotlicffi")
    if library is None:
        return body, "no decoder installed (pip install brotli)"
    stream = library.Decompressor()
    out = bytearray()
    try:
        chunk = stream.process(body, output_buffer_limit=65536)
        while chunk:
            out += chunk
            if len(out) > limit:
                return bytes(out[:limit]), _too_big(limit)
            chunk = stream.process(b"", output_buffer_limit=65536)
    except TypeError:  # releases before 1.2 can't be bounded
        return body, "the installed brotli can't bound its output (1.2 or later can)"
    except library.error:
        return (bytes(out), _DAMAGED) if out else (body, _DAMAGED)
    return bytes(out), "" if stream.is_finished() else _CUT


def _zstd(body: bytes, limit: int) -> tuple[bytes, str]:
    library = _library("zstandard")
    if library is None:
        return body, "no decoder installed (pip install zstandard)"
    out = bytearray()
    try:
        with library.ZstdDecompressor(max_window_size=2**27).stream_reader(body, read_across_frames=True) as reader:
            while chunk := reader.read(65536):
                out += chunk
                if len(out) > limit:
                    return bytes(out[:limit]), _too_big(limit)
    except library.ZstdError:
        return (bytes(out), _DAMAGED) if out else (body, _DAMAGED)
    return bytes(out), ""


_DECODERS: dict[str, Callable[[bytes, int], tuple[bytes, str]]] = {
    "gzip": _gzip,
    "deflate": _deflate,
    "br": _br,
    "zstd": _zstd,
}
