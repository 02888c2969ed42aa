"""Every seam passes the same tests, with each client that it covers (`clients.py`).

A client's scenarios (`program.py`) are recorded once against a server that answers by chance and misbehaves, and
replayed once with that server gone; the tests look at what the program printed and at what the cassette holds.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import run as run_process
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pytest

from replay.cassette.cassette import load
from replay.launch import Run, run
from replay.model.event import Event
from tests.conformance.odd_server import CHUNKS, OddServer

ROOT = Path(__file__).parents[2]
SYNC = ("httpx", "httpx2", "requests", "urllib3", "urllib", "http.client")
ASYNC = ("httpx async", "httpx2 async", "aiohttp")
CALLERS = 64
_RECORD = "import sys; from replay.launch import record_command; record_command(sys.argv[2:], sys.argv[1])"
_SCRATCH = TemporaryDirectory(prefix="conformance-")

every_client = pytest.mark.parametrize("client", SYNC + ASYNC)


@dataclass(frozen=True)
class Recorded:
    """One client's recording, and its replay with the server gone."""

    lines: dict[str, Any]
    events: tuple[Event, ...]
    blind_spots: tuple[Any, ...]
    requests: int
    replayed: Run
    output: str

    def http(self, scenario: str) -> list[Event]:
        """The http events of a scenario."""
        return [event for event in self.events if event.kind == "http" and f"/{scenario}/" in event.name]


@pytest.fixture(scope="session", autouse=True)
def _scratch() -> Iterator[None]:
    yield
    _SCRATCH.cleanup()


@cache
def recorded(client: str) -> Recorded:
    """Record and replay a client's scenarios; once in a session."""
    path = str(Path(mkdtemp(dir=_SCRATCH.name)) / f"{client}.cassette")
    with OddServer() as server:
        command = [sys.executable, "-m", "tests.conformance.program", client, server.url]
        record = [sys.executable, "-c", _RECORD, path, *command]
        done = run_process(record, capture_output=True, text=True, check=False, cwd=ROOT)
        requests = server.requests
    assert (done.returncode, done.stderr) == (0, "")
    cassette = load(path)
    lines = dict(json.loads(line) for line in done.stdout.splitlines())
    return Recorded(lines, tuple(cassette.events), tuple(cassette.blind_spots), requests, run(path), done.stdout)


def body_of(event: Event) -> bytes:
    """The response's body, decoded."""
    whole = b"".join(piece.value for piece in event.pieces if piece.status == "piece")
    encodings = [value for name, value in event.response["headers"] if name.lower() == "content-encoding"]
    return gzip.decompress(whole) if encodings == ["gzip"] else whole


@every_client
def test_replay_is_identical_without_server_and_network(client: str) -> None:
    found = recorded(client)
    assert (found.replayed.divergence, found.replayed.escapes, found.replayed.gap) == (None, (), None)
    assert found.replayed.identical
    assert found.replayed.stdout.decode() == found.output
    assert found.replayed.stderr == b""


@every_client
def test_nothing_crosses_unseen(client: str) -> None:
    found = recorded(client)
    assert found.blind_spots == ()
    refused = 1  # the server never saw it
    assert sum(event.kind == "http" for event in found.events) == found.requests + refused


@every_client
def test_result(client: str) -> None:
    found = recorded(client)
    first, second = found.http("result")
    assert [json.loads(body_of(event)) for event in (first, second)] == found.lines["result"]
    assert (first.status, first.effect, first.request["method"]) == ("streamed", "read", "GET")
    assert first.request["url"].endswith("/result/answer/a")
    assert {name.lower() for name, _ in first.request["headers"]} >= {"host"}
    assert (first.response["status"], first.response["reason"], first.response["version"]) == (200, "OK", "HTTP/1.1")
    assert ["Content-Type", "application/json"] in first.response["headers"]
    assert first.site is not None
    assert first.site.file.endswith(("clients.py", "program.py"))


@every_client
def test_calls_share_a_connection(client: str) -> None:
    first, second = recorded(client).lines["result"]
    assert (first["connection"] == second["connection"]) is (client != "urllib")  # which keeps none


@every_client
def test_exceptions_are_outcomes(client: str) -> None:
    found = recorded(client)
    closed, cut, refused, timeout = found.lines["error"]
    assert "disconnected" in closed[1].lower() or "closed connection" in closed[1]
    assert "10" in cut[1]
    assert "refused" in refused[1] or "failed" in refused[1] or "Connect call failed" in refused[1]
    assert "time" in timeout[0].lower() or "timed out" in timeout[1]
    *of_closed, of_cut, of_refused, of_timeout = found.http("error")
    assert {event.status for event in of_closed} == {"failed"}
    assert len(of_closed) == (2 if client == "aiohttp" else 1)  # which tries a GET once more by itself
    assert of_refused.status == of_timeout.status == "failed"
    assert of_cut.status == "streamed"
    assert b"".join(piece.value for piece in of_cut.pieces if piece.status == "piece") == b"ten bytes!"


@every_client
def test_stream_keeps_chunks(client: str) -> None:
    found = recorded(client)
    whole, _, _ = found.lines["stream"]
    assert [len(piece) for piece in whole] == list(CHUNKS)
    event = found.http("stream")[0]
    assert [piece.value.decode() for piece in event.pieces if piece.status == "piece"] == whole
    assert event.pieces[-1].status == "end"


@every_client
def test_first_piece_comes_before_the_last_was_sent(client: str) -> None:
    found = recorded(client)
    _, first, rest = found.lines["stream"]
    assert (first, rest) == ("first", ["second", "third"])  # those two were sent only after the first had come
    _, gated, opened = found.http("stream")
    assert gated.pieces[0].at < opened.at < gated.pieces[1].at


@every_client
def test_stream_is_left_early(client: str) -> None:
    found = recorded(client)
    assert found.lines["early"][0] == "first"
    endless, after = found.http("early")
    assert endless.pieces[0].value == b"first"
    assert (endless.pieces[-1].status, endless.pieces[-1].value) == ("closed", None)
    assert {piece.status for piece in endless.pieces[:-1]} == {"piece"}
    assert json.loads(body_of(after)) == found.lines["early"][1]


@every_client
def test_bodies_are_sent_and_stored(client: str) -> None:
    found = recorded(client)
    said = [answer["body"] for answer in found.lines["upload"]]
    events = found.http("upload")
    assert [event.body for event in events] == [body.encode() for body in said]
    assert said == ["plain", "one two"][: len(said)]
    assert {event.effect for event in events} == {"write"}


@every_client
def test_redirects_are_requests(client: str) -> None:
    found = recorded(client)
    assert found.lines["moved"]["key"] == "there"
    assert [event.response["status"] for event in found.http("moved")] == [302, 200]


@every_client
def test_concurrent_callers_get_their_own_answers(client: str) -> None:
    found = recorded(client)
    assert [answer["key"] for answer in found.lines["concurrent"]] == [str(number) for number in range(CALLERS)]
    events = found.http("concurrent")
    assert len(events) == CALLERS
    assert len({event.lane for event in events}) == CALLERS
    answers = {event.request["url"].rpartition("/")[2]: json.loads(body_of(event)) for event in events}
    assert [answers[str(number)] for number in range(CALLERS)] == found.lines["concurrent"]


@every_client
def test_calls_inside_a_tool_are_recorded_inside_of_it(client: str) -> None:
    found = recorded(client)
    assert [answer["key"] for answer in found.lines["nested"]] == ["x", "outside"]
    calls = [(event.request["url"].rpartition("/")[2], "x" in event.lane.split("/")) for event in found.http("nested")]
    assert calls == [("inside", True), ("x", True), ("outside", False)]
    (tool,) = [event for event in found.events if event.kind == "tool"]
    assert tool.response == found.lines["nested"][0]


@pytest.mark.parametrize("client", ASYNC)
def test_cancellation(client: str) -> None:
    found = recorded(client)
    call, first, second, reading, after = found.lines["cancelled"]
    assert (call, first, second, reading[0]) == (["CancelledError", "enough"], "first", "second", "CancelledError")
    hang = next(event for event in found.http("cancelled") if "/hang/" in event.name)
    assert hang.error is not None
    assert hang.error.type.endswith("CancelledError")
    endless = next(event for event in found.http("cancelled") if "/endless/" in event.name)
    assert "error" in {piece.status for piece in endless.pieces}
    assert after["key"] == "0"
