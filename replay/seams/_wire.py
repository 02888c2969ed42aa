"""HTTP/1 as bytes: requests that were written, responses as they are fed to a client's own parser. Pure functions and
parsers; they read nothing by themselves.

A response is parsed when it is recorded (so that every client's events look alike) and written again for the client,
the same way when recording and at replay: what the client sees can't differ between the two.
"""

from __future__ import annotations

import re
from http.client import IncompleteRead
from typing import NamedTuple

from replay.seams._http import Head, pairs, raw

PART = 1 << 24
"""A chunk larger than this is handed on in parts, so that memory stays bounded."""

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_NO_BODY = frozenset({204, 304})


class Request(NamedTuple):
    """A request as it was written."""

    method: str
    target: str
    version: str
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def waits(self) -> bool:
        """The client waits for `100 Continue` before it sends the body."""
        expect = next((value for name, value in self.headers if name.lower() == b"expect"), b"")
        return expect.lower() == b"100-continue" and not self.body


def parse_request(sent: bytes) -> Request:
    """The request in `sent`; its body without the framing of chunks.

    Example:
        >>> parse_request(b"GET /a HTTP/1.1\\r\\nHost: b\\r\\n\\r\\n").headers
        [(b'Host', b'b')]
    """
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, _, rest = first.decode("latin-1").partition(" ")
    target, _, version = rest.rpartition(" ")
    headers = _headers(lines)
    if any(name.lower() == b"transfer-encoding" and b"chunked" in value.lower() for name, value in headers):
        body = _unchunked(body)
    return Request(method, target, version, headers, body)


def _headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and headers:  # an old way of breaking long lines
            headers[-1] = (headers[-1][0], headers[-1][1] + b"\r\n" + line)
            continue
        name, _, value = line.partition(b":")
        headers.append((name, value.strip()))
    return headers


def _unchunked(body: bytes) -> bytes:
    out, buffer = bytearray(), bytearray(body)
    framing = Body({"status": 200, "headers": [["transfer-encoding", "chunked"]]}, "")
    try:
        while True:
            piece = framing.take(buffer, ended=True)
            out += piece or b""
    except (StopIteration, IncompleteRead):
        return bytes(out)


def end_of_head(buffer: bytes | bytearray) -> int:
    """Where the body begins in `buffer`; 0 while the head isn't whole."""
    found = _END_OF_HEAD.search(buffer)
    return found.end() if found else 0


def parse_head(data: bytes) -> Head:
    """A response's head; `raw` holds what isn't one, for the client to complain about."""
    first, *lines = data.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    version, _, rest = first.decode("latin-1").partition(" ")
    status, _, reason = rest.strip().partition(" ")
    if not version.startswith("HTTP/") or not (status.isdigit() and len(status) == 3):
        return {"status": 0, "reason": "", "headers": [], "version": "", "raw": data}
    headers = [(name, value.replace(b"\r\n", b"\n")) for name, value in _headers(lines)]
    return {"status": int(status), "reason": reason, "headers": pairs(headers), "version": version}


def render_head(head: Head) -> bytes:
    """The head as a client's parser may read it."""
    if "raw" in head:
        return bytes(head["raw"])
    first = f"{head['version']} {head['status']} {head['reason']}\r\n".encode("latin-1")
    return first + b"".join(b"%b: %b\r\n" % pair for pair in raw(head)) + b"\r\n"


class Body:
    """The body that follows `head`, cut into pieces: one per chunk where it is chunked, else as it arrives.

    Attributes:
        chunked: its framing is the client's to remove, so pieces are framed again.
        left: bytes that are still to come; None where only the end of the connection tells.
    """

    def __init__(self, head: Head, method: str) -> None:
        fields = {name.lower(): value for name, value in reversed(head["headers"])}
        status = head["status"]
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self.left: int | None = None
        self._in_chunk = 0
        if method == "HEAD" or status in _NO_BODY or 100 <= status < 200:
            self.left, self.chunked = 0, False
        elif not self.chunked and fields.get("content-length", "").isdigit():
            self.left = int(fields["content-length"])

    def take(self, buffer: bytearray, *, ended: bool) -> bytes | None:
        """The next piece, removed from `buffer`; None if more is needed for it.

        Raises:
            StopIteration: the body is over.
            IncompleteRead: the connection `ended` inside a chunk, or between two (then `expected` is None).
        """
        if self.chunked:
            return self._take_chunk(buffer, ended=ended)
        if self.left == 0 or (ended and not buffer):
            raise StopIteration
        size = len(buffer) if self.left is None else min(self.left, len(buffer))
        return _cut(buffer, size) if size else None

    def given(self, piece: bytes) -> None:
        """The client got that piece."""
        if self.left is not None:
            self.left -= len(piece)

    def frame(self, piece: bytes) -> bytes:
        """The piece as it goes to the client's parser."""
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece

    @property
    def end(self) -> bytes:
        """What tells the client's parser that the body is over."""
        return b"0\r\n\r\n" if self.chunked else b""

    def _take_chunk(self, buffer: bytearray, *, ended: bool) -> bytes | None:
        if not self._in_chunk:
            line = buffer.find(b"\n")
            if line < 0:
                if ended:
                    raise IncompleteRead(b"")
                return None
            try:
                size = int(buffer[:line].split(b";")[0], 16)
            except ValueError:
                raise IncompleteRead(b"") from None
            if size == 0:
                self._trailers(buffer, line + 1, ended)
                return None
            del buffer[: line + 1]
            self._in_chunk = size
        if len(buffer) >= self._in_chunk + 2:
            piece = _cut(buffer, self._in_chunk)
            del buffer[:2]
            self._in_chunk = 0
            return piece
        if self._in_chunk > PART and len(buffer) >= PART:
            self._in_chunk -= PART
            return _cut(buffer, PART)
        if ended:
            partial = bytes(buffer[: self._in_chunk])
            raise IncompleteRead(partial, self._in_chunk - len(partial))
        return None

    def _trailers(self, buffer: bytearray, start: int, ended: bool) -> None:
        # They are read and dropped, up to an empty line: the line before it may be the last chunk's own.
        if ended or end_of_head(buffer[start - 1 :]) or buffer.startswith((b"\r\n", b"\n"), start):
            raise StopIteration


def _cut(buffer: bytearray, size: int) -> bytes:
    piece = bytes(buffer[:size])
    del buffer[:size]
    return piece


def broken(short: IncompleteRead) -> bytes:
    """What makes a client's parser find that a chunked body ended too soon."""
    if short.expected is None:
        return b""  # between two chunks
    return b"%x\r\n%b" % (len(short.partial) + short.expected, short.partial)
