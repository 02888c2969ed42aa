"""Websockets are read from bytes as another implementation writes them: fragments, masks, compression, cuts."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from replay.model.event import Event, Piece
from replay.semantics.websocket import Message, messages

Said = list[tuple[bool, str | bytes]]
SAID = st.lists(st.tuples(st.booleans(), st.text(max_size=300) | st.binary(max_size=300)), max_size=8)


def wires(said: Said, *, packed: bool, forgets: bool) -> list[tuple[bool, bytes]]:
    """What goes over the wire: (whether the client sent it, bytes)."""
    offered = [ClientPerMessageDeflateFactory(client_no_context_takeover=forgets, client_max_window_bits=True)]
    taken = [ServerPerMessageDeflateFactory(server_no_context_takeover=forgets)]
    client = ClientProtocol(parse_uri("ws://example.org/talk"), extensions=offered if packed else None)
    server = ServerProtocol(extensions=taken if packed else None)
    flow: list[tuple[bool, bytes]] = []

    def pass_on(side: Protocol, other: Protocol) -> None:
        for data in side.data_to_send():
            flow.append((side is client, data))
            other.receive_data(data)

    client.send_request(client.connect())
    pass_on(client, server)
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    pass_on(server, client)
    for sent, data in said:
        side, other = (client, server) if sent else (server, client)
        side.send_ping(b"still there?")
        if isinstance(data, str):
            side.send_text(data.encode())
        else:
            side.send_binary(data[:5], fin=False)
            side.send_continuation(data[5:], fin=True)
        pass_on(side, other)
        pass_on(other, side)
    return flow


def events(flow: list[tuple[bool, bytes]], size: int) -> list[Event]:
    """As a loop's connection is recorded, in parts of `size` bytes."""
    out: list[Event] = []
    pieces: list[Piece] = []
    at = 0
    for sent, data in flow:
        for start in range(0, len(data), size):
            at += 1
            part = data[start : start + size]
            if sent:
                out.append(_event(len(out) + 1, at, part))
            else:
                pieces.append(Piece(at, "piece", (0, "data", part)))
    opened = Event(0, "connection", "x", "write", "m", 0, 1, None, {}, None, "streamed", pieces=tuple(pieces))
    return [opened, *out]


def _event(identity: int, at: int, body: bytes, meta: Any = None) -> Event:
    known = {"connection": 0} if meta is None else meta
    return Event(identity, "connection", "x write", "write", "m", at, 1, None, None, body, "done", meta=known)


@settings(max_examples=60)
@given(SAID, st.booleans(), st.booleans(), st.sampled_from((1, 7, 100, 5000)))
def test_what_was_said_is_read(said: Said, packed: bool, forgets: bool, size: int) -> None:
    found = messages(events(wires(said, packed=packed, forgets=forgets), size))
    assert [(message.sent, message.data) for message in found] == said
    assert {message.url for message in found} <= {"ws://example.org/talk"}


def test_long_messages_and_where_they_end() -> None:
    said: Said = [(True, "x" * 70_000), (False, b"y" * 300)]
    found = messages(events(wires(said, packed=False, forgets=False), 50_000))
    assert [(message.sent, len(message.data)) for message in found] == [(True, 70_000), (False, 300)]
    sent, received = found
    assert isinstance(sent, Message)
    assert (sent.connection, sent.piece, received.event) == (0, None, 0)
    assert received.piece is not None


def test_other_connections_and_nonsense() -> None:
    flow = wires([(True, "hello"), (True, "there")], packed=True, forgets=False)
    damaged = [
        (sent, b"\xc1\x85\x00\x00\x00\x00\xff\xff\xff\xff\xff" if b"HTTP" not in data else data) for sent, data in flow
    ]
    assert messages(events(damaged, 5000)) == []
    assert messages(events([(True, b"*1\r\n$4\r\nPING\r\n"), (False, b"+PONG\r\n")], 5)) == []
    assert (
        messages(events([(True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n")], 5)) == []
    )
    refused = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    assert messages(events([(True, refused), (False, b"HTTP/1.1 403 No\r\n\r\n")], 500)) == []
    assert messages([_event(3, 1, b"x", {"connection": 1}), _event(4, 1, b"x", {"connection": True})]) == []
