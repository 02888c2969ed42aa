"""`replay effects`: what was written to the world, what decided it, what it set off."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import replay
from replay.cassette.cassette import load
from replay.cassette.writer import Writer
from replay.forensics.effects import Effect, effects
from tests.forensics.cassettes import Desk, user
from tests.support.e2e import REPLAY, cli, cli_json, error_line, shown

ORDER = {"order": "A-1043", "amount": 129.0}


def found(path: Path) -> list[Effect]:
    with load(path) as cassette:
        return effects(cassette.events).all


def test_a_tool_belongs_to_the_call_that_asked_for_it_with_these_arguments(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    first = desk.llm([user("refund")], ("c1", "refund", {"order": "A-1043", "amount": 129}))
    desk.tool("refund", ORDER, owner="payments", reversible=False)
    second = desk.llm([user("refund")], ("c2", "refund", {"order": "A-1043", "amount": 129}))
    desk.tool("refund", ORDER)
    desk.tool("refund", ORDER)
    desk.close()
    one, two, three = found(path)
    assert (one.decided_by.event, one.decided_by.how, one.decided_by.call) == (first, "arguments", "c1")
    assert (one.reversible, one.owner, two.reversible) == (False, "payments", None)
    assert (two.decided_by.event, two.decided_by.again) == (second, False)
    assert (three.decided_by.event, three.decided_by.again) == (second, True), "nobody asked for a third one"


def test_of_agents_that_ask_alike_the_nearest_by_lanes_decided(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    near = desk.llm([user("refund")], ("c1", "refund", ORDER), lane="m/t1")
    far = desk.llm([user("refund")], ("c1", "refund", ORDER), lane="m/t2")
    desk.tool("refund", ORDER, lane="m/t1/e1")
    desk.tool("refund", ORDER, lane="m/t2/e1")
    desk.close()
    assert [each.decided_by.event for each in found(path)] == [near, far]


def test_other_arguments_than_were_asked_for_and_no_call_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    asked = desk.llm([user("refund")], ("c1", "refund", ORDER))
    desk.tool("refund", {**ORDER, "amount": 999.0})
    desk.tool("send_mail", {"to": "bo"})
    desk.tool("look", {"order": "A-1043"}, effect="read")
    desk.close()
    changed, code = found(path)
    assert (changed.decided_by.event, changed.decided_by.how) == (asked, "name")
    assert (code.decided_by.event, code.decided_by.how) == (None, "code")


def test_what_happens_inside_a_tool_was_decided_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    asked = desk.llm([user("refund")], ("c1", "refund", ORDER))
    tool = desk.tool("refund", ORDER)
    desk.http("POST", "https://pay.example/refunds", b'{"order": "A-1043"}', lane="m/x")
    desk.http("GET", "https://pay.example/refunds", lane="m/x")
    desk.close()
    _, inner = found(path)
    assert (inner.kind, inner.inside, inner.decided_by.event, inner.decided_by.how) == ("http", tool, asked, "inside")


def test_a_tool_that_is_no_declared_one_is_known_by_all_values_of_its_call(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    asked = desk.llm([user("refund")], ("c1", "refund", {"order": "A-1043", "amount": 129}))
    desk.http("POST", "https://pay.example/audit", b'{"who": "agent"}')
    desk.http("POST", "https://pay.example/refunds", b'{"id": "A-1043", "cents": 129}')
    desk.close()
    audit, refund = found(path)
    assert audit.decided_by.how == "code"
    assert (refund.decided_by.event, refund.decided_by.how) == (asked, "values")


STATEMENTS: list[tuple[dict[str, Any], bool]] = [
    ({"query": "INSERT INTO t VALUES (1)", "store": "pg"}, True),
    ({"query": "begin", "store": "pg"}, False),
    ({"query": "  update t set a = 1", "store": "pg"}, True),
]


@pytest.mark.parametrize(("request_", "counts"), STATEMENTS)
def test_statements_that_change_data_count(tmp_path: Path, request_: dict[str, Any], *, counts: bool) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    desk.event("memory", "psycopg.execute", "write", request_)
    desk.close()
    assert [each.kind for each in found(path)] == (["sql"] if counts else [])


def test_a_write_that_was_seen_and_not_stored_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    desk.event("gap", "open_port", "write", {"kind": "tool", "reason": "a socket can't be stored"})
    desk.close()
    (lost,) = found(path)
    assert (lost.what, lost.outcome, lost.error) == ("open_port", "lost", "a socket can't be stored")


PROGRAM = """
import pathlib, sqlite3, subprocess, sys
import replay

@replay.tool(effect="write", owner="ops", reversible=True)
def note(text):
    pathlib.Path("note.txt").write_text(text)

note("hello")
with open("log.txt", "a") as log:
    log.write("one")
    log.flush()
    log.write("two")
subprocess.run([sys.executable, "-c", "open('child.txt', 'w').write('x')"], check=True)
db = sqlite3.connect("x.db")
db.execute("create table t (a)")
db.commit()
"""


def test_files_processes_statements_and_what_a_child_was_set_off_by(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    recorded = [REPLAY, "-q", "record", "-o", "a.cassette", "--", sys.executable, str(program)]
    subprocess.run(recorded, check=True, cwd=tmp_path, capture_output=True)
    document = cli_json("effects", tmp_path / "a.cassette")
    by = {(each["kind"], each["what"]): each for each in document["effects"]}
    tool = by["tool", "note"]
    assert (tool["reversible"], tool["owner"], tool["decided_by"]["how"]) == (True, "ops", "code")
    (inner,) = [each for each in document["effects"] if each["what"].endswith("note.txt")]
    assert inner["inside"] == tool["event"]
    (log,) = [each for each in document["effects"] if each["what"].endswith("log.txt")]
    assert log["times"] > 1, "writes to one file are one effect"
    (child,) = [each for each in document["effects"] if each["kind"] == "process"]
    assert [one["how"] for one in child["triggered"]] == ["exec"]
    assert (tmp_path / child["triggered"][0]["path"]).is_file()
    assert any(kind == "sql" for kind, _ in by)
    done = cli("effects", tmp_path / "a.cassette")
    assert b"reversible \xc2\xb7 owner ops" in done.stdout, shown(done)
    assert b"set off a.d/" in done.stdout, shown(done)


def test_what_was_called_is_found_by_its_trace(tmp_path: Path) -> None:
    trace, span = "a" * 32, "b" * 16
    desk = Desk(tmp_path / "caller.cassette", id="01CALLER", trace={"id": trace})
    asked = desk.http("POST", "https://other.example/run", b"{}", traceparent=f"00-{trace}-{span}-01")
    desk.close()
    Desk(tmp_path / "called.cassette", id="01CALLED", trace={"id": trace, "parent": span}).close()
    Desk(tmp_path / "stranger.cassette", id="01OTHER", trace={"id": trace, "parent": "c" * 16}).close()
    (effect,) = cli_json("effects", tmp_path / "caller.cassette")["effects"]
    assert effect["event"] == asked
    assert [(one["path"], one["how"]) for one in effect["triggered"]] == [("called.cassette", "called")]


def test_recorded_text_is_escaped_and_damage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.cassette"
    desk = Desk(path)
    desk.tool("refund\x1b[2J", {"order": "\x1b[31m"})
    desk.close()
    assert b"\x1b[2J" not in cli("effects", path).stdout
    torn = tmp_path / "torn.cassette"
    torn.write_bytes((Path(__file__).parents[2] / "fixtures/cassettes/v1/torn.cassette").read_bytes())
    error_line(cli("effects", "-q", "--json", torn), "cassette-damaged")


def test_reversible_is_recorded_with_the_owner(tmp_path: Path) -> None:
    @replay.tool(effect="write", owner="pay", reversible=False)
    def refund(order: str) -> str:
        return order

    with replay.record(tmp_path / "a.cassette"):
        refund("A-1")
    with load(tmp_path / "a.cassette") as cassette:
        (event,) = [each for each in cassette.events if each.kind == "tool"]
    assert dict(event.meta) == {"owner": "pay", "reversible": False}


def test_bodies_that_are_stored_as_differences_are_put_together_where_they_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = Writer.create(path, {"argv": ["agent.py"]})
    writer.lane(0, "m")
    for n in range(3):
        request: dict[str, Any] = {"method": "POST", "url": "https://shop.example/orders", "headers": []}
        body = b'{"note": "' + b"as it was agreed on the telephone, " * 100 + f'", "order": {n}}}'.encode()
        writer.event(0, "http", "POST", "write", n, None, request, body, "orders", None, 1, 0, {"status": 201})
    writer.end({})
    writer.seal()
    writer.close()
    found = [each["arguments"] for each in cli_json("effects", path)["effects"]]
    assert [text[-13:] for text in found] == [f'", "order": {n}}}'[-13:] for n in range(3)]
    with load(path) as cassette:
        assert effects(cassette.events) == effects(cassette.events.light(), cassette.events.__getitem__)


CALLED = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import replay

def app(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"paid"]

class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

with make_server("127.0.0.1", 0, replay.wsgi(app), handler_class=Quiet) as server:
    print(server.server_port, flush=True)
    for _ in range(2):
        server.handle_request()
"""

CALLER = """
import sys, urllib.request
import replay

@replay.tool(effect="write", owner="pay", reversible=True)
def charge(order, amount):
    data = b'{"order": "A-1"}'
    return urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/charges", data)).read().decode()

@replay.tool(effect="write", reversible=False)
def ship(order):
    return order

charge("A-1", 7)
ship("A-1")
"""


def test_what_a_tool_set_off_in_another_process_is_under_it(tmp_path: Path) -> None:
    """Two programs, each recorded on its own, a server from within and its client by `replay record`."""
    for name, source in (("called.py", CALLED), ("caller.py", CALLER)):
        (tmp_path / name).write_text(source)
    env = {**os.environ, "REPLAY_DIR": str(tmp_path), "NO_PROXY": "127.0.0.1", "REPLAY_PROPAGATE": "always"}
    with subprocess.Popen(
        [sys.executable, tmp_path / "called.py"], env=env, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        asks = [sys.executable, str(tmp_path / "caller.py"), url]
        done = cli("record", "-o", tmp_path / "caller.cassette", "--", *asks, env=env)
        assert done.returncode == 0, shown(done)
        with urllib.request.urlopen(f"{url}/nobody"):
            pass  # of another trace: not the caller's
    charged, inner, shipped = cli_json("effects", tmp_path / "caller.cassette")["effects"]
    assert [(each["what"], each["reversible"]) for each in (charged, shipped)] == [("charge", True), ("ship", False)]
    assert (inner["kind"], inner["inside"]) == ("http", charged["event"])
    (called,) = inner["triggered"]
    with load(tmp_path / called["path"]) as cassette:
        assert cassette.header["id"] == called["id"]
        assert cassette.header["trace"]["parent"]
    assert len(list(tmp_path.glob("*.cassette"))) == 3
    printed = cli("effects", tmp_path / "caller.cassette").stdout.decode()
    assert "set off " in printed
    assert "reversible" in printed
