"""Planted canaries, in every mode of recording and through every seam: no byte of them in anything that is written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from replay.cassette import age, keyring
from replay.cassette.reader import Reader
from replay.launch import run
from tests.e2e.test_redaction import CANARIES
from tests.e2e.test_requests import ask, served
from tests.stores.servers import redis_server
from tests.support.e2e import cli, shown, write
from tests.support.programs import explained

PROGRAM = r"""
import asyncio, json, multiprocessing, os, resource, signal, sqlite3, subprocess, sys, threading, time
import replay

secrets = json.load(open(os.environ["SECRETS"]))
mode = os.environ.get("MODE", "")
work = os.environ["WORK"]
if mode == "disk":
    sys.dont_write_bytecode = True  # else a module imported under the limit is left cut off, for all programs
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))

@replay.tool
def look(text, more=()):
    return {"about": text, "more": [text, *more], "nested": {"deep": (text,)}}

@replay.tool(effect="read")
def fails(text):
    raise LookupError(f"nothing about {text}")

notes = replay.memory({}, name="notes")

def one(name, secret):
    found = look(secret, [f"about {secret}!"])
    notes[name] = f"remember {secret}"
    print(name, notes[name], found["nested"])
    try:
        fails(secret)
    except LookupError as error:
        print("failed", error)

def files(name, secret):
    path = os.path.join(work, f"{name}.txt")
    with open(path, "w") as file:
        file.write(f"{name}: {secret}\n")
    with open(path) as file:
        print(file.read())
    with open(path, "rb") as file:
        print(len(file.read()))

def rows(name, secret):
    database = sqlite3.connect(os.path.join(work, "rows.db"))
    database.execute("create table if not exists t (name, secret)")
    database.execute("insert into t values (?, ?)", (name, f"row {secret}"))
    database.execute(f"insert into t values ('{name}', '{secret}')")
    database.commit()
    print(database.execute("select secret from t where name = ?", (name,)).fetchall()[0][0][:3])
    database.close()

def processes(name, secret):
    done = subprocess.run(["/bin/sh", "-c", "cat; echo $GIVEN >&2"], input=secret, capture_output=True, text=True,
                          env={"GIVEN": f"given {secret}"})
    print(done.stdout, done.stderr)

def child(name, secret):
    one(f"child {name}", secret)

def forked(name, secret):
    pid = os.fork()
    if pid == 0:
        one(f"forked {name}", secret)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)

async def tasks():
    async def task(name, secret):
        await asyncio.sleep(0)
        one(f"task {name}", secret)
    await asyncio.gather(*(task(*each) for each in secrets.items()))

for name, secret in secrets.items():
    one(name, secret)
    files(name, secret)
    rows(name, secret)
    if name in ("openai", "email", "card"):
        processes(name, secret)
if mode != "disk":
    asyncio.run(tasks())
    threads = [threading.Thread(target=one, args=(f"thread {name}", secret)) for name, secret in secrets.items()]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    forked(*next(iter(secrets.items())))
    spawned = multiprocessing.get_context("fork").Process(target=child, args=next(iter(secrets.items())))
    spawned.start()
    spawned.join()
print("done")
if mode == "dump":
    replay.dump(f"somebody wrote {secrets['openai']}")
if mode == "fails":
    raise RuntimeError(f"no use with {secrets['github']} of {secrets['email']}")
if mode == "killed":
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def everything(where: Path) -> bytes:
    """Each byte below a directory, and what is in cassettes, unpacked and decrypted."""
    found: list[bytes] = []
    for path in sorted(where.rglob("*")):
        if path.is_file():
            found.append(path.read_bytes())
            if path.suffix in (".cassette", ".part") and found[-1]:
                with Reader.open(path) as reader:
                    found += [bytes(payload) for *_, payload in reader.frames()]
    return b"\0".join(found)


def leaked(where: Path, secrets: Iterable[str] = CANARIES.values()) -> list[str]:
    """The canaries that are there: as they are, without their separators, and as the wire spells them."""
    data = everything(where)
    assert data
    spelled = {
        secret: (secret, secret.replace("@", "%40"), secret.replace(" ", ""), secret.upper()) for secret in secrets
    }
    return [secret for secret, ways in spelled.items() if any(way.encode() in data for way in ways)]


def environment(directory: Path, **more: str) -> dict[str, str]:
    (directory / "secrets.json").write_text(json.dumps(CANARIES))
    (directory / "work").mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("REPLAY_")}
    return {**kept, "SECRETS": str(directory / "secrets.json"), "WORK": str(directory / "work"), **more}


MODES: dict[str, tuple[list[str], str, int]] = {
    "strict threads": (["--threads", "strict"], "", 0),
    "audit": (["--audit"], "", 0),
    "flight recorder": (["--flight-recorder", "64MB"], "dump", 0),
    "small flight recorder": (["--flight-recorder", "300KB"], "fails", 1),
    "encrypted": (["--encrypt", "{recipient}"], "", 0),
    "encrypted and killed": (["--encrypt", "{recipient}"], "killed", 137),
    "an exception": ([], "fails", 1),
    "a full disk": ([], "disk", 0),
    "killed": ([], "killed", 137),
    "strict and killed": (["--threads", "strict"], "killed", 137),
    "a flight recorder that is killed": (["--flight-recorder", "1MB"], "killed", 137),
}


OFTEN = ("strict threads", "flight recorder", "encrypted and killed", "a full disk", "killed")


@pytest.mark.parametrize("mode", [pytest.param(m, marks=[] if m in OFTEN else pytest.mark.torture) for m in MODES])
def test_no_canary_in_any_mode(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options, ends, code = MODES[mode]
    identity = age.write_identity(os.fspath(tmp_path / "identity"), "now")
    options = [option.format(recipient=identity.recipient) for option in options]
    program = write(tmp_path / "program.py", PROGRAM)
    path = tmp_path / "made" / "x.cassette"
    environ = environment(tmp_path, MODE=ends)
    done = cli("record", *options, "-o", path, "--", sys.executable, program, env=environ, cwd=tmp_path)
    assert done.returncode == code, shown(done)
    assert b"done" in done.stdout
    monkeypatch.setenv(keyring.VARIABLE, str(tmp_path / "identity"))
    assert leaked(path.parent) == []
    assert b"redacted:" in everything(path.parent)
    if not ends:
        again = run(str(path))
        assert again.identical, explained(again)


BETWEEN = """
import json, os, sys, redis
client = redis.Redis(unix_socket_path=sys.argv[1], decode_responses=True)
for name, secret in json.load(open(os.environ["SECRETS"])).items():
    client.set(name, f"stored {secret}")
    client.hset("all", name, secret)
    client.rpush("list", secret, f"and {secret}")
    print(client.get(name), client.lrange("list", -1, -1), client.lrange("list", 0, 0))
with client.pipeline() as pipe:
    for name in client.hkeys("all"):
        pipe.get(name)
    print(pipe.execute())
"""


def test_redis(tmp_path: Path) -> None:
    program = write(tmp_path / "program.py", BETWEEN)
    path = tmp_path / "made" / "x.cassette"
    with redis_server() as socket:
        done = cli("record", "-o", path, "--", sys.executable, program, socket, env=environment(tmp_path))
    assert done.returncode == 0, shown(done)
    assert leaked(path.parent) == []
    again = run(str(path))
    assert again.identical, explained(again)


APP = """
import json, os
import replay
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

@replay.tool
def look(text):
    return f"found {text}"

async def answer(request):
    asked = await request.json()
    return JSONResponse({"found": [look(text) for text in asked.values()]}, headers={"X-Note": asked["email"]})

async def stream(request):
    asked = await request.json()
    async def pieces():
        for text in asked.values():
            yield f"{text}\\n"
    return StreamingResponse(pieces())

app = Starlette(routes=[Route("/answer", answer, methods=["POST"]), Route("/stream", stream, methods=["POST"])])
app = replay.asgi(app)
"""


def test_requests_of_a_server(tmp_path: Path) -> None:
    write(tmp_path / "main.py", APP)
    made = tmp_path / "dir"
    with served(tmp_path, "", "uvicorn", "--port", "{port}", "--log-level", "warning", "main:app") as url:
        for where in ("answer", "stream"):
            token = {"Authorization": f"Bearer {CANARIES['jwt']}", "Cookie": f"s={CANARIES['slack']}"}
            status, body = ask(f"{url}/{where}?api_key={CANARIES['anthropic']}", CANARIES, token)
            assert status == 200
            assert CANARIES["aws"].encode() in body
    assert leaked(made) == []
    for path in made.glob("*.cassette"):
        again = run(path, cwd=str(tmp_path))
        assert again.identical, explained(again)


MCP = """
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    secrets = json.load(open(os.environ["SECRETS"]))
    env = {"API_TOKEN": secrets["slack"]}
    server = StdioServerParameters(command=sys.executable, args=["-I", "server.py"], env=env)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        for name, secret in secrets.items():
            found = await session.call_tool("look", {"text": secret})
            print(name, found.content[0].text)

asyncio.run(main())
"""
SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("looks")

@server.tool()
def look(text: str) -> str:
    return f"about {text}: nothing"

server.run()
"""


def test_mcp(tmp_path: Path) -> None:
    program = write(tmp_path / "program.py", MCP)
    write(tmp_path / "server.py", SERVER)
    path = tmp_path / "made" / "x.cassette"
    done = cli("record", "-o", path, "--", sys.executable, program, env=environment(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, shown(done)
    assert leaked(path.parent) == []
    again = run(str(path))
    assert again.identical, explained(again)
