"""`@pytest.mark.replay_cassette`: a test's HTTP requests recorded and answered, against a real server on loopback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import replay
from tests.pytest_plugin.conftest import Outcome
from tests.pytest_plugin.counting import Counting
from tests.support import e2e

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wire"

_CLIENTS = """
import asyncio, json, pathlib, threading, urllib.request
import aiohttp, httpx, pytest, requests

URL = {url!r}

def by_httpx(path="/number"): return httpx.get(URL + path).text
def by_requests(): return requests.get(URL + "/number").text
def by_urllib(): return urllib.request.urlopen(URL + "/number").read().decode()

async def ask():
    async with httpx.AsyncClient() as client:
        return (await client.get(URL + "/number")).text

def by_async_httpx(): return asyncio.run(ask())

def by_aiohttp():
    async def ask():
        async with aiohttp.ClientSession() as session, session.get(URL + "/number") as response:
            return await response.text()
    return asyncio.run(ask())

def by_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(by_httpx()))
    thread.start()
    thread.join()
    return found[0]

def by_stream():
    with httpx.stream("GET", URL + "/stream") as response:
        return list(response.iter_lines())

def together():
    async def both():
        return sorted(await asyncio.gather(ask(), ask(), ask()))
    return asyncio.run(both())

ALL = [by_httpx, by_requests, by_urllib, by_async_httpx, by_aiohttp, by_thread, by_stream, together]

def same_as_before(name, got):
    kept = pathlib.Path(name + ".json")
    if kept.exists():
        assert json.loads(kept.read_text()) == got
    else:
        kept.write_text(json.dumps(got))
"""


@pytest.fixture
def server() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    counting.stop()


def suite(pytester: pytest.Pytester, server: Counting, body: str, name: str = "test_it") -> None:
    pytester.makepyfile(**{name: _CLIENTS.format(url=server.url) + body})


def test_what_was_recorded_is_answered_without_a_server(
    pytester: pytest.Pytester, run: Outcome, server: Counting
) -> None:
    suite(
        pytester,
        server,
        """
@pytest.mark.replay_cassette
@pytest.mark.parametrize("client", ALL, ids=lambda client: client.__name__)
def test_it(client, replay_cassette):
    got = [client(), client()]
    assert got[0] != got[1]
    same_as_before(client.__name__, got)
""",
    )
    run("--replay-mode=once").assert_outcomes(passed=8)
    made = sorted(path.name for path in (pytester.path / "cassettes" / "test_it").iterdir())
    assert made[0] == "test_it[by_aiohttp].cassette"
    assert len(made) == 8
    server.stop()
    run("--block-network").assert_outcomes(passed=8)


def test_without_a_cassette_nothing_is_asked(pytester: pytest.Pytester, run: Outcome, server: Counting) -> None:
    suite(
        pytester,
        server,
        """
@pytest.mark.replay_cassette
@pytest.mark.parametrize("client", ALL, ids=lambda client: client.__name__)
def test_it(client):
    client()
""",
    )
    result = run("-W", "ignore::pytest.PytestUnhandledThreadExceptionWarning")
    result.assert_outcomes(failed=8)
    result.stdout.fnmatch_lines_random(
        ["E *RequestNotRecorded: GET http://127.0.0.1:*/number: there is no *by_httpx].cassette (--replay-mode=once*"]
    )
    assert server.count == 0


def test_new_episodes_are_added_and_all_are_recorded_anew(
    pytester: pytest.Pytester, run: Outcome, server: Counting
) -> None:
    suite(
        pytester,
        server,
        """
import os

@pytest.mark.replay_cassette
def test_it():
    got = [by(path) for path in os.environ["PATHS"].split() for by in (by_httpx,)]
    pathlib.Path("got.json").write_text(json.dumps(got))
""",
    )

    def got(mode: str, paths: str) -> list[str]:
        monkey.setenv("PATHS", paths)
        run(f"--replay-mode={mode}").assert_outcomes(passed=1)
        return list(json.loads((pytester.path / "got.json").read_text()))

    with pytest.MonkeyPatch.context() as monkey:
        assert got("once", "/a /b") == ["1", "2"]
        assert got("new_episodes", "/a /c") == ["1", "3"]
        assert got("none", "/c /b /a") == ["3", "2", "1"]
        assert got("all", "/a") == ["4"]
        assert got("none", "/a /b /c") == ["4", "2", "3"]
        monkey.setenv("PATHS", "/d")
        run("--replay-mode=once").assert_outcomes(failed=1)
    assert server.count == 4


def test_secrets_stay_out_of_the_file(pytester: pytest.Pytester, run: Outcome, server: Counting) -> None:
    suite(
        pytester,
        server,
        """
@pytest.fixture
def vcr_config():
    return {"filter_headers": ["x-mine", ("x-other", "hidden")], "filter_query_parameters": ["key"]}

@pytest.mark.replay_cassette
def test_it():
    headers = {"authorization": "Bearer sk-proj-AbCdEfGh1234567890AbCdEfGh1234567890"}
    headers |= {"x-mine": "abc-mine-abc", "x-other": "abc-mine-abc"}
    httpx.get(URL + "/number?key=abc-mine-abc&n=1", headers=headers)
""",
    )
    run("--replay-mode=once").assert_outcomes(passed=1)
    made = pytester.path / "cassettes" / "test_it" / "test_it.cassette"
    shown = e2e.cli("show", made, "0", "--json").stdout
    assert b"abc-mine-abc" not in shown
    assert b"AbCdEfGh1234567890" not in shown
    assert b"n=1" in shown
    done = e2e.cli("run", made)
    e2e.error_line(done, "not-replayable")


def test_nothing_is_patched_outside_of_marked_tests(pytester: pytest.Pytester, run: Outcome, server: Counting) -> None:
    suite(
        pytester,
        server,
        """
import http.client, socket, sys, time, urllib3.connection

def state():
    owners = [httpx.HTTPTransport, httpx.AsyncHTTPTransport, http.client.HTTPConnection, http.client.HTTPSConnection,
              urllib3.connection.HTTPConnection, urllib3.connectionpool.HTTPConnectionPool, aiohttp.BaseConnector,
              aiohttp.TCPConnector, socket.socket, threading.Thread, asyncio.BaseEventLoop, time, asyncio]
    return [dict(vars(owner)) for owner in owners]

before = state()

@pytest.mark.replay_cassette
def test_1_marked():
    assert state() != before
    by_httpx()
    changed = [a for a, b in zip(before[8:], state()[8:]) if a != b]
    assert not changed

def test_2_not_marked():
    assert state() == before
    assert by_httpx() != by_httpx()
""",
    )
    run("--replay-mode=once").assert_outcomes(passed=2)


def test_the_network_is_blocked(pytester: pytest.Pytester, run: Outcome, server: Counting) -> None:
    suite(
        pytester,
        server,
        """
@pytest.mark.block_network
def test_blocked():
    with pytest.raises(httpx.ConnectError):
        by_httpx()

@pytest.mark.block_network(allowed_hosts=["127.*"])
def test_allowed():
    by_httpx()

def test_free():
    by_httpx()
""",
    )
    run("--strict-markers", "-W", "ignore::pytest.PytestUnraisableExceptionWarning").assert_outcomes(failed=1, passed=2)
    run("--block-network").assert_outcomes(failed=2, passed=1)
    run("--block-network", "--allowed-hosts=localhost,127.0.0.1", "-k", "free").assert_outcomes(passed=1, deselected=2)


def test_a_suite_of_pytest_recordings_switches_by_its_marker(pytester: pytest.Pytester, run: Outcome) -> None:
    """Its cassettes lie where they were, its `vcr_config` and `default_cassette` go on to mean what they meant."""
    folder = pytester.mkdir("cassettes")
    (folder / "test_agent").mkdir()
    shutil.copy(FIXTURES / "openllmetry" / "chat_tools.yaml", folder / "test_agent" / "TestChat.test_tools.yaml")
    shutil.copy(
        FIXTURES / "openllmetry" / "chat_streaming_with_events_with_content.yaml", folder / "test_agent" / "stream.yaml"
    )
    pytester.makepyfile(
        test_agent="""
        import openai, pytest, replay

        pytestmark = [pytest.mark.replay_cassette]          # was: pytest.mark.vcr

        @pytest.fixture(scope="module")
        def vcr_config():
            return {"filter_headers": ["authorization"], "match_on": ["method", "uri"]}

        @pytest.fixture
        def client():
            return openai.OpenAI(api_key="sk-none", max_retries=0)

        class TestChat:
            def test_tools(self, client):
                said = client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hello"}])
                assert said.choices[0].finish_reason == "tool_calls"

        @pytest.mark.default_cassette("stream.yaml")
        def test_stream(client):
            with pytest.raises(replay.ReplayError, match="not in .*stream.yaml"):
                client.embeddings.create(model="x", input="y")
            client = client.with_options(base_url="https://api.groq.com/openai/v1")
            pieces = list(client.chat.completions.create(model="gpt-4", messages=[], stream=True))
            assert len(pieces) > 3
        """
    )
    result = run("--block-network")
    result.assert_outcomes(passed=2)


def test_cassettes_of_real_suites_serve_their_tests(
    pytester: pytest.Pytester, run: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m tests.pytest_plugin.migrated fixtures/wire` runs all of them; here is every eighth."""
    chosen = sorted(FIXTURES.rglob("*.yaml"))[::8]
    folder = pytester.mkdir("real")
    for path in chosen:
        shutil.copy(path, folder / path.name)
    monkeypatch.setenv("MIGRATED", str(folder))
    shutil.copy(Path(__file__).with_name("migrated.py"), pytester.path / "test_migrated.py")
    outcome = run("--block-network").parseoutcomes()
    assert outcome.get("failed", 0) == 0
    assert outcome["passed"] >= len(chosen) - 3


def test_what_a_test_recorded_is_read_like_any_cassette(
    pytester: pytest.Pytester, run: Outcome, server: Counting
) -> None:
    suite(
        pytester,
        server,
        """
@pytest.mark.replay_cassette(record_mode="once")
def test_it(replay_cassette):
    assert httpx.post(URL + "/echo", json={"a": 1}).json() == {"n": 1, "asked": {"a": 1}}
    assert replay_cassette.play_count == (0 if replay_cassette.new else 1)
""",
    )
    for _ in range(2):
        run().assert_outcomes(passed=1)
    with replay.load(pytester.path / "cassettes" / "test_it" / "test_it.cassette") as cassette:
        [event] = cassette.events
        assert event.name == f"POST {server.url}/echo"
        assert cassette.status == "sealed"
    assert server.count == 1
    run("--replay-paths", ".").assert_outcomes(passed=1)
