"""Server-sent events as the WHATWG specification reads them, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.semantics.sse import Parser, ServerSentEvent, parse


def _data(stream: bytes) -> list[str]:
    return [event.data for event in parse([stream])[0]]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),  # the examples of the specification
        (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
         ["first event", "second event", " third event"]),
        (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        (b"data:test\n\ndata: test\n\n", ["test", "test"]),
        (b"data: a\r\rdata: b\r\n\r\ndata: c\n\n", ["a", "b", "c"]),
        (b"\xef\xbb\xbfdata: with a byte order mark\n\n", ["with a byte order mark"]),
        (b"data: \xef\xbb\xbfinside\n\n", ["\ufeffinside"]),
        ("data: a\u2028b\x85c\x0bd\n\n".encode(), ["a\u2028b\x85c\x0bd"]),  # no line ends here
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"unknown: field\n\n", []),
        (b"event: only\n\n", []),
    ],
)  # fmt: skip
def test_data(stream: bytes, data: list[str]) -> None:
    assert _data(stream) == data


def test_event_id_and_retry() -> None:
    stream = b"event: add\nid: 7\nretry: 300\ndata: x\n\nretry: 1s\nid: a\0b\ndata: y\n\nid\ndata: z\n\n"
    assert parse([stream])[0] == [
        ServerSentEvent("x", "add", "7", 300),
        ServerSentEvent("y", "message", "7", None),
        ServerSentEvent("z", "message", "", None),
    ]


@pytest.mark.parametrize(
    ("rest", "pending"), [(b"", False), (b"da", True), (b"data: x\n", True), (b"data: x\n\n", False), (b":c\n", False)]
)
def test_pending(rest: bytes, pending: bool) -> None:
    assert parse([b"data: 1\n\n", rest])[1] is pending


_TEXT = st.text("ab:é\u2028 \0", max_size=5)
_LINE = st.sampled_from(["data: ", "data:", "event: ", "id: ", "retry: 1", ": ", "data", "", "", "x: "])
_STREAM = st.lists(st.tuples(_LINE, _TEXT, st.sampled_from(["\n", "\r", "\r\n"])), max_size=20).map(
    lambda lines: "".join(a + b + c for a, b, c in lines)
)


@given(_STREAM, st.booleans(), st.data())
def test_split_anywhere_gives_the_same(text: str, mark: bool, data: st.DataObject) -> None:
    stream = (b"\xef\xbb\xbf" if mark else b"") + text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(chunks) == parse([stream])
    assert parse([bytes([byte]) for byte in stream]) == parse([stream])


def test_a_long_line_in_many_pieces_is_linear() -> None:
    parser = Parser()
    pieces = 200_000  # quadratic joining would take minutes here
    assert parser.feed(b"data: ") == []
    assert not any(parser.feed(b"x") for _ in range(pieces))
    assert parser.feed(b"\n\n") == [ServerSentEvent("x" * pieces)]
