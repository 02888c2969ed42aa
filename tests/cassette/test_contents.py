"""Contents of outcomes: each stored once, as a difference where it resembles another, readable at random."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.cassette import records
from replay.cassette.codec import pack
from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged


def begin(path: Path) -> Writer:
    writer = Writer.create(path, {})
    writer.lane(0, "m")
    return writer


def asked(writer: Writer, body: bytes | None = None) -> int:
    return writer.call(0, "file", "open", "read", 0, None, {"path": "x"}, body, "x" if body else None, None)


def add(writer: Writer, content: bytes, chain: str = "x", *, during: int = 0) -> int:
    """An event with that content, with `during` others between its call and its content."""
    event = asked(writer)
    for _ in range(during):
        writer.event(0, "tool", "t", "read", 0, None, None, None, None, None, 0, 0, None)
    writer.content(event, content, sha256(content).digest(), chain)
    writer.ret(event, 1, 0, {"size": len(content)}, False)
    return event


def test_one_content_is_stored_once(tmp_path: Path) -> None:
    content = os.urandom(100_000)
    writer = begin(tmp_path / "x")
    events = [add(writer, content, chain) for chain in "abcd" * 10]
    assert writer.size < 110_000
    writer.end({})
    writer.seal()
    writer.close()
    with Reader.open(tmp_path / "x") as reader:
        assert all(reader.event(event).content == reader.content(event) == content for event in reversed(events))
    assert verify(tmp_path / "x").intact


@pytest.mark.parametrize("more", [b"", b"and more"], ids=["the same", "alike"])
def test_an_event_that_ends_later_than_the_next_one(tmp_path: Path, more: bytes) -> None:
    content = os.urandom(10_000)
    writer = begin(tmp_path / "x")
    first, second = asked(writer), asked(writer)
    for event, found in ((second, content), (first, content + more)):
        writer.content(event, found, sha256(found).digest(), "x")
        writer.ret(event, 1, 0, {}, False)
    writer.end({})
    writer.close()
    with Reader.open(tmp_path / "x") as reader:
        assert [reader.content(event) for event in (first, second)] == [content + more, content]


def test_what_was_written_and_is_read_back(tmp_path: Path) -> None:
    body = os.urandom(10_000)
    writer = begin(tmp_path / "x")
    wrote = asked(writer, body)
    writer.remember(sha256(body).digest(), wrote, len(body))
    writer.ret(wrote, 1, 0, None, False)
    read = add(writer, body)
    grown = add(writer, body + b"more" * 100)
    writer.flush()
    assert writer.size < 12_000
    writer.close()
    with Reader.open(tmp_path / "x") as reader:
        assert reader.event(wrote).body == reader.event(read).content == body
        assert reader.event(wrote).content is reader.event(read).body is None
        assert reader.content(grown) == body + b"more" * 100
        assert reader.content(wrote) is None


@settings(max_examples=30)
@given(contents=st.lists(st.binary(max_size=9).map(lambda piece: piece * 60), min_size=1, max_size=12))
def test_any_contents(contents: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "x"
    writer = begin(path)
    for content in contents:
        add(writer, content)
    writer.flush()
    writer.close()
    with Reader.open(path) as reader:
        assert [reader.event(number).content for number in range(len(contents))] == contents


def test_a_content_long_after_its_call(tmp_path: Path) -> None:
    """In another segment than the call, whoever wrote the footer."""
    content = os.urandom(3000)
    event = 0
    for name in ("sealed", "finished"):
        writer = begin(tmp_path / name)
        event = add(writer, content, during=2000)
        writer.end({})
        if name == "sealed":
            writer.seal()
        writer.close()
    finish(tmp_path / "finished", {"exit_code": 0})
    for name in ("sealed", "finished"):
        with Reader.open(tmp_path / name) as reader:
            assert reader.status == "sealed"
            assert reader.content(event) == content
        assert verify(tmp_path / name).intact


@pytest.mark.parametrize("payload", [b"", pack([]), pack(["text"]), pack([b"x", b"y"]), pack([[1]])])
def test_no_content(payload: bytes) -> None:
    with pytest.raises(CassetteDamaged):
        records.content(payload)


def test_secrets_of_files() -> None:
    redactor = Redactor(bytes(16))
    key, password, pem = b"sk-proj-0123456789abcdef", b"long and winding", b"MIIEowIBAAKCAQEA+/=\nMIIE"
    settings_file = b"export OPENAI_API_KEY='%s'\nDB_PASSWORD=%s\nRETRIES=3\nMAX_TOKENS=4096\nEMPTY_TOKEN=\n" % (
        key,
        password,
    )
    for name in (".env", "/srv/.env.local", b"prod.env", ".netrc"):
        safe = redactor.file(name, settings_file)
        assert key not in safe
        assert password not in safe
        assert len(safe) == len(settings_file), "sizes stay right"
        assert b"RETRIES=3\nMAX_TOKENS=4096\nEMPTY_TOKEN=\n" in safe
        assert redactor.file(name, safe) == safe, "a stand-in stays what it is"
    whole = b"-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----\n" % pem
    assert pem not in redactor.file("id_rsa", whole)
    listed = b'{"key": "%s", "access_token": "a1b2c3d4e5f6a7b8", "api_key": "0123456789abcdeF"}' % key
    safe = redactor.file("settings.json", listed)
    assert not any(word in safe for word in (key, b"a1b2c3d4", b"0123456789abcdeF"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"max_tokens": 1000, "token": "x", "tokens_used": 123456789012345678}',
        b"password: Optional[str] = None\ntoken = get_token(1)\nsecret = some_function_name_of_mine\n",
        b"The key to understanding tokens: read the secret history, vol. 2.",
        b"task-specific-instructions-for-you",
        bytes(range(256)) * 9,
    ],
)
def test_what_is_no_secret_stays(text: bytes) -> None:
    assert Redactor(bytes(16)).file("notes.txt", text) == text
