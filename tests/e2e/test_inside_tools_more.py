"""What the bodies of tools may hold: clients, processes, signals, forks, classes that only they import."""

from __future__ import annotations

from pathlib import Path

import pytest

import replay
from replay.demo.server import environment, spawn
from tests.support.e2e import cli, shown
from tests.support.programs import Recorded, explained, record

SHOP = """
from dataclasses import dataclass

@dataclass
class Order:
    number: int

class Sold(Exception):
    pass
"""

STAND_INS = {
    "an answer": """
        @replay.tool
        def find(n):
            import shop
            return [{"order": shop.Order(n)}]
        assert find(7)[0]["order"].number
        """,
    "an answer that nobody looks at": """
        @replay.tool
        def find(n):
            import shop
            return shop.Order(n)
        found = find(7)
        """,
    "an exception": """
        @replay.tool
        def find(n):
            import shop
            raise shop.Sold(n)
        try:
            find(7)
        except Exception as error:
            found = error
        """,
    "a piece": """
        @replay.tool
        def find(n):
            import shop
            yield shop.Order(n)
        found = list(find(7))
        """,
    "a piece of a coroutine's": """
        @replay.tool
        async def find(n):
            import shop
            yield shop.Order(n)
        async def main():
            return [found async for found in find(7)]
        found = asyncio.run(main())
        """,
    "a coroutine's answer": """
        @replay.tool
        async def find(n):
            import shop
            return shop.Order(n)
        found = asyncio.run(find(7))
        """,
}


def recorded(directory: Path, source: str, **more: object) -> Recorded:
    lines = source.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    whole = "import asyncio, os, signal, subprocess, sys, threading, time\nimport replay\n"
    found = record(directory, whole + "\n".join(line[margin:] for line in lines) + "\n", **more)  # type: ignore[arg-type]
    assert found.finished, found.stderr.decode()
    assert found.exit_code == 0, found.stderr.decode()
    return found


def both_ways(found: Recorded) -> None:
    for run_tools in (False, True):
        run = found.again(run_tools=run_tools)
        assert run.identical, explained(run)
        assert (run.stdout, run.stderr) == (found.stdout, found.stderr), explained(run)


@pytest.mark.parametrize("what", STAND_INS)
def test_a_class_that_only_the_body_imports(what: str, tmp_path: Path) -> None:
    """By answers the program would get something else in its place: it is told, and the default runs the body."""
    (tmp_path / "shop.py").write_text(SHOP)
    found = recorded(tmp_path, STAND_INS[what])
    by_answers = found.again(run_tools=False)
    name = "Sold" if "exception" in what else "Order"
    assert not by_answers.identical
    assert by_answers.gap is not None
    assert by_answers.gap.startswith(f"tool find answered with a shop.{name} (event 0), a class that isn't imported")
    run = found.again()
    assert (run.identical, run.tools) == (True, "run"), explained(run)
    assert run.by_answers is not None
    assert run.by_answers.reason == by_answers.gap
    lenient = found.again(run_tools=False, match="lenient")
    assert (lenient.gap, lenient.identical) == (None, False)


def test_a_class_that_the_program_imports_too_is_no_reason(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    found = recorded(tmp_path, "import shop\n" + "\n".join(line[8:] for line in STAND_INS["an answer"].splitlines()))
    both_ways(found)
    assert found.again().tools == "answered"


def test_the_console_says_why_tools_were_run(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    found = recorded(tmp_path, STAND_INS["an answer"])
    done = cli("run", found.path)
    assert done.returncode == 0, shown(done)
    assert b"the tools were run again" in done.stdout
    assert b"(by answers alone: tool find answered with a shop.Order" in done.stdout


HTTPX = """
        import httpx
        BASE = os.environ["AGENT_BASE_URL"]
        shared = httpx.Client(base_url=BASE)
        @replay.tool
        def weather(city):
            with httpx.Client(base_url=BASE) as http:
                return [http.get("/weather", params={"city": city}).text, shared.get("/weather").text]
        @replay.tool
        async def weathers(city):
            async with httpx.AsyncClient(base_url=BASE) as http:
                found = await asyncio.gather(*(http.get("/weather", params={"city": city + x}) for x in "abc"))
                async with http.stream("GET", "/weather") as response:
                    return [one.text for one in found] + [await response.aread()]
        print(weather("Rome"), shared.get("/weather").text)
        print(asyncio.run(weathers("Oslo")))
        """


def test_httpx(tmp_path: Path) -> None:
    with spawn() as url:
        found = recorded(tmp_path, HTTPX, variables=environment(url))
    both_ways(found)
    lanes = {event.lane.split("/")[1] for event in found.events("http") if event.lane != "m"}
    assert "x" in lanes


def test_processes(tmp_path: Path) -> None:
    found = recorded(
        tmp_path,
        """
        @replay.tool
        def say(what):
            done = subprocess.run(["sh", "-c", f"echo {what} $$; echo no >&2; exit 3"], capture_output=True, text=True)
            with subprocess.Popen("cat", stdin=-1, stdout=-1) as child:
                return [done.stdout, done.stderr, done.returncode, *child.communicate(what.encode()), os.getpid()]
        @replay.tool
        async def says(what):
            child = await asyncio.create_subprocess_exec("sh", "-c", f"echo {what} $$", stdout=-1)
            return [(await child.communicate())[0], child.returncode, child.pid]
        print(say("one"))
        print(asyncio.run(says("two")))
        """,
    )
    both_ways(found)


def test_twenty_at_once(tmp_path: Path) -> None:
    found = recorded(
        tmp_path,
        """
        from concurrent.futures import ThreadPoolExecutor
        import random
        @replay.tool
        def work(n):
            time.sleep(random.random() / 100)
            print("did", n)
            return [n, time.time_ns()]
        @replay.tool
        async def wait(n):
            await asyncio.sleep(random.random() / 100)
            return [n, await asyncio.to_thread(work, n)]
        async def main():
            return await asyncio.gather(*(wait(n) for n in range(20)), asyncio.to_thread(work, 99))
        with ThreadPoolExecutor(20) as pool:
            print(*pool.map(work, range(20)))
        print(asyncio.run(main()))
        """,
    )
    both_ways(found)
    assert found.again().tools == "answered"


def test_a_signal_in_a_tool(tmp_path: Path) -> None:
    """Its handler acts for the lane that called the tool; what it raises leaves the body."""
    found = recorded(
        tmp_path,
        """
        seen = []
        def handler(number, frame):
            seen.append((number, time.time_ns()))
            if len(seen) == 2:
                raise KeyError("enough")
        signal.signal(signal.SIGUSR1, handler)
        @replay.tool
        def work(n):
            before = time.time_ns()
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.001)
            return [n, before < time.time_ns()]
        for n in range(3):
            try:
                print(work(n), seen)
            except KeyError as error:
                print("left by", error, seen)
        """,
    )
    both_ways(found)
    assert "left by 'enough'" in found.text


def test_strict_threads(tmp_path: Path) -> None:
    """Races of bodies are replayed where bodies run; outside of them, both ways."""
    found = recorded(
        tmp_path,
        """
        import random
        order, inside = [], []
        @replay.tool
        def work(n):
            def part(k):
                for step in range(20):
                    inside.append((n, k))
            threads = [threading.Thread(target=part, args=(k,)) for k in range(2)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            return time.time_ns()
        def agent(n):
            for step in range(5):
                order.append((n, work(n)))
        threads = [threading.Thread(target=agent, args=(n,)) for n in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(order)
        """,
        threads="strict",
    )
    both_ways(found)


def test_a_fork_in_a_tool(tmp_path: Path) -> None:
    """The parent is replayed both ways, and the child as well."""
    found = recorded(
        tmp_path,
        """
        @replay.tool
        def split(n):
            pid = os.fork()
            if not pid:
                print("child", n, time.time_ns(), flush=True)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print("parent", split(1), time.time_ns())
        """,
    )
    for run_tools in (False, True):
        run = found.again(run_tools=run_tools)
        assert run.identical, explained(run)
    (child,) = Path(found.path).with_suffix(".d").glob("*.cassette")
    of_child = replay.run(child)
    assert of_child.identical, explained(of_child)


def test_a_forked_child_forks_in_a_tool(tmp_path: Path) -> None:
    found = recorded(
        tmp_path,
        """
        @replay.tool
        def split(n):
            pid = os.fork()
            if not pid:
                print("grandchild", n, time.time_ns(), flush=True)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        pid = os.fork()
        if not pid:
            print("child", split(1), time.time_ns(), flush=True)
            os._exit(0)
        print("parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), time.time_ns())
        """,
    )
    children = sorted(Path(found.path).with_suffix(".d").rglob("*.cassette"))
    assert len(children) == 2
    for path in (Path(found.path), *children):
        for run_tools in (False, True):
            run = replay.run(path, run_tools=run_tools)
            assert run.identical, explained(run)


CLIENT = """
        import httpx
        @replay.tool
        def look(http, n):
            return n
        threading.Thread(target=int).start()  # from now on imports have lanes of their own
        with httpx.Client() as http:
            print(look(http, 1))
        class Odd:
            pass
        print(look(Odd(), 2), flush=True)
        """


def test_an_argument_that_cant_be_stored_beside_threads(tmp_path: Path) -> None:
    """Saying why it can't imported a module, by a lane that didn't exist yet, while the recorder held its lock."""
    found = recorded(tmp_path, CLIENT)
    assert found.stdout == b"1\n2\n"
    assert [event.name for event in found.events("gap")] == ["look", "look"]
