"""What happens inside tools is recorded. At replay tools give their answers, or their bodies are run again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

import replay
from replay.launch import Run
from replay.model.errors import InsideNotRecorded
from tests.support.e2e import cli, cli_json, error_line, shown
from tests.support.programs import Recorded, explained, record

OLD = Path(__file__).parents[2] / "fixtures" / "cassettes" / "v1" / "sealed.cassette"

BEGIN = """
import asyncio, random, sys, threading, time
import replay

"""

BODIES = {
    "a plain function": """
        @replay.tool
        def look(n):
            print("inside", n)
            return [n, time.time(), random.random()]
        print(look(1), look(2), random.random())
    """,
    "a tool in a tool, in a method": """
        class Desk:
            @replay.tool(effect="read")
            def price(self, item):
                return [item, time.time_ns()]
            @replay.tool
            def quote(self, items):
                return [self.price(item) for item in items] + [time.time_ns()]
        print(Desk().quote("ab"))
    """,
    "coroutines at a time": """
        @replay.tool
        async def wait(n):
            await asyncio.sleep(random.random() / 200)
            first, second = await asyncio.gather(*(asyncio.sleep(random.random() / 200, time.time()) for _ in "ab"))
            print("waited", n, first < second)
            return [n, first, second]
        async def main():
            print(await asyncio.gather(*(wait(n) for n in range(5))))
        asyncio.run(main())
    """,
    "threads of tools, threads in tools": """
        from concurrent.futures import ThreadPoolExecutor
        guard = threading.Lock()
        @replay.tool
        def work(n):
            seen = []
            def part(k):
                time.sleep(random.random() / 300)
                with guard:
                    seen.append((k, time.time_ns()))
            threads = [threading.Thread(target=part, args=(k,)) for k in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print("worked", n, seen)
            return seen
        with ThreadPoolExecutor(4) as pool:
            print(*pool.map(work, range(6)), sep="\\n")
    """,
    "generators, one of them left": """
        @replay.tool
        def pieces(n):
            try:
                for k in range(n):
                    print("making", k)
                    yield [k, time.time()]
            finally:
                print("closed", time.time())
        @replay.tool
        async def slowly(n):
            try:
                for k in range(n):
                    await asyncio.sleep(0.001)
                    yield [k, random.random()]
            finally:
                print("closed slowly", time.time())
        print(list(pieces(2)))
        for piece in pieces(3):
            print(piece)
            break
        async def main():
            print([piece async for piece in slowly(2)])
            left = slowly(3)
            print(await anext(left))
            await left.aclose()
        asyncio.run(main())
    """,
    "it raises": """
        class Missing(Exception):
            pass
        @replay.tool
        def find(key):
            raise Missing(f"{key} at {time.time()}")
        @replay.tool
        async def search(key):
            await asyncio.sleep(0)
            return {}[key]
        for attempt in (lambda: find("a"), lambda: asyncio.run(search("b"))):
            try:
                attempt()
            except (Missing, KeyError) as error:
                print(type(error).__name__, error)
    """,
    "a task of a tool goes on": """
        tasks = []
        @replay.tool
        async def begin(n):
            async def on():
                try:
                    while True:
                        await asyncio.sleep(0.001)
                finally:
                    print("the end of", n)
            tasks.append(asyncio.create_task(on()))
            await asyncio.sleep(0.003)
            return n
        async def main():
            print(await begin(1), await begin(2), len(asyncio.all_tasks()))
            await asyncio.sleep(0.003)
        asyncio.run(main())
    """,
    "half lines": """
        @replay.tool
        def look(n):
            print("looking", n, end=" ... ")
            sys.stdout.flush()
            print("found", end=" ")
            return n
        print("begin", end=" ")
        print(look(1))
        print(look(2), "end")
        sys.stdout.buffer.write(b"bytes\\n")
    """,
}


def recorded(directory: Path, source: str) -> Recorded:
    found = record(directory, BEGIN + source_of(source))
    assert found.finished, found.stderr.decode()
    assert found.exit_code == 0, found.stderr.decode()
    return found


def source_of(text: str) -> str:
    lines = text.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] for line in lines) + "\n"


def same(found: Recorded, run: Run, tools: Literal["answered", "run"]) -> None:
    assert run.identical, explained(run)
    assert (run.tools, run.by_answers) == (tools, None), explained(run)
    assert (run.stdout, run.stderr) == (found.stdout, found.stderr), explained(run)
    assert run.events + run.inside == len(found.cassette().events)
    assert (run.inside > 0) is (tools == "answered")


@pytest.mark.parametrize("what", BODIES)
def test_both_ways(what: str, tmp_path: Path) -> None:
    found = recorded(tmp_path, BODIES[what])
    same(found, found.again(), "answered")
    same(found, found.again(run_tools=False), "answered")
    same(found, found.again(run_tools=True), "run")


MEMORY = """
    notes = []
    @replay.tool
    def note(text):
        notes.append((text, time.time()))
        return len(notes)
    note("one"), note("two")
    print(notes)
"""


def test_a_tool_that_changes_the_programs_memory(tmp_path: Path) -> None:
    """Its answers don't lead to the same execution; running it does, and the verdict says so."""
    found = recorded(tmp_path, MEMORY)
    by_answers = found.again(run_tools=False)
    assert not by_answers.identical
    attempts: list[Run] = []
    run = found.again(again=attempts.append)
    assert run.identical, explained(run)
    assert (run.tools, run.stdout) == ("run", found.stdout)
    assert run.by_answers == by_answers.divergence == attempts[0].divergence
    done = cli("run", found.path)
    assert done.returncode == 0, shown(done)
    assert done.stdout.startswith(found.stdout)
    assert b"the tools were run again" in done.stdout
    assert b"once more, with its tools run\n" in done.stderr
    assert cli("run", found.path, "--no-run-tools").returncode == 1
    plain = cli("run", found.path, "--run-tools")
    assert plain.returncode == 0, shown(plain)
    assert b"the tools were run again" not in plain.stdout
    assert plain.stderr == b""


def test_a_body_that_was_changed(tmp_path: Path) -> None:
    """Answered, it makes no difference; run, it is found, by its answer or by what it asks."""
    found = recorded(
        tmp_path,
        """
        @replay.tool
        def price(item):
            found = {"item": item, "price": 40 + 2, "at": time.time()}
            print("priced", item)
            return found
        print(price("tea"))
        """,
    )
    source = found.program.read_text()
    for change, reason in (
        (("40 + 2", "40 + 3"), "tool price, run again, answered {'item': 'tea', 'price': 43"),
        (("time.time()", "time.monotonic()"), "reads time.monotonic (lane m/x), inside tool price"),
        (('print("priced", item)', "pass"), "price, run again, ended; in the recording it went on: output stdout"),
    ):
        found.program.write_text(source.replace(*change))
        assert found.again().identical
        run = found.again(run_tools=True)
        assert run.divergence is not None
        assert reason in run.divergence.reason
        assert run.divergence.cause == "code changed"


def test_the_verdict_counts_what_it_compared(tmp_path: Path) -> None:
    found = recorded(tmp_path, BODIES["a tool in a tool, in a method"])
    document = cli_json("run", found.path)
    assert (document["tools"], document["events"], document["inside"]) == ("answered", 2, {"events": 5, "tools": 1})
    done = cli("run", found.path)
    assert "✓ identical: 2 events (5 more inside 1 tool not run again)".encode() in done.stdout, shown(done)
    document = cli_json("run", "--run-tools", found.path)
    assert (document["tools"], document["events"], document["inside"]) == ("run", 7, {"events": 0, "tools": 0})


def test_a_recording_without_the_inside_of_tools(tmp_path: Path) -> None:
    with pytest.raises(InsideNotRecorded, match="inside its tools"):
        replay.run(OLD, run_tools=True)
    error_line(cli("run", OLD, "--run-tools"), "inside-not-recorded")


@pytest.mark.parametrize("at", ["before", "inside", "after"])
def test_killed_in_a_tool(at: str, tmp_path: Path) -> None:
    """Both ways the replay goes up to the cut."""
    found = record(
        tmp_path,
        BEGIN
        + f"import os, signal\nAT = {at!r}\n"
        + source_of(
            """
            def die(at, n):
                if (at, n) == (AT, 2):
                    os.kill(os.getpid(), signal.SIGKILL)
            @replay.tool
            def look(n):
                die("before", n)
                print("looking at", n)
                with open(__file__ + ".note", "w") as file:
                    file.write(str(n))
                die("inside", n)
                return [n, time.time()]
            for n in range(4):
                print(look(n))
                die("after", n)
            """
        ),
    )
    assert not found.finished
    for run_tools in (False, True):
        run = found.again(run_tools=run_tools)
        assert (run.identical, run.cut) == (True, True), explained(run)
        assert run.stdout == found.stdout
        assert run.events + run.inside == len(found.cassette().events)


def test_show_tells_what_was_inside(tmp_path: Path) -> None:
    found = recorded(tmp_path, BODIES["a tool in a tool, in a method"])
    events = cli_json("show", found.path)["events"]
    assert [(event["name"], event["links"].get("inside")) for event in events] == [
        ("quote", None), ("price", 0), ("time.time_ns", 1), ("price", 0), ("time.time_ns", 3), ("time.time_ns", 0),
        ("stdout", None),
    ]  # fmt: skip
    assert cli_json("show", found.path, "2")["links"] == {"inside": 1}
    lines = cli("show", found.path).stdout.decode().splitlines()
    margins = [
        next(line for line in lines if what in line).index(what) for what in ("quote(", "price(", "time.time_ns")
    ]
    assert [margin - margins[0] for margin in margins] == [0, 2, 4], lines
