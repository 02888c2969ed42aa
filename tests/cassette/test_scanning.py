"""Secrets in files that exist: cassettes with everything in them, and texts of others."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.redact import Redactor, Rules
from replay.cassette.redact.scanning import Leak, scan
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged, CassetteForeign, CassetteMissing, CassetteUnreadable

KEY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"
OTHER = "opaque-but-secret"


def _written(path: Path, redactor: Redactor | None = None, **header: Any) -> Path:
    """A recording with a secret in each of its parts, as a version without redaction would make it."""
    writer = Writer.create(path, {"program": "demo", **header}, redactor)
    writer.lane(0, "m")

    def event(kind: str, name: str, request: Any, body: bytes | None = None, value: Any = None) -> int:
        return writer.event(0, kind, name, "read", 0, None, request, body, "chain", None, 0, 0, value)

    event("tool", "plain", [1, 2])  # 0
    event("tool", "look_up", {"of": KEY})  # 1
    event("http", "GET", {"url": "https://x/", "headers": [["Authorization", OTHER], ["Accept", "*/*"]]})  # 2
    event("env", "SERVICE_KEY", "SERVICE_KEY", value=OTHER)  # 3
    event("mcp", "open", {"env": {"TOKEN": OTHER}})  # 4
    event("env", "OTHER_TOKEN", "OTHER_TOKEN", value=OTHER[::-1])  # 5
    event("http", "GET", {"url": 5, "headers": "odd"})  # 6
    event("llm", "ask", None, b"x" * 400 + b" ghp_cAnArY5555aaaaBBBB zzz " + b"y" * 400)  # 6
    event("llm", "ask", None, b"x" * 400 + b" ghp_cAnArY5555aaaaBBBBccccDDDD zzz " + b"y" * 400)  # 8
    event("http", "GET", None, gzip.compress(KEY.encode()))  # 9
    event("http", "GET", None, b"\x1f\x8b broken")  # 10
    number = writer.call(0, "llm", "stream", "read", 0, None, None, None, None, None)  # 11
    writer.ret(number, 0, 2, None, False)
    for piece in (b"it is ghp_cAnArY", b"5555aaaaBBBBccccDDDD", 7, "eeee000011"):
        writer.chunk(number, 0, 0, 0, piece, False)
    writer.end({"result": KEY})
    writer.seal()
    writer.close()
    return path


def test_every_part_is_searched(tmp_path: Path) -> None:
    found = list(scan(_written(tmp_path / "x.cassette", tags={"who": KEY})))
    assert {(leak.event, leak.where, leak.detector) for leak in found} == {
        (None, "header", "github"),
        (1, "event", "github"),
        (2, "request", "place"),
        (3, "event", "known"),
        (4, "event", "known"),
        (5, "request", "place"),
        (7, "event", "github"),
        (8, "body", "github"),
        (9, "compressed", "github"),
        (11, "stream", "github"),
    }
    assert found[0] == Leak(None, "header", "github", "ghp_…", len(KEY))
    assert all(KEY[:5] not in leak.shown and OTHER[:5] not in leak.shown for leak in found)


def test_a_recording_of_today_has_none(tmp_path: Path) -> None:
    path = _written(tmp_path / "x.cassette", Redactor(bytes(16)))
    left = {(leak.event, leak.where) for leak in scan(path)}
    by_place = {(2, "request"), (3, "event"), (4, "event"), (5, "request")}
    assert left == by_place | {(9, "compressed")}, "what the recorder does, and not the writer"


def test_what_stands_in_for_a_secret_is_none(tmp_path: Path) -> None:
    redactor = Redactor(bytes(16))
    path = tmp_path / "x.cassette"
    writer = Writer.create(path, {}, redactor)
    writer.lane(0, "m")
    request = redactor.http_message({"url": f"https://x/?key={OTHER}", "headers": [["Cookie", f"a={OTHER}"]]})
    writer.event(0, "http", "GET", "read", 0, None, request, None, None, None, 0, 0, None)
    writer.flush()
    writer.close()
    assert list(scan(path)) == []


def test_the_rules_of_today(tmp_path: Path) -> None:
    path = _written(tmp_path / "x.cassette")
    rules = Rules.of({"off": ["github", "mixed"], "regex": {"demo": "demo"}})
    assert ("demo", None) in {(leak.detector, leak.event) for leak in scan(path, rules)}
    assert "github" not in {leak.detector for leak in scan(path, rules)}


def test_texts_of_others(tmp_path: Path) -> None:
    file = tmp_path / "vcr.yaml"
    file.write_text(f"headers:\n  authorization: Bearer {KEY}\n")
    assert [leak[:3] for leak in scan(file)] == [(None, "text", "github")]
    file.write_text("nothing")
    assert list(scan(file)) == []
    file.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(CassetteUnreadable):
        list(scan(file))
    foreign = tmp_path / "x.cassette"
    foreign.write_text("nothing of ours")
    with pytest.raises(CassetteForeign):
        list(scan(foreign))
    with pytest.raises(CassetteMissing):
        list(scan(tmp_path / "none.cassette"))


def test_what_is_before_the_damage_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = Writer.create(path, {})
    writer.lane(0, "m")
    for _ in range(2):
        writer.event(0, "tool", "f", "read", 0, None, KEY, None, None, None, 0, 0, None)
    writer.flush()
    writer.close()
    path.write_bytes(path.read_bytes()[:-5])
    leaks = scan(path)
    assert next(leaks).event == 0
    with pytest.raises(CassetteDamaged):
        list(leaks)
