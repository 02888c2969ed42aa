"""`import vcr` and `export vcr`: what was recorded elsewhere comes back out, and vcrpy replays it with real clients."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest
import vcr  # type: ignore[import-untyped]
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.vcr import files, proved
from replay.cassette.cassette import load
from replay.cassette.writer import Writer
from replay.interop import formats
from replay.interop.vcr.document import interactions
from replay.model.errors import CassetteUnreadable
from tests.support.e2e import cli, cli_json, error_line

WIRE = Path(__file__).parents[2] / "fixtures" / "wire"
ALL = files(WIRE)
DATA = Path(os.environ["REPLAY_EVAL_DATA"]) / "cassettes" if "REPLAY_EVAL_DATA" in os.environ else WIRE

ONE: dict[str, Any] = {
    "request": {"method": "GET", "uri": "https://shop.test/a?token=s3cr3t-s3cr3t-1", "headers": {}, "body": None},
    "response": {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"], "Set-Cookie": ["a=1", "b=2"]},
        "body": {"string": '{"ok": true}'},
    },
}


@pytest.mark.parametrize("file", ALL[::5], ids=lambda file: file.stem)
def test_recordings_of_others_come_back_and_vcrpy_replays_them(file: Path, tmp_path: Path) -> None:
    assert proved(file, tmp_path, Counter()) == []


@pytest.mark.torture
@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_all_of_them_do(file: Path, tmp_path: Path) -> None:
    assert proved(file, tmp_path, Counter()) == []


@pytest.mark.torture
def test_how_many_answers_come_back(tmp_path: Path) -> None:
    """With REPLAY_EVAL_DATA of a whole collection."""
    told: Counter[str] = Counter()
    found = files(DATA)
    assert [line for file in found for line in proved(file, tmp_path, told)] == []
    print(dict(told))
    assert (told["files"], told["answers"]) == (len(found), told["byte by byte"])


def document(*found: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "interactions": list(found)}


def test_a_directory_with_files_of_every_kind(tmp_path: Path) -> None:
    source = tmp_path / "cassettes" / "test_shop"
    source.mkdir(parents=True)
    text = yaml.safe_dump(document(ONE))
    (source / "test_a.yaml").write_text(text)
    (source / "test_b.yaml.gz").write_bytes(gzip.compress(text.encode()))
    (source / "test_c").write_text(json.dumps(document(ONE, ONE)))
    (source / "notes.yaml").write_text("vcr: true")
    (source / "index.json").write_text('[{"interactions": 3}]')
    found = cli_json("import", "vcr", tmp_path / "cassettes", "-o", tmp_path / "out")["imported"]
    assert [(Path(each["path"]).name, each["events"]) for each in found] == [
        ("test_a.cassette", 1),
        ("test_b.cassette", 1),
        ("test_c.cassette", 2),
    ]
    told = cli_json("show", found[0]["path"])
    assert told["events"][0]["source"] == {"message": 0, "call": None}
    assert (told["events"][0]["name"], told["events"][0]["effect"]) == ("GET https://shop.test/a", "read")
    assert {"clock", "order", "program", "pieces"} == {spot["what"] for spot in told["blind_spots"]}
    assert b"s3cr3t" not in Path(found[0]["path"]).read_bytes()


def test_httpx_of_old(tmp_path: Path) -> None:
    old = {"status_code": 418, "http_version": "HTTP/1.1", "headers": {"a": "b"}, "content": "short and stout"}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document({**ONE, "response": old})))
    cli_json("import", "vcr", tmp_path / "a.yaml", "-o", tmp_path / "a.cassette")
    cli_json("export", "vcr", tmp_path / "a.cassette", "-o", tmp_path / "b.yaml")
    (back,) = yaml.safe_load((tmp_path / "b.yaml").read_text())["interactions"]
    assert back["response"]["status"]["code"] == 418
    assert back["response"]["body"] == {"string": "short and stout"}


def test_of_a_recording_http_goes_out_and_the_rest_is_named(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "a.cassette", {})
    writer.lane(0, "m")
    request: dict[str, Any] = {
        "method": "POST",
        "url": "https://shop.test/",
        "headers": [["content-type", "text/plain"]],
    }
    head = {"status": 200, "reason": "OK", "headers": [["Content-Encoding", "gzip"], ["X", "1"], ["x", "2"]]}
    packed = gzip.compress("hällo".encode())
    event = writer.call(0, "http", "POST https://shop.test/", "write", 0, None, request, b"\xff\x00", None, None)
    writer.ret(event, 1, 2, head, False)
    writer.chunk(event, 0, 2, 0, packed[:5], False)
    writer.chunk(event, 0, 3, 0, packed[5:], False)
    writer.chunk(event, 0, 3, 3, None, False)
    writer.call(0, "http", "POST https://shop.test/", "write", 0, None, request, b"", None, None)
    writer.event(0, "tool", "add", "read", 0, None, [1], None, None, None, 0, 0, 1)
    writer.end({})
    writer.seal()
    writer.close()
    told = cli_json("export", "vcr", tmp_path / "a.cassette", "-o", tmp_path / "a.yaml")["exported"]
    assert (told["interactions"], told["lost"]) == (1, ["1 × http without a whole answer", "1 × tool"])
    with vcr.use_cassette(str(tmp_path / "a.yaml"), record_mode="none", match_on=("method", "uri", "body")):  # pyright: ignore[reportUnknownMemberType]
        got = httpx2.post("https://shop.test/", content=b"\xff\x00")
    assert got.text == "hällo"
    assert got.headers.get_list("x") == ["1", "2"]


@settings(max_examples=30)
@given(
    body=st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode),
    reason=st.text(st.characters(codec="utf-8"), max_size=10),
)
def test_any_body_comes_back(body: bytes, reason: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("x")
    writer = Writer.create(folder / "a.cassette", {})
    writer.lane(0, "m")
    head = {"status": 200, "reason": reason, "headers": [["a", reason]], "body": body}
    request: dict[str, Any] = {"method": "PUT", "url": "https://shop.test/", "headers": []}
    writer.event(0, "http", "PUT", "write", 0, None, request, body, None, None, 0, 0, head)
    writer.end({})
    writer.seal()
    writer.close()
    with load(folder / "a.cassette") as cassette:
        formats.exporter("vcr")(cassette, folder / "a.yaml")
    (back,) = interactions(folder / "a.yaml")
    for message in (back["request"]["body"], back["response"]["body"]["string"]):
        assert (message.encode() if isinstance(message, str) else message) == body
    assert back["response"]["status"]["message"] == reason


LAUGHS = b"a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)
)
HARMFUL = {
    "itself": (b"interactions: &a [*a]", "contains itself"),
    "laughs": (LAUGHS, "values"),
    "old": (b"- request: {}\n  response: {}\n", "before 1.0"),
    "deep": (b"[" * 100_000, "nested deeper"),
    "deep JSON": (b'{"a":' + b"[" * 100_000, "can't read"),
    "cut": (gzip.compress(b"interactions: []")[:-9], "cut"),
    "no text": (b"\xff\xfe\xff", "can't read"),
}


@pytest.mark.parametrize(("text", "why"), HARMFUL.values(), ids=HARMFUL)
def test_files_that_mean_harm(text: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(text)
    with pytest.raises(CassetteUnreadable, match=why):
        interactions(tmp_path / "a.yaml")
    done = cli("import", "vcr", tmp_path / "a.yaml", "-o", tmp_path / "a.cassette")
    error_line(done, "cassette-unreadable")
    assert not (tmp_path / "a.cassette").exists()
