"""`import replay`: blocks, tools, memory, entry points, run and load, as a program uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import replay
from replay.model.errors import NotReplayable
from tests.support.e2e import cli, cli_json, error_line, record, shown, start, write


def one(directory: Path) -> Path:
    [found] = directory.glob("*.cassette")
    return found


TOOLS = """
import asyncio, datetime, decimal, enum, random, sys, time, uuid
from dataclasses import dataclass, field
from pathlib import PurePosixPath
import replay


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Order:
    id: str
    price: decimal.Decimal
    at: datetime.datetime
    tags: set = field(default_factory=set)


class Refused(Exception):
    def __init__(self, code, *, amount):
        super().__init__(code)
        self.amount = amount


@replay.tool
def plain(a, b=2, *rest, c, **more):
    return [a, b, rest, c, more, random.random()]


@replay.tool(effect="read", owner="shop", name="orders.find")
def named(order: Order) -> Order:
    return Order(order.id + str(uuid.uuid4()), order.price * 2, datetime.datetime.now(), order.tags | {random.random()})


@replay.tool
async def coroutine(n):
    await asyncio.sleep(random.random() / 200)
    if random.random() < 0.3:
        raise Refused("limit", amount=n)
    return n, time.time()


@replay.tool
def generator(n):
    for _ in range(n + random.randrange(3)):
        yield random.random()
    raise Refused("end", amount=random.random())


@replay.tool
async def async_generator(n):
    for _ in range(n + random.randrange(3)):
        await asyncio.sleep(0)
        yield random.random()


class Desk:
    def __init__(self):
        self.name = uuid.uuid4().hex

    @replay.tool
    def method(self, order, *, urgent=False):
        return self.name, order, urgent, random.random()

    @replay.tool
    async def async_method(self, order):
        return order, random.random()

    @classmethod
    @replay.tool
    def inner(cls, x):
        return cls.__name__, x, random.random()

    @replay.tool
    @classmethod
    def outer(cls, x):
        return cls.__name__, x, random.random()

    @replay.tool
    @staticmethod
    def static(x):
        return x, random.random()


@replay.tool
def fails(kind):
    raise {"own": Refused("no", amount=random.random()), "key": KeyError(random.random()),
           "os": OSError(2, str(random.random())), "exit": SystemExit(3), "stop": StopIteration(random.random())}[kind]


@replay.tool
def values():
    return {
        "int": 10**30, "float": float("inf"), "bytes": random.randbytes(5), "none": None, "tuple": (1, (2,)),
        "set": {1, 2}, "frozen": frozenset("a"), "enum": Colour.RED, "path": PurePosixPath("a/b"),
        "time": datetime.timedelta(seconds=1), "uuid": uuid.uuid4(), 1: {(1, 2): 3}, "nan": str(float("nan")),
    }


async def asynchronous():
    print(await asyncio.gather(*(coroutine(n) for n in range(6)), return_exceptions=True))
    print([value async for value in async_generator(2)])
    print(await Desk().async_method("o"))


def main():
    print(plain(1, c=3), plain(1, 5, 6, 7, c=8, d=9))
    print(named(Order("A", decimal.Decimal("1.10"), datetime.datetime(2026, 1, 1), {1})))
    desk = Desk()
    print(desk.method("o", urgent=True), Desk.inner(1), Desk.outer(2), Desk.static(3), desk.outer(4))
    taken = []
    try:
        for value in generator(2):
            taken.append(value)
    except Refused as error:
        print(taken, error, error.amount)
    for kind in ("own", "key", "os", "exit", "stop"):
        try:
            fails(kind)
        except BaseException as error:
            print(type(error).__name__, error, error.args, vars(error))
    print(values())
    half = generator(5)
    print(next(half), next(half))
    half.close()
    asyncio.run(asynchronous())
"""
AS_PROGRAM = TOOLS + "\n\nmain()\n"
AS_BLOCK = (
    TOOLS + '\n\nprint("before", random.random())\nwith replay.record(sys.argv[1], tags={"env": "prod"}, name="n"):\n'
    "    main()\n"
)
AS_ASYNC_BLOCK = (
    TOOLS
    + """

async def whole():
    print("before", random.random())
    with replay.record(sys.argv[1]):
        await asynchronous()

asyncio.run(whole())
"""
)


def test_tools(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", AS_PROGRAM), tmp_path / "x.cassette")
    assert recorded.exit_code == 0, recorded.stderr.decode()
    for _ in range(3):
        run = replay.run(recorded.path)
        assert run.identical, (run, run.stderr)
        assert run.stdout == recorded.stdout
    with replay.load(recorded.path) as cassette:
        assert not cassette.gaps
        tools = [event for event in cassette.events if event.kind == "tool"]
    found = next(event for event in tools if event.name == "orders.find")
    assert (found.effect, found.meta) == ("read", {"owner": "shop"})
    assert next(event for event in tools if event.name == "plain").request["a"] == 1
    assert next(event for event in tools if event.name == "method").request == {"order": "o", "urgent": True}
    assert {event.effect for event in tools if event.name != "orders.find"} == {"write"}


@pytest.mark.parametrize("source", [AS_BLOCK, AS_ASYNC_BLOCK], ids=["sync", "async"])
def test_a_block(source: str, tmp_path: Path) -> None:
    program, path = write(tmp_path / "p.py", source), tmp_path / "x.cassette"
    done = start(program, path)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    inside = done.stdout.partition(b"\n")[2]
    with replay.load(path) as cassette:
        assert cassette.status == "sealed"
        assert (cassette.header["entry"]["type"], len(cassette.gaps)) == ("block", 0)
        if source is AS_BLOCK:
            assert (cassette.header["tags"], cassette.header["name"]) == ({"env": "prod"}, "n")
    for _ in range(3):
        run = replay.run(path)
        assert run.identical, (run, run.stderr)
        assert run.stdout.partition(b"\n")[2] == inside
    program.write_text(
        source.replace("range(n + random", "range(1 + n + random").replace(
            "coroutine(n) for n", "coroutine(n + 1) for n"
        )
    )
    done = cli("run", path)
    assert done.returncode == 1, shown(done)


def test_a_block_that_fails(tmp_path: Path) -> None:
    source = """
import sys, replay
@replay.tool
def pay(): raise ValueError("no money")
with replay.record(sys.argv[1]):
    pay()
"""
    program, path = write(tmp_path / "p.py", source), tmp_path / "x.cassette"
    done = start(program, path)
    assert (done.returncode, b"ValueError: no money" in done.stderr) == (1, True)
    with replay.load(path) as cassette:
        assert cassette.outcome is not None
        assert cassette.outcome["exception"] == {"type": "builtins.ValueError", "message": "no money"}
    assert replay.run(path).identical


def test_blocks_in_a_row_and_nested(tmp_path: Path) -> None:
    """Each its own cassette; within another one, nothing more than the outer recording."""
    source = """
import random, sys, replay
@replay.tool
def draw(n): return n, random.random()
for number in range(3):
    with replay.record(f"{sys.argv[1]}/{number}.cassette"):
        print(draw(number))
        with replay.record(f"{sys.argv[1]}/inner.cassette"):
            print(draw(-1))
        print(draw(-2))
"""
    program = write(tmp_path / "p.py", source)
    done = start(program, tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("*.cassette")) == ["0.cassette", "1.cassette", "2.cassette"]
    lines = done.stdout.splitlines(keepends=True)
    for number in range(3):
        run = replay.run(tmp_path / f"{number}.cassette")
        assert run.identical, (run, run.stderr)
        assert run.stdout.endswith(b"".join(lines[3 * number : 3 * number + 3]))
        with replay.load(tmp_path / f"{number}.cassette") as cassette:
            calls = [event.request["n"] for event in cassette.events if event.kind == "tool"]
        assert calls == [number, -1, -2]


def test_a_block_in_a_recorded_program(tmp_path: Path) -> None:
    source = "import replay, time\nwith replay.record('inner.cassette'):\n    print(time.time())\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette", cwd=tmp_path)
    assert not (tmp_path / "inner.cassette").exists()
    assert replay.run(recorded.path).identical


def test_a_block_into_the_cassette_directory(tmp_path: Path) -> None:
    program = write(
        tmp_path / "p.py", "import replay, time\nwith replay.record() as s:\n    print(time.time(), s.path)\n"
    )
    done = start(program, REPLAY_DIR=str(tmp_path / "dir"))
    assert done.returncode == 0, done.stderr
    path = one(tmp_path / "dir")
    assert str(path) in done.stdout.decode()
    assert cli("run", "-q", "latest", env={**os.environ, "REPLAY_DIR": str(tmp_path / "dir")}).returncode == 0


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    """Nor does it stop the program, which may have run before: the recording gets a name beside it."""
    path = tmp_path / "x.cassette"
    path.write_bytes(b"evidence")
    source = "import sys, replay\nwith replay.record(sys.argv[1]) as session:\n    print(session.path.name)\n"
    program = write(tmp_path / "p.py", source)
    for expected in ("x-2.cassette", "x-3.cassette"):
        done = start(program, path)
        assert (done.returncode, done.stdout.decode()) == (0, f"{expected}\n"), shown(done)
        assert b"exists already" in done.stderr
        assert replay.run(tmp_path / expected).identical
    assert path.read_bytes() == b"evidence"


MEMORY = '''
import asyncio, random, sys, time, uuid
import replay


class Client:
    """A vector store, say."""
    def __init__(self): self.rows, self.opened = {}, uuid.uuid4().hex
    def search(self, words, *, top=3): return [(word, random.random()) for word in words.split()][:top]
    def upsert(self, key, row): self.rows[key] = {**row, "at": time.time()}; return len(self.rows)
    def fails(self): raise LookupError(uuid.uuid4().hex)


class AsyncClient:
    async def aget(self, key): await asyncio.sleep(0); return {"key": key, "score": random.random()}
    async def aput(self, key, value): await asyncio.sleep(random.random() / 500); return uuid.uuid4()


async def asynchronous():
    store = replay.memory(AsyncClient(), name="remote", owner="search")
    print(await asyncio.gather(*(store.aget(n) for n in range(4)), *(store.aput(n, n) for n in range(4))))


notes = replay.memory({"policy": random.random(), "seen": 0}, name="notes")
print(notes["policy"], notes.get("seen"), notes.get("none", 7), "policy" in notes, len(notes), bool(notes))
notes["seen"] = random.random()
notes.update(a=random.random())
print(sorted(notes), list(notes.keys()), list(notes.values()), dict(notes.items()), notes.setdefault("b", 3))
print(notes.pop("a"), notes.pop("zz", None))
del notes["policy"]
try:
    notes["policy"]
except KeyError as error:
    print("gone", error)
client = replay.memory(Client(), name="vectors")
print(client.search("one two three four", top=2), client.upsert("k", {"v": 1}), client.opened)
try:
    client.fails()
except LookupError as error:
    print("fails", error)
asyncio.run(asynchronous())
'''


def test_memory(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", MEMORY), tmp_path / "x.cassette")
    assert recorded.exit_code == 0, recorded.stderr.decode()
    for _ in range(3):
        run = replay.run(recorded.path)
        assert run.identical, (run, run.stderr)
        assert run.stdout == recorded.stdout
    with replay.load(recorded.path) as cassette:
        assert not cassette.gaps
        events = [event for event in cassette.events if event.kind == "memory"]
    does = {event.name: event.effect for event in events}
    assert does["notes.getitem"] == does["notes.get"] == does["vectors.search"] == does["remote.aget"] == "read"
    assert does["notes.setitem"] == does["notes.update"] == does["vectors.upsert"] == does["remote.aput"] == "write"
    assert does["notes.delitem"] == does["notes.pop"] == "write"
    assert next(event for event in events if event.name == "remote.aget").meta == {"owner": "search"}
    plain = start(tmp_path / "p.py")
    assert plain.returncode == 0, plain.stderr  # and without a recording it is just the store


ENTRY = """
import asyncio, os, random, sys, time, uuid
from dataclasses import dataclass
import httpx
import replay

HTTP = "E2E_HTTP" in os.environ
client = httpx.AsyncClient(base_url=os.environ.get("AGENT_BASE_URL", "http://nowhere"))


@dataclass
class Ticket:
    number: int
    words: str


class Refused(Exception):
    pass


@replay.tool
async def look_up(number):
    await asyncio.sleep(random.choice([0, 0.001, 0.002]))
    return number, random.random()


@replay.entrypoint
async def handle(ticket: Ticket, *, more: int = 0):
    run = uuid.uuid4().hex
    found = await asyncio.gather(*(look_up(ticket.number * 10 + n) for n in range(3)))
    echo = (await client.post("/echo", json={"n": ticket.number, "run": run})).json() if HTTP else None
    await asyncio.sleep(0)
    if ticket.number == 7:
        raise Refused(f"ticket {ticket.number} {found[0][1]}")
    return {"ticket": ticket, "run": run, "found": found, "echo": echo, "at": time.time(), "more": more}


@replay.entrypoint(name="sync", tags={"k": "v"})
def compute(n):
    if n < 0:
        raise ValueError(n)
    return [random.random() for _ in range(n)]


class Service:
    @replay.entrypoint
    def answer(self, words):
        return words, uuid.uuid4()


async def main():
    found = await asyncio.gather(*(handle(Ticket(n, "x" * n), more=n) for n in range(20)), return_exceptions=True)
    for result in found:
        print(repr(result))


if __name__ == "__main__":
    {"many": lambda: asyncio.run(main()), "sync": lambda: print(compute(3)), "method": lambda: Service().answer("w"),
     "fails": lambda: compute(-1), "threads": lambda: threads()}[sys.argv[1]]()
"""


def test_overlapping_calls_are_kept_apart(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_BASE_URL", server_url)  # read before the calls began, so not recorded
    monkeypatch.setenv("E2E_HTTP", "yes")
    program, directory = write(tmp_path / "service.py", ENTRY), tmp_path / "dir"
    done = start(program, "many", REPLAY_DIR=str(directory))
    assert done.returncode == 0, done.stderr.decode()
    printed = set(done.stdout.decode().splitlines())
    paths = sorted(directory.glob("*.cassette"))
    assert (len(paths), len(printed)) == (20, 20)
    numbers: list[int] = []
    for path in paths:
        with replay.load(path) as cassette:
            assert (cassette.status, cassette.gaps) == ("sealed", [])
            tools = {event.request["number"] // 10 for event in cassette.events if event.kind == "tool"}
            assert len(tools) == 1
            posts = [event for event in cassette.events if event.kind == "http"]
            assert len(posts) == 1
            assert cassette.outcome is not None
            outcome = cassette.outcome
        number = tools.pop()
        numbers.append(number)
        run = replay.run(path)
        assert run.identical, (path, run, run.stderr.decode())
        if number == 7:
            assert outcome["exception"]["type"] == "__main__.Refused"
            assert any(line.startswith("Refused('ticket 7") for line in printed)
        else:
            assert outcome["exception"] is None
            assert run.result["run"] in next(line for line in printed if f"Ticket(number={number}," in line)
    assert sorted(numbers) == list(range(20))


@pytest.mark.parametrize("what", ["sync", "fails", "method"])
def test_other_entry_points(what: str, tmp_path: Path) -> None:
    program = write(tmp_path / "service.py", ENTRY)
    done = start(program, what, REPLAY_DIR=str(tmp_path / "dir"))
    assert done.returncode == (1 if what == "fails" else 0), done.stderr.decode()
    path = one(tmp_path / "dir")
    with replay.load(path) as cassette:
        outcome = cassette.outcome
        assert outcome is not None
    if what == "method":  # the object it was called on can't be stored
        document = cli_json("show", path)
        assert document["status"] == "sealed"
        with pytest.raises(NotReplayable, match="arguments couldn't be stored"):
            replay.run(path)
        return
    run = replay.run(path)
    assert run.identical, (run, run.stderr.decode())
    if what == "sync":
        assert str(run.result) == done.stdout.decode().strip()
    else:
        assert outcome["exception"] == {"type": "builtins.ValueError", "message": "-1"}
    program.write_text(ENTRY.replace("for _ in range(n)", "for _ in range(n + 1)").replace("if n < 0", "if n > 9"))
    changed = cli("run", "-q", path)
    assert changed.returncode == 1, shown(changed)


def test_an_entry_point_can_be_turned_off(tmp_path: Path) -> None:
    program = write(tmp_path / "service.py", ENTRY)
    done = start(program, "sync", REPLAY_DIR=str(tmp_path / "dir"), REPLAY="off")
    assert done.returncode == 0
    assert not (tmp_path / "dir").exists()


def test_an_imported_entry_point(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "service.py", ENTRY)
    program = write(tmp_path / "main.py", "from shop.service import compute\nprint(compute(2))\n")
    done = start(program, REPLAY_DIR=str(tmp_path / "dir"))
    assert done.returncode == 0, done.stderr.decode()
    run = replay.run(one(tmp_path / "dir"))
    assert run.identical, (run, run.stderr.decode())
    assert str(run.result) == done.stdout.decode().strip()


def test_what_run_says(tmp_path: Path) -> None:
    source = "import sys, time\nprint(time.time())\nprint('bad', file=sys.stderr)\nsys.exit(4)\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    run = replay.run(recorded.path)
    assert (run.identical, run.exit_code, run.recorded_exit_code, run.divergence, run.escapes) == (True, 4, 4, None, ())
    assert (run.stdout, run.stderr) == (recorded.stdout, b"bad\n")
    document: dict[str, Any] = run.to_json()
    assert {"identical", "events", "divergence", "blind_spots", "escapes", "exit_code"} <= set(document)
    assert cli_json("run", recorded.path).items() >= document.items()


def test_load_executes_nothing(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", AS_PROGRAM), tmp_path / "x.cassette")
    (tmp_path / "p.py").write_text("raise SystemExit('executed')")
    with replay.load(recorded.path) as cassette:
        values = next(event for event in cassette.events if event.name == "values")
        assert values.response["int"] == 10**30
        assert cassette.events[-1].id == len(cassette.events) - 1
        assert [event.id for event in cassette.events[2:4]] == [2, 3]


@pytest.mark.parametrize("command", [["-"], []], ids=["-", "nothing"])
@pytest.mark.parametrize("part", ["block", "call", "program"])
def test_a_program_from_standard_input_is_not_kept(part: str, command: list[str], tmp_path: Path) -> None:
    source = {
        "block": "import replay, time\nwith replay.record('x.cassette'): print(time.time())",
        "call": "import replay, time\n@replay.entrypoint(directory='.')\ndef now(): print(time.time())\nnow()",
        "program": "import time; print(time.time())",
    }[part]
    python = [sys.executable, *command]
    if part == "program":
        assert cli("record", "-o", "x.cassette", "--", *python, stdin=source.encode(), cwd=tmp_path).returncode == 0
    else:
        subprocess.run(python, input=source.encode(), cwd=tmp_path, check=True, timeout=60)
    [cassette] = tmp_path.glob("*.cassette")
    error_line(cli("run", cassette, cwd=tmp_path), "not-replayable")
