"""HTTP/1 as bytes: however they arrive, the pieces are the chunks, and a client's parser gets back what was sent."""

from __future__ import annotations

import io
from http.client import HTTPResponse, IncompleteRead
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.seams import _wire

CHUNKED = {"status": 200, "reason": "OK", "headers": [["Transfer-Encoding", "chunked"]], "version": "HTTP/1.1"}


def _pieces(body: _wire.Body, wire: bytes, cuts: list[int]) -> list[bytes]:
    """What comes out when `wire` arrives cut at these places; IncompleteRead leaves its partial data as the last."""
    buffer, found = bytearray(), list[bytes]()
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    parts = [wire[start:end] for start, end in pairwise(edges)] + [b""]
    try:
        for part in parts:
            buffer += part
            while (piece := body.take(buffer, ended=not part)) is not None:
                found.append(piece)
                body.given(piece)
    except StopIteration:
        pass
    return found


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _as_a_client_reads(data: bytes) -> HTTPResponse:
    response = HTTPResponse(cast("Any", _Socket(data)))
    response.begin()
    return response


@given(st.lists(st.binary(min_size=1, max_size=40)), st.lists(st.integers(0, 500)), st.booleans())
def test_chunks_are_the_pieces(chunks: list[bytes], cuts: list[int], trailer: bool) -> None:
    wire = b"".join(b"%x;ext\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    wire += b"0\r\nX-Trailer: 1\r\n\r\n" if trailer else b"0\r\n\r\n"
    body = _wire.Body(CHUNKED, "GET")
    assert _pieces(body, wire, cuts) == chunks
    framed = b"".join(map(body.frame, chunks)) + body.end
    assert _as_a_client_reads(_wire.render_head(CHUNKED) + framed).read() == b"".join(chunks)


@given(st.binary(max_size=60), st.binary(max_size=9), st.lists(st.integers(0, 100)))
def test_announced_length_ends_the_body(data: bytes, more: bytes, cuts: list[int]) -> None:
    head = {**CHUNKED, "headers": [["Content-Length", str(len(data))]]}
    assert b"".join(_pieces(_wire.Body(head, "GET"), data + more, cuts)) == data


@pytest.mark.parametrize(
    ("wire", "partial", "expected"),
    [(b"5\r\nhello\r\na\r\nwor", b"wor", 7), (b"5\r\nhello\r\n", b"", None), (b"5\r\nhello", b"hello", 0)],
)
def test_a_cut_chunk_is_told_as_it_was(wire: bytes, partial: bytes, expected: int | None) -> None:
    body, buffer = _wire.Body(CHUNKED, "GET"), bytearray(wire)
    if wire != b"5\r\nhello":
        assert body.take(buffer, ended=True) == b"hello"
    with pytest.raises(IncompleteRead) as short:
        body.take(buffer, ended=True)
    assert (short.value.partial, short.value.expected) == (partial, expected)
    seen = b"" if partial == b"hello" else body.frame(b"hello")
    client = _as_a_client_reads(_wire.render_head(CHUNKED) + seen + _wire.broken(short.value))
    original = _as_a_client_reads(_wire.render_head(CHUNKED) + wire)
    with pytest.raises(IncompleteRead) as now:
        client.read()
    with pytest.raises(IncompleteRead) as then:
        original.read()
    assert now.value.partial == then.value.partial


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nB:\r\n\r\n",
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.1 200\r\nX: \xe4\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: 1\n\n",
    ],
)
def test_a_head_is_parsed_and_written_again(head: bytes) -> None:
    ours = _as_a_client_reads(_wire.render_head(_wire.parse_head(head)))
    theirs = _as_a_client_reads(head)
    assert (ours.status, ours.reason, ours.version, ours.getheaders()) == (
        *(theirs.status, theirs.reason, theirs.version, theirs.getheaders()),
    )


def test_what_is_no_head_goes_to_the_client_as_it_is() -> None:
    head = _wire.parse_head(b"NOT HTTP\r\n\r\n")
    assert (head["status"], _wire.render_head(head)) == (0, b"NOT HTTP\r\n\r\n")


def test_requests() -> None:
    sent = b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    request = _wire.parse_request(sent)
    assert request[:3] == ("POST", "/a?b=1", "HTTP/1.1")
    assert request.body == b"abcde"
    assert not request.waits
    waiting = _wire.parse_request(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
    assert waiting.waits


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)])
def test_answers_without_a_body(method: str, status: int) -> None:
    head = {**CHUNKED, "status": status, "headers": [["Content-Length", "7"]]}
    assert _wire.Body(head, method).left == 0
