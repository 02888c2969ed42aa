"""Child processes on the event loop: asyncio's own, anyio's, and an MCP server over standard input and output."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.support.programs import record, replays

PREFIX = """
import asyncio, os, random, signal, sys, time
def child(code, *args):
    return [sys.executable, "-I", "-c", code, *map(str, args)]
CHATTY = '''
import os, random, sys, time
for i in range(int(sys.argv[1])):
    time.sleep(random.random() / 200)
    os.write(1 + random.randrange(2), b"%d:%d " % (i, random.randrange(1000)))
sys.exit(random.randrange(4))
'''
ECHO = "import sys, random\\nfor line in sys.stdin: print(line.strip()[::-1], random.random(), flush=True)"
PIPES = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
"""

PROGRAMS = {
    "fan-out": """
        log = []
        async def work(n):
            process = await asyncio.create_subprocess_exec(*child(CHATTY, 3 + n), **PIPES)
            async def drain(name):
                while piece := await getattr(process, name).read(64):
                    log.append((n, name, piece))
            await asyncio.gather(drain("stdout"), drain("stderr"), process.wait())
            return process.returncode, process.pid
        async def main():
            print(await asyncio.gather(*(work(n) for n in range(5))))
            done = await asyncio.create_subprocess_shell("echo $$; cat; exit 3", **PIPES)
            print(await done.communicate(b"given"), done.returncode)
            try:
                await asyncio.create_subprocess_exec("/no/such/program")
            except FileNotFoundError as error:
                print(error)
        asyncio.run(main())
        print(log)
    """,
    "a conversation, cancellations and signals": """
        async def talk(n):
            process = await asyncio.create_subprocess_exec(*child(ECHO), **PIPES)
            for word in ("first", "second", "third"):
                process.stdin.write(f"{word} {n}\\n".encode())
                await process.stdin.drain()
                print(n, await process.stdout.readline())
            process.stdin.close()
            await process.stdin.wait_closed()
            print(await process.wait(), await process.stdout.read())
        async def late(n):
            process = await asyncio.create_subprocess_exec(*child("import time; time.sleep(60)"), **PIPES)
            try:
                await asyncio.wait_for(process.communicate(), random.random() / 20)
            except TimeoutError:
                getattr(process, random.choice(("terminate", "kill")))()
                print(n, await process.wait(), process.returncode)
        async def main():
            await asyncio.gather(*(talk(n) for n in range(3)), *(late(n) for n in range(3)))
            task = asyncio.create_task(talk(9))
            await asyncio.sleep(random.random() / 20)
            task.cancel()
            print(await asyncio.gather(task, return_exceptions=True))
        asyncio.run(main())
    """,
    "more than a pipe holds": """
        async def main():
            copy = "import sys, time; data = sys.stdin.buffer.read(); time.sleep(0.05); sys.stdout.buffer.write(data)"
            process = await asyncio.create_subprocess_exec(*child(copy), **PIPES)
            async def feed():
                for i in range(40):
                    process.stdin.write(b"%05d" % i * 4000)
                    await process.stdin.drain()
                    print(i, random.random())
                process.stdin.close()
            size = 0
            feeder = asyncio.create_task(feed())
            while piece := await process.stdout.read(1 << 14):
                size += len(piece)
            await feeder
            print(size, await process.wait())
        asyncio.run(main())
    """,
    "anyio": """
        import anyio
        async def work(n):
            async with await anyio.open_process(child(ECHO)) as process:
                await process.stdin.send(b"hello\\n%d\\n" % n)
                await process.stdin.aclose()
                async for piece in process.stdout:
                    print(n, piece)
                await process.wait()
                print(process.returncode, process.pid)
        async def main():
            async with anyio.create_task_group() as group:
                for n in range(3):
                    group.start_soon(work, n)
            print(await anyio.run_process(child(CHATTY, 4), check=False))
            with anyio.move_on_after(0.05) as scope:
                await anyio.run_process(child("import time; time.sleep(60)"))
            print(scope.cancelled_caught)
        anyio.run(main)
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_children_are_replayed(name: str, tmp_path: Path) -> None:
    replays(tmp_path, PREFIX + textwrap.dedent(PROGRAMS[name]), varies=True)


SERVER = '''
import random, time
import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
server = MCPServer("dice")

@server.tool()
async def roll(sides: int, context: Context) -> str:
    """Rolls."""
    for step in range(3):
        await anyio.sleep(random.random() / 100)
        await context.report_progress(step, 3)
    return f"{random.randrange(sides)} of {sides}"

server.run("stdio")
'''
CLIENT = """
import asyncio, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    parameters = StdioServerParameters(command=sys.executable, args=["server.py"], cwd=HERE)
    with open("/dev/null", "w") as nowhere:
        async with stdio_client(parameters, errlog=nowhere) as (reading, writing):
            async with ClientSession(reading, writing) as session:
                await session.initialize()
                print([tool.name for tool in (await session.list_tools()).tools])
                async def call(n):
                    async def progress(done, total, message):
                        print(n, done, total)
                    found = await session.call_tool("roll", {"sides": 1000 + n}, progress_callback=progress)
                    print(n, found.content[0].text)
                await asyncio.gather(*(call(n) for n in range(6)))
asyncio.run(main())
"""


def test_an_mcp_server_over_stdio(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    source = f"HERE = {str(tmp_path)!r}\n{CLIENT}"
    replays(tmp_path, source, varies=True)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [('"cat"', '"tac"', "tac"), ('b"written"', 'b"otherwise"', "otherwise"), ("terminate()", "kill()", "9")],
)
def test_another_command_or_input_is_a_divergence(tmp_path: Path, then: str, now: str, said: str) -> None:
    source = """
    import asyncio
    async def main():
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        process = await asyncio.create_subprocess_exec("cat", **pipes)
        process.stdin.write(b"written")
        print(await process.stdout.read(7))
        process.terminate()
        print(await process.wait())
    asyncio.run(main())
    """
    found = record(tmp_path, source)
    assert found.finished
    assert found.again().identical
    assert then in found.program.read_text()
    found.program.write_text(found.program.read_text().replace(then, now))
    again = found.again()
    assert again.divergence is not None
    assert said in f"{again.divergence.got}", again.divergence
    assert not again.escapes
