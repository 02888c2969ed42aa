"""Hostile recordings: every reading command ends as it should, and the terminal gets nothing but text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from tests.support.e2e import cli, shown
from tests.support.hostile import PAYLOADS, hostile

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(tmp_path_factory.mktemp("hostile") / "hostile.cassette", big=100_000)


def test_each_payload_is_in_it(cassette: Path) -> None:
    with load(cassette) as opened:
        texts = {event.name for event in opened.events}
        assert opened.status == "sealed"
        assert set(PAYLOADS.values()) <= texts


@pytest.mark.parametrize("command", [("show",), ("triage",), ("memory",), ("show", "59")])
def test_the_terminal_gets_nothing_but_text(cassette: Path, command: tuple[str, ...]) -> None:
    name, *more = command
    done = cli(name, cassette, *more)
    assert done.returncode in (0, 1), shown(done)
    assert b"Traceback" not in done.stderr
    assert not _CONTROL.findall(done.stdout.decode())
