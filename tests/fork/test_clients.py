"""Live forks of programs that reach the world by http.client (requests, urllib3, urllib) or openai's async client."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from replay.cassette.cassette import load
from replay.fork.engine import execute
from replay.fork.plan import Plan, Substitute
from replay.launch import run
from tests.fork.worlds import AGENT, recorded, world

CLIENTS: Final = {
    "requests": """
import requests
session = requests.Session()
def send(method, path, body=None):
    return session.request(method, BASE + path, json=body).json()
""",
    "urllib3": """
import urllib3
pool = urllib3.PoolManager(retries=False)
def send(method, path, body=None):
    return pool.request(method, BASE + path, json=body).json()
""",
    "urllib": """
import urllib.request
def send(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(BASE + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)
""",
}
AS_HTTPX: Final = """
class Answer:
    def __init__(self, value):
        self.value = value
    def json(self):
        return self.value

class http:
    get = staticmethod(lambda path: Answer(send("GET", path)))
    post = staticmethod(lambda path, json: Answer(send("POST", path, json)))
"""
OPENAI: Final = """
import asyncio, json, os
import openai
import replay

@replay.tool(effect="read")
async def lookup(order):
    await asyncio.sleep(0.001)
    return {"order": order, "state": "lost", "total": 7}

async def ask(client, customer):
    messages = [{"role": "system", "content": f"You serve {customer}."}, {"role": "user", "content": "order A-1"}]
    for turn in range(2):
        async with asyncio.timeout(30):
            answer = await client.chat.completions.create(model="gpt-x", messages=messages)
        message = answer.choices[0].message
        if not message.tool_calls or turn:
            break
        messages.append(message.model_dump(exclude_none=True))
        found = await lookup("A-1")
        messages.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": json.dumps(found)})
    print(customer, message.content or message.tool_calls[0].function.arguments, flush=True)

async def main():
    async with openai.AsyncOpenAI(base_url=os.environ["BASE"] + "/v1", api_key="none") as client:
        await asyncio.gather(ask(client, "Ada"), ask(client, "Bob"))

asyncio.run(main())
"""
SHIPPED: Final = Substitute("value", {"order": "A-1", "state": "shipped"})


def agent(client: str) -> str:
    own = CLIENTS[client] + AS_HTTPX
    return AGENT.replace("import httpx\n", "").replace("http = httpx.Client(base_url=BASE)\n", own)


def looked_up(path: str) -> list[int]:
    with load(path) as cassette:
        return [event.id for event in cassette.events if event.kind == "tool" and event.name.endswith("lookup")]


def replays(path: str | None) -> None:
    assert path is not None
    again = run(path)
    assert again.identical, again.divergence


@pytest.mark.parametrize("client", CLIENTS)
def test_a_model_is_asked_and_effects_are_held(client: str, tmp_path: Path) -> None:
    with world() as around:
        url = around.url.replace("127.0.0.1", "localhost")  # a name is looked up, too
        base = recorded(tmp_path, agent(client), url)
        around.seen.clear()
        (looked,) = looked_up(base)
        shipped = Plan(base, at=looked, substitutes={looked: SHIPPED}, then="live")
        found = execute(shipped, tmp_path / "shipped.cassette")
        assert found.status == "ended", found.reason
        assert b'"state": "shipped"' in found.stdout.splitlines()[-1]
        assert around.seen == ["POST /v1/chat/completions"]
        replays(found.cassette)
        held = execute(Plan(base, at=looked, then="live"), tmp_path / "held.cassette")
        assert held.status == "held", held.reason
        assert "/refunds would change the world" in held.reason
        assert around.seen == ["POST /v1/chat/completions"] * 2  # nothing of the refund has left
        replays(held.cassette)


def test_an_effect_goes_out_once_it_is_allowed(tmp_path: Path) -> None:
    with world() as around:
        base = recorded(tmp_path, agent("requests"), around.url)
        around.seen.clear()
        (looked,) = looked_up(base)
        refused = execute(
            Plan(base, at=looked, then="live", ask=True), tmp_path / "no.cassette", approve=lambda _: False
        )
        assert (refused.status, around.count("POST /refunds")) == ("held", 0)
        found = execute(Plan(base, at=looked, then="live", allow_effects=True), tmp_path / "out.cassette")
        assert found.status == "ended", found.reason
        assert around.count("POST /refunds") == 1
        replays(found.cassette)
        assert around.count("POST /refunds") == 1


def test_a_model_that_is_gone(tmp_path: Path) -> None:
    """The program gets the error that its client raises, and so it does at a replay."""
    with world() as around:
        base = recorded(tmp_path, agent("requests"), around.url)
    (looked,) = looked_up(base)
    found = execute(Plan(base, at=looked, then="live"), tmp_path / "fork.cassette")
    assert (found.status, found.exit_code) == ("ended", 1), found.reason
    assert b"Connection refused" in found.stderr
    assert b"requests.exceptions.ConnectionError" in found.stderr
    replays(found.cassette)


def test_openai_async(tmp_path: Path) -> None:
    """Two conversations at once on one client, forked between their turns."""
    with world() as around:
        base = recorded(tmp_path, OPENAI, around.url)
        around.seen.clear()
        first, _ = looked_up(base)
        same = execute(Plan(base, at=first), tmp_path / "same.cassette")
        assert (same.status, same.exit_code) == ("ended", 0), (same.reason, same.stderr)
        assert around.seen == []
        shipped = Plan(base, at=first, substitutes={first: SHIPPED}, then="live")
        live = execute(shipped, tmp_path / "live.cassette")
        assert (live.status, live.exit_code) == ("ended", 0), (live.reason, live.stderr)
        assert live.stdout.count(b"done:") == 1
        assert around.seen == ["POST /v1/chat/completions"] * 2
        replays(live.cassette)
