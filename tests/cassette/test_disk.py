"""A writer's descriptor in a program that closes what it didn't open; and where bytes come from."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from replay.cassette import opening
from replay.cassette.disk import high
from replay.cassette.journal import Ended
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.source import FileSource
from replay.cassette.writer import Writer
from replay.model.errors import CassetteMissing


def descriptor(path: Path) -> int:
    """The one by which this process has that file open."""
    found = os.stat(path)
    numbers = (int(name) for name in os.listdir("/proc/self/fd"))
    return next(number for number in numbers if _is(number, found))


def _is(number: int, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(number), wanted)
    except OSError:  # that of the listing
        return False


def add(writer: Writer, response: Any) -> None:
    writer.event(0, "tool", "search", "read", 0, None, None, None, None, None, 1, 0, response)


def test_a_descriptor_that_the_program_closed(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "x.cassette", {})
    add(writer, "before")
    writer.flush()
    os.close(descriptor(tmp_path / "x.cassette"))
    add(writer, "after")
    with pytest.raises(OSError, match="program closed") as caught:
        writer.flush()
    assert (caught.value.errno, writer.broken) == (errno.EBADF, True)
    writer.close()
    with Reader.open(tmp_path / "x.cassette") as reader:
        assert [reader.event(number).response for number in range(len(reader))] == ["before"]


def test_a_descriptor_that_is_another_file_s_by_now(tmp_path: Path) -> None:
    """What is recorded must not land in it, whatever the number is."""
    writer = Writer.create(tmp_path / "x.cassette", {})
    add(writer, "before")
    writer.flush()
    number = descriptor(tmp_path / "x.cassette")
    told: list[OSError] = []
    writer.on_failure = told.append
    with (tmp_path / "mine").open("w+b") as mine:
        os.dup2(mine.fileno(), number)
        for _ in range(400):  # until a segment is full
            add(writer, "x" * 2000)
        writer.flush()
        assert {error.errno for error in told} == {errno.EBADF}
        assert mine.read() == b""
        writer.close()
        assert os.fstat(number)  # it isn't ours to close
    os.close(number)


def test_numbers_are_high_where_there_are_so_many(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "a").open("wb") as file:
        number = high(os.dup(file.fileno()))
        assert number >= 500
        os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, limits[1]))
        try:
            low = os.dup(file.fileno())
            assert high(low) == low
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.close(low)


def test_what_nobody_wants_is_removed(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "x.cassette", {})
    writer.discard()
    assert not (tmp_path / "x.cassette").exists()


def test_what_is_printed_has_no_secrets_either(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "x.cassette", {}, Redactor(bytes(16)))
    said = "the key is sk-0123456789abcdefghijkl"
    writer.event(0, "output", "stdout", "write", 0, None, said, None, None, None, 1, 0, None)
    writer.flush()
    writer.close()
    assert b"0123456789abcdefghijkl" not in (tmp_path / "x.cassette").read_bytes()
    with Reader.open(tmp_path / "x.cassette") as reader:
        assert reader.event(0).request.startswith("the key is sk-<")


def test_a_journal_that_has_ended_is_only_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"bytes")
    with_nobody = Ended(str(tmp_path / "x"), FileSource(tmp_path / "x"), RECIPIENT)
    assert not with_nobody.append(b"more", 5)


RECIPIENT = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]


def test_names_that_may_be_urls(tmp_path: Path) -> None:
    (tmp_path / "x.cassette").write_bytes(b"bytes")
    source = opening.source(f"file://{tmp_path}/x.cassette")
    assert source.read_at(0, 5) == b"bytes"
    source.close()
    odd = tmp_path / "s3:"
    odd.mkdir()
    (odd / "x").write_bytes(b"a file")
    found = opening.source(f"{tmp_path}/s3:/x")  # a file that is there is no URL
    assert found.read_at(0, 6) == b"a file"
    found.close()
    with pytest.raises(CassetteMissing):
        opening.source(f"{tmp_path}/none:/x")
