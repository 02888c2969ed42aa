"""The modes are vcrpy's: the same requests, session after session, get the same from its cassettes and from ours."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.matching.compare import Request
from replay.model.errors import RequestNotRecorded, UsageError
from replay.pytest_plugin.cassettes import read, write
from replay.pytest_plugin.episodes import MATCH_ON, MODES, Episode, Episodes, Mode

vcr_cassette: Any = import_module("vcr.cassette")  # it has no types
vcr_matchers: Any = import_module("vcr.matchers")
vcr_request: Any = import_module("vcr.request")

_URLS = ("http://a.test/", "http://a.test/x?b=2&a=1", "http://a.test/x?a=1", "http://b.test:81/x")
_sessions = st.lists(
    st.tuples(st.sampled_from(MODES), st.lists(st.tuples(st.sampled_from(("GET", "POST")), st.sampled_from(_URLS)))),
    max_size=4,
)


class World:
    """Answers with a new number each time."""

    def __init__(self) -> None:
        self.count = 0

    def ask(self) -> str:
        self.count += 1
        return str(self.count)


def asked(verb: str, url: str, body: bytes = b"") -> Request:
    return Request("http", f"{verb} {url}", {"method": verb, "url": url, "headers": []}, body)


def by_ours(where: Path, mode: Mode, requests: list[tuple[str, str]], world: World, **more: Any) -> list[str]:
    episodes = Episodes(mode, list(read(where)) if where.exists() else None, **more)
    got: list[str] = []
    for verb, url in requests:
        try:
            found = episodes.answer(asked(verb, url))
        except RequestNotRecorded:
            got.append("refused")
            continue
        if found is None:
            found = episodes.add(asked(verb, url))
            found.head = {"status": 200, "reason": "", "headers": [], "version": "HTTP/1.1"}
            found.pieces, found.streams, found.whole = [world.ask().encode()], True, True
        got.append(b"".join(found.pieces).decode())
    if episodes.new:
        write(episodes.saved(), where, {})
    return got


def by_vcrpy(where: Path, mode: Mode, requests: list[tuple[str, str]], world: World, *, repeats: bool) -> list[str]:
    matchers = tuple(getattr(vcr_matchers, name) for name in MATCH_ON)
    cassette: Any = vcr_cassette.Cassette.load(
        path=str(where),
        record_mode=import_module("vcr.record_mode").RecordMode(mode),
        match_on=matchers,
        allow_playback_repeats=repeats,
    )
    got: list[str] = []
    for verb, url in requests:
        request = vcr_request.Request(verb, url, b"", {})
        if cassette.can_play_response_for(request):
            got.append(cassette.play_response(request)["body"]["string"].decode())
        elif cassette.write_protected:
            got.append("refused")
        else:
            said = world.ask()
            status = {"code": 200, "message": ""}
            cassette.append(request, {"status": status, "headers": {}, "body": {"string": said.encode()}})
            got.append(said)
    cassette._save()
    return got


@settings(max_examples=60, deadline=None)
@given(_sessions, st.booleans())
def test_modes_are_vcrpys(sessions: list[tuple[Mode, list[tuple[str, str]]]], repeats: bool) -> None:
    ours, theirs = World(), World()
    with TemporaryDirectory() as folder:
        for mode, requests in sessions:
            one = by_ours(Path(folder, "a.cassette"), mode, requests, ours, repeats=repeats)
            assert one == by_vcrpy(Path(folder, "a.yaml"), mode, requests, theirs, repeats=repeats)


def recorded(verb: str, url: str, body: bytes = b"") -> Episode:
    return Episode(asked(verb, url, body), {"status": 200, "reason": "", "headers": []}, whole=True)


def test_one_that_asked_exactly_the_same_comes_first() -> None:
    first, second = (recorded("POST", "http://a.test/", body) for body in (b'{"a": 1}', b'{"a": 2}'))
    episodes = Episodes("none", [first, second])
    assert episodes.answer(asked("POST", "http://a.test/", b'{"a":  2}')) is second
    assert episodes.answer(asked("POST", "http://a.test/", b'{"a": 3}')) is first
    assert episodes.play_count == 2
    assert episodes.all_played


@pytest.mark.parametrize(
    ("match_on", "url", "body", "found"),
    [
        (["method", "uri"], "http://a.test/x?a=1", b"", True),
        (["method", "uri"], "http://a.test/x?a=2", b"", False),
        (["method", "body"], "http://b.test/", b'{"n": 1}', True),
        (["method", "body"], "http://a.test/x?a=1", b'{"n": 2}', False),
        (["raw_body"], "http://b.test/", b'{"n":1}', True),
        (["raw_body"], "http://b.test/", b'{"n": 1}', False),
        (["headers"], "http://b.test/", b"", True),
    ],
)
def test_matchers(match_on: list[str], url: str, body: bytes, found: bool) -> None:
    episodes = Episodes("new_episodes", [recorded("POST", "http://a.test/x?a=1", b'{"n":1}')], match_on=match_on)
    assert (episodes.answer(asked("POST", url, body)) is not None) is found


def test_a_secret_that_was_replaced_matches() -> None:
    episodes = Episodes("none", [recorded("GET", "http://a.test/x?key=%3Credacted:0123456789ab%3E")])
    assert episodes.answer(asked("GET", "http://a.test/x?key=sk-live")) is not None


def test_what_is_not_there_says_what_is_nearest() -> None:
    episodes = Episodes("once", [recorded("GET", "http://a.test/x")], where="a.cassette")
    with pytest.raises(RequestNotRecorded, match=r"a\.cassette: the nearest is GET http://a.test/x, .* method, path"):
        episodes.answer(asked("POST", "http://a.test/y"))
    episodes.answer(asked("GET", "http://a.test/x"))
    with pytest.raises(RequestNotRecorded, match="was given already"):
        episodes.answer(asked("GET", "http://a.test/x"))
    assert episodes.refused == ["POST http://a.test/y", "GET http://a.test/x"]


def test_hosts_that_are_ignored() -> None:
    episodes = Episodes("none", [], ignored=["a.test"])
    assert episodes.ignores(asked("GET", "http://a.test:8000/x"))
    assert not episodes.ignores(asked("GET", "http://b.test/x"))


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="mode"):
        Episodes("never", None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="match_on"):
        Episodes("none", None, match_on=["colour"])
