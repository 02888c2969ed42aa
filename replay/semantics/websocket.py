"""Websockets read from the bytes of their connections (RFC 6455, and RFC 7692 for compressed messages). Pure.

A connection that the program opened through its event loop is an event whose pieces are what came; what went out are
events of its own, with its id in `meta["connection"]`. Of a plain socket both are events of their own. So messages are
in order within each direction, and between the two by the time at which they were seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from replay.model.event import Event
from replay.semantics.loose import number

_TEXT, _BINARY, _CONTINUED = 1, 2, 0
_LARGEST = 64 << 20
"""Bytes of one message, unpacked: a small one mustn't become a huge one here."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `data` is text or bytes. `event` and `piece` say where its end is; `piece` is None in a request or
    response. `connection`: the event that opened it, `url`: what for."""

    connection: int
    url: str
    sent: bool
    data: str | bytes
    at: int
    event: int
    piece: int | None = None


@dataclass(slots=True)
class _Way:
    """One direction of a connection: bytes in, messages out."""

    buffer: bytearray = field(default_factory=bytearray)
    head: str | None = None
    parts: bytearray = field(default_factory=bytearray)
    kind: int = _BINARY
    packed: bool = False
    broken: bool = False
    unpack: Any = None
    keeps: bool = True

    def feed(self, data: bytes) -> None:
        self.buffer += data
        if self.head is None:
            head, mark, rest = self.buffer.partition(b"\r\n\r\n")
            if mark:
                self.head = head.decode("latin-1")
                self.buffer = bytearray(rest)

    def messages(self) -> Iterator[str | bytes]:
        """The whole ones so far. What is no frame ends the reading."""
        while not self.broken:
            frame = self._frame()
            if frame is None:
                return
            first, payload = frame
            kind = first & 0x0F
            if kind > _BINARY:
                continue  # ping, pong, close
            if kind != _CONTINUED:
                self.kind, self.packed, self.parts = kind, bool(first & 0x40), bytearray()
            self.parts += payload
            if first & 0x80:
                whole = self._unpacked(bytes(self.parts)) if self.packed else bytes(self.parts)
                if whole is None:
                    return
                yield whole.decode("utf-8", "replace") if self.kind == _TEXT else whole

    def _frame(self) -> tuple[int, bytes] | None:
        held = self.buffer
        if len(held) < 2:
            return None
        size, start = held[1] & 0x7F, 2
        if size > 125:
            more = 2 if size == 126 else 8
            start += more
            size = int.from_bytes(held[2:start], "big") if len(held) >= start else _LARGEST
        masked = held[1] & 0x80
        start += 4 if masked else 0
        if len(held) < start + size:
            return None
        payload = bytes(held[start : start + size])
        if masked:
            payload = _unmasked(payload, bytes(held[start - 4 : start]))
        first = held[0]
        del held[: start + size]
        return first, payload

    def _unpacked(self, data: bytes) -> bytes | None:
        try:
            if self.unpack is None or not self.keeps:
                self.unpack = zlib.decompressobj(-15)
            return bytes(self.unpack.decompress(data + b"\x00\x00\xff\xff", _LARGEST))
        except zlib.error:
            self.broken = True
            return None


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    whole = int.from_bytes(mask * (len(payload) // 4 + 1), "little") & ((1 << 8 * len(payload)) - 1)
    return (int.from_bytes(payload, "little") ^ whole).to_bytes(len(payload), "little")


@dataclass(slots=True)
class _Connection:
    id: int
    out: _Way = field(default_factory=_Way)
    back: _Way = field(default_factory=_Way)
    url: str | None = None
    """None: not known yet; empty: no websocket."""
    coming: list[tuple[int, int, bytes]] = field(default_factory=list[tuple[int, int, bytes]])

    def take(self, way: _Way, data: bytes, at: int, event: int, piece: int | None) -> Iterator[Message]:
        if self.url == "":
            return
        way.feed(data)
        if self.url is None:
            self._agree()
        if self.url:
            for each in way.messages():
                yield Message(self.id, self.url, way is self.out, each, at, event, piece)

    def _agree(self) -> None:
        """Once both heads are there: whether it is one, and how messages are packed."""
        asked, answered = self.out.head, self.back.head
        if asked is None:
            if not b"GET ".startswith(bytes(self.out.buffer[:4])):
                self.url = ""
            return
        first, _, rest = asked.partition("\r\n")
        if "upgrade: websocket" not in rest.lower() or not first.startswith("GET "):
            self.url = ""
        elif answered is not None:
            host = next((line[5:].strip() for line in rest.split("\r\n") if line.lower().startswith("host:")), "")
            self.url = f"ws://{host}{first.split(' ')[1]}" if " 101" in answered.partition("\r\n")[0] else ""
            self.out.keeps = "client_no_context_takeover" not in answered
            self.back.keeps = "server_no_context_takeover" not in answered


class Reader:
    """Reads events that come in order; messages that a loop's connection received come with its next own event."""

    def __init__(self) -> None:
        self._known: dict[int, _Connection] = {}

    def read(self, event: Event) -> list[Message]:
        """The messages that are complete with this event. Never raises."""
        if event.kind != "connection":
            return []
        opened = number(event.meta.get("connection"))
        if opened is None:
            self._known[event.id] = _Connection(event.id, coming=[*_pushed(event)])
            return []
        known = self._known.get(opened)
        if known is None:
            return []
        found: list[Message] = []
        while known.coming and known.coming[0][0] <= event.at:
            found += self._came(known)
        if event.body is not None:
            found += known.take(known.out, event.body, event.at, event.id, None)
        else:
            received: Any = event.response
            if isinstance(received, tuple):  # of recv_into: (bytes, address)
                received = next(iter(received), None)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if isinstance(received, bytes):
                found += known.take(known.back, received, event.at + (event.took or 0), event.id, None)
        return found

    def rest(self) -> list[Message]:
        """What came after the last event of each connection."""
        return [message for known in self._known.values() for _ in [*known.coming] for message in self._came(known)]

    def _came(self, known: _Connection) -> list[Message]:
        at, piece, data = known.coming.pop(0)
        return [*known.take(known.back, data, at, known.id, piece)]


def _pushed(event: Event) -> Iterator[tuple[int, int, bytes]]:
    for index, piece in enumerate(event.pieces):
        match piece.value:
            case [0, "data", bytes(data)]:
                yield piece.at, index, data
            case _:
                pass


def messages(events: Any) -> list[Message]:
    """All messages of a recording, in the order in which they were complete.

    Example:
        >>> messages([])
        []
    """
    reader = Reader()
    found = [message for event in events for message in reader.read(event)]
    return sorted([*found, *reader.rest()], key=lambda each: each.at)
