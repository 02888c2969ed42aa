"""vcr's cassettes are read in every shape that the recordings of others have; what isn't one says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.interop.vcr.reading import events
from replay.model.errors import CassetteMissing, CassetteUnreadable

_ONE = """\
interactions:
- request: {{method: POST, uri: "https://shop.test/orders?id=7", headers: {{Accept: [a, b]}}, body: {request}}}
  response: {{status: {{code: 201, message: Created}}, headers: {{Content-Type: [{kind}]}}, body: {response}}}
version: 1
"""


def write(path: Path, *, request: str = "x", response: str = "{string: y}", kind: str = "text/plain") -> Path:
    path.write_text(_ONE.format(request=request, response=response, kind=kind), "utf-8")
    return path


@pytest.mark.parametrize(
    ("body", "bytes_"),
    [
        ("{string: 'hällo'}", "hällo".encode()),
        ("{string: !!binary gAE=}", b"\x80\x01"),
        ("{base64_string: gAE=}", b"\x80\x01"),
        ("{string: !!python/unicode 'hällo'}", "hällo".encode()),
        ("hello", b"hello"),
        ("null", b""),
        ("{string: null}", b""),
        ("!!binary gAE=", b"\x80\x01"),
    ],
)
def test_bodies(tmp_path: Path, body: str, bytes_: bytes) -> None:
    [event] = events(write(tmp_path / "a.yaml", request=body, response=body))
    assert event.body == (None if body == "null" else bytes_)
    assert event.response["body"] == bytes_
    assert event.response["status"] == 201
    assert event.request["headers"] == [["Accept", "a"], ["Accept", "b"]]


def test_streams_come_whole_or_in_pieces_that_make_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", response="{string: 'data: 12345678901234567890'}", kind="text/event-stream")
    for cut, count in ((None, 1), (7, 4)):
        [event] = events(path, cut=cut)
        assert len(event.pieces) == count + 1
        assert b"".join(piece.value for piece in event.pieces[:-1]) == b"data: 12345678901234567890"
        assert event.pieces[-1].status == "end"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "interactions: 7",
        "interactions: [7]",
        "interactions: [{}]",
        "interactions: [{request: {}, response: {}}]",
        "a: [",
        "interactions: !!python/object/apply:os.system [true]",
    ],
)
def test_what_is_not_one_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(CassetteUnreadable, match=r"a\.yaml"):
        list(events(path))


def test_a_missing_one_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissing):
        list(events(tmp_path / "none.yaml"))
