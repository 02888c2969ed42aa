"""uvloop is recorded as what it is and replays on our loop; trio is named, and only where it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import replay
from replay.demo.server import spawn
from tests.runtime.test_loop_corners import PREFIX, PROGRAMS, VARIES
from tests.support.e2e import ERRORS, write
from tests.support.e2e import record as record_by_hand
from tests.support.plugin import AGENTS
from tests.support.programs import record, replays

BODIES = {
    **PROGRAMS,
    "ends": """
        async def stay(n):
            try:
                while True: await nap()
            except asyncio.CancelledError:
                print("cancelled", n); await nap(); raise
        async def broken(n):
            raise ValueError(n)
        async def main(end):
            loop = asyncio.get_running_loop()
            tasks = [asyncio.create_task(stay(n)) for n in range(3)]
            loop.call_later(0.001, lambda: 1 / 0); loop.call_at(loop.time() + 0.002, print, "at")
            dropped = loop.call_later(0.001, print, "never"); dropped.cancel()
            loop.set_exception_handler(lambda loop, context: print(context["message"], repr(context["exception"])))
            await asyncio.gather(broken(1), broken(2), return_exceptions=True)
            await nap(); await asyncio.sleep(0.004)
            if end: sys.exit(3)
        uvloop.run(main(False))
        try:
            asyncio.run(main(True))
        except SystemExit as error:
            print(error.code)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(runner.run(asyncio.sleep(0.001, "slept")), isinstance(runner.get_loop(), uvloop.Loop))
    """,
}


@pytest.mark.parametrize("what", BODIES)
def test_uvloop(tmp_path: Path, what: str) -> None:
    # What a loop says about itself at debug level is its own.
    body = "\n".join(line[8:] for line in BODIES[what].splitlines() if "logging" not in line)
    source = f"import uvloop\nuvloop.install()\n{PREFIX}{body}\nprint(type(asyncio.new_event_loop()))\n"
    found = replays(tmp_path, source, times=2, varies=VARIES.get(what, None))
    assert found.text.endswith("<class 'uvloop.Loop'>\n")


@pytest.mark.parametrize("name", ["openai_async", "aiohttp_agent"])
def test_agents_on_uvloop(tmp_path: Path, name: str) -> None:
    """And their libraries' connections, which are inside of crossings."""
    source = f"""
    import runpy, uvloop
    uvloop.install()
    runpy.run_path({str(AGENTS / name)!r} + ".py", run_name="__main__")
    """
    program = write(tmp_path / "program.py", source.replace("\n    ", "\n"))
    with spawn(errors=ERRORS) as url:
        found = record_by_hand(program, tmp_path / "x.cassette", url=url)
    assert found.exit_code == 0, found.stderr.decode()
    assert b"blind spot" not in found.stderr
    for _ in range(3):
        again = replay.run(found.path)
        assert again.identical, again.divergence
        assert again.stdout == found.stdout


def test_trio_is_named_where_it_runs(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import anyio, httpx, trio
        async def main():
            await trio.sleep(0)
        trio.run(main)
        anyio.run(main, backend="trio")
        anyio.run(anyio.sleep, 0)
        """,
    )
    assert found.exit_code == 0, found.stderr.decode()
    spots = [(spot.what, spot.site.line) for spot in found.cassette().blind_spots if spot.site is not None]
    assert spots == [("event loop", 4), ("event loop", 5)]
