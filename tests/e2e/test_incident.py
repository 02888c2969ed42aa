"""Several processes, one incident: who called whom is told along, and their cassettes are one timeline."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import replay
from replay.demo.server import spawn
from tests.e2e.test_requests import TRACE, ask, served
from tests.support.e2e import cli, cli_json, shown, write

BACK = """
import os, subprocess, sys, uuid
import httpx, replay
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def stock(request):
    subprocess.run([sys.executable, "batch.py"], check=True)
    async with httpx.AsyncClient() as client:
        said = (await client.post(os.environ["LLM"] + "/echo", json={"id": uuid.uuid4().hex})).json()
    return JSONResponse({"stock": 3, "told": request.headers.get("traceparent"), "said": said})

app = Starlette(routes=[Route("/stock", stock)])
app.add_middleware(replay.asgi, name="warehouse")
"""

BATCH = """
import os, random, replay

@replay.entrypoint(name="batch")
def count():
    return os.environ.get("TRACEPARENT"), random.random()

count()
"""

FRONT = """
import os, flask, requests, urllib.request, replay
app = flask.Flask("front")
app.wsgi_app = replay.wsgi(app.wsgi_app, name="desk")

@app.get("/order")
def order():
    first = requests.get(os.environ["BACK"] + "/stock").json()
    with urllib.request.urlopen(os.environ["BACK"] + "/stock") as answer:
        return {"first": first, "second": answer.read().decode()}
"""

UVICORN = ("uvicorn", "--port", "{port}", "--log-level", "warning", "main:app")
GUNICORN = ("gunicorn", "--threads", "4", "-b", "127.0.0.1:{port}", "--no-control-socket", "main:app")


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with what front, back and batch have recorded of two orders, the first of them traced."""
    top = tmp_path_factory.mktemp("incident")
    for name, program in (("back", BACK), ("front", FRONT)):
        write(top / name / "main.py", program)
    write(top / "back" / "batch.py", BATCH)
    where = {"REPLAY_DIR": str(top / "all"), "PYTHONHASHSEED": "0"}
    with (
        spawn(errors=0) as llm,
        served(top / "back", llm, *UVICORN, **where) as back,
        served(top / "front", llm, *GUNICORN, **where, BACK=back) as front,
    ):
        status, body = ask(f"{front}/order", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        assert (status, json.loads(body)["first"]["told"][:36]) == (200, f"00-{TRACE}-"), body
        status, body = ask(f"{front}/order")
        assert (status, json.loads(body)["first"]["told"]) == (200, None)  # who isn't told doesn't tell
    return top / "all"


def test_one_timeline(incident: Path) -> None:
    found = cli_json("show", "--incident", TRACE[:12], incident)
    names = [each["name"] for each in found["cassettes"]]
    assert (found["trace"], names[0], sorted(names)) == (TRACE, "desk", ["batch", "batch", "desk", *["warehouse"] * 2])
    hands = [(names[each["from"]["cassette"]], names[each["to"]["cassette"]]) for each in found["handoffs"]]
    assert sorted(hands) == sorted([("desk", "warehouse"), ("warehouse", "batch")] * 2)
    times = [event["at"] for event in found["events"]]
    assert times == sorted(times)
    begun = [(event["cassette"], event["id"]) for event in found["events"]]
    for each in found["handoffs"]:
        asked = each["from"]["cassette"], each["from"]["event"]
        assert begun.index(asked) < begun.index((each["to"]["cassette"], 0))
        assert found["cassettes"][each["to"]["cassette"]]["called_by"] == each["from"]
        (event,) = [e for e in found["events"] if (e["cassette"], e["id"]) == asked]
        assert event["kind"] in ("http", "process")


def test_as_text(incident: Path) -> None:
    done = cli("show", "--incident", TRACE, incident)
    text = done.stdout.decode()
    assert f"trace {TRACE}: 5 recordings" in text, shown(done)
    assert text.count("hands over to") == 4
    assert "[0] desk" in text
    missing = cli("show", "--incident", "ffff", incident)
    assert (missing.returncode, b"no cassette of trace ffff" in missing.stderr) == (125, True)
    assert cli("show").returncode == 129


def test_each_replays_alone(incident: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    seen: set[str] = set()
    for path in sorted(incident.glob("*.cassette")):
        with replay.load(path) as cassette:
            name = cassette.header["name"]
        if name not in seen:
            seen.add(name)
            run = replay.run(path)
            assert run.identical, (name, run, run.stderr.decode())
    assert seen == {"desk", "warehouse", "batch"}


def test_a_recorded_program_tells_its_children(tmp_path: Path) -> None:
    child = write(tmp_path / "child.py", "import random; print(random.random())\n")
    started = f"subprocess.run([sys.executable, {str(child)!r}], capture_output=True)"
    main = write(tmp_path / "main.py", f"import subprocess, sys\nprint({started}.stdout)\n")
    done = cli("record", "-o", tmp_path / "x.cassette", "--", sys.executable, main)
    assert done.returncode == 0, shown(done)
    trace = cli_json("show", tmp_path / "x.cassette")["cassette"]["trace"]["id"]
    found = cli_json("show", "--incident", trace, tmp_path)
    assert [each["called_by"] is None for each in found["cassettes"]] == [True, False]
    assert [each["identical"] for each in (cli_json("run", tmp_path / "x.cassette"),)] == [True]
