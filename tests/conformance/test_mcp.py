"""MCP clients, with real servers over each transport: recorded, replayed with the server gone, and shown."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from replay.model.event import Event
from tests.support.e2e import cli, cli_json
from tests.support.programs import Recorded, explained, record, replays
from tests.support.torture import often

PROGRAMS = Path(__file__).parents[2] / "fixtures" / "mcp"
CLIENT = (PROGRAMS / "client.py").read_text()
PATHS = {"streamable-http": "/mcp", "sse": "/sse"}
TRANSPORTS = ("stdio", *PATHS)
CALLERS = 64

each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@contextlib.contextmanager
def serving(transport: str, directory: Path) -> Generator[list[str]]:
    """A server that is gone afterwards: how the client reaches it."""
    script = Path(shutil.copy(PROGRAMS / "server.py", directory))
    if transport == "stdio":
        yield ["stdio", str(script)]
        script.unlink()
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(script), transport, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _listening(port, server)
            yield [transport, f"http://127.0.0.1:{port}{PATHS[transport]}"]
        finally:
            server.kill()


def _listening(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


def client(reached: list[str]) -> str:
    """The client's text, with its arguments."""
    return CLIENT.replace("sys.argv[1:]", repr(reached))


@each_transport
def test_all_that_can_be_said(transport: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    times = often(pytestconfig, 1, 1)
    with serving(transport, tmp_path) as reached:
        found = [record(tmp_path, client(reached), name=f"client_{n}") for n in range(times.recordings)]
    for each in found:
        assert each.exit_code == 0, each.stderr.decode()
        assert f"swapped [] {CALLERS}" in each.text
        for _ in range(times.replays):
            again = each.again()
            assert again.identical, explained(again)
            assert again.stdout == each.stdout
    _check(transport, found[0])


def _check(transport: str, found: Recorded) -> None:
    cassette = found.cassette()
    events = list(cassette.events)
    below = [event.name for event in events if event.kind in ("http", "connection", "process")]
    assert below == []
    assert {spot.what for spot in cassette.blind_spots} == ({"process output"} if transport == "stdio" else set())
    mcp = [event for event in events if event.kind == "mcp"]
    assert [event.effect for event in mcp if event.name == "tools/call answer"] == ["read"] * CALLERS
    effects = {event.name: event.effect for event in mcp}
    assert {effects[name] for name in ("initialize", "ping", "tools/list", "resources/read news://today")} == {"read"}
    assert {effects[name] for name in ("tools/call count", "notifications/cancelled")} == {"write"}
    opened = [event for event in mcp if "transport" in (event.request or {})]
    assert len(opened) == 3
    if transport == "stdio":
        assert list(opened[0].request["env"]) == ["API_KEY"]
        assert opened[0].request["env"]["API_KEY"].startswith("<")
    _check_links(found, mcp)
    _check_shown(found, opened)


def _check_links(found: Recorded, mcp: list[Event]) -> None:
    shown = cli_json("show", found.path)
    by_id = {event["id"]: event for event in shown["events"]}
    for event in (each for each in by_id.values() if each["name"] == "tools/call answer"):
        caller = event["request"]["params"]["arguments"]["caller"]
        assert event["response"]["result"]["content"][0]["text"].split()[0] == caller
        link = event["links"]["response"]
        assert by_id[link["event"]]["pieces"][link["piece"]]["value"] == event["response"]
        assert event["links"]["session"] == link["event"]
    (counted,) = [each for each in by_id.values() if each["name"] == "tools/call count"]
    assert len(counted["links"]["progress"]) == 3
    answered = [each for each in by_id.values() if each["name"].startswith("answer ")]
    asked = [by_id[each["links"]["request"]["event"]]["pieces"][each["links"]["request"]["piece"]] for each in answered]
    methods = [each["value"]["method"] for each in asked]
    assert methods == ["sampling/createMessage", "elicitation/create", "roots/list"]
    announced, listed = shown["findings"]
    assert announced["announced"]
    assert (listed["added"], listed["removed"], listed["changed"]) == (["newly_learned"], [], [])
    one = next(event.id for event in mcp if event.name == "tools/call fail")
    assert cli_json("show", found.path, str(one))["response"]["result"]["isError"] is True


def _check_shown(found: Recorded, opened: list[Event]) -> None:
    text = cli("show", found.path, env={"COLUMNS": "400", "PATH": ""}).stdout.decode()
    assert "tools/call answer(caller='c7') → 'c7 " in text
    assert "tools/call fail() → error: 'Error executing tool fail" in text
    assert "tools/call hang() → no answer" in text
    assert f"tools of {opened[0].name} changed: added newly_learned" in text
    assert "the stream broke" not in text


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    found = replays(
        tmp_path,
        """
        import asyncio
        from mcp import StdioServerParameters
        from mcp.client.sse import sse_client
        from mcp.client.stdio import stdio_client

        async def main():
            for opening in (stdio_client(StdioServerParameters(command="no-such-program")), sse_client("http://127.0.0.1:9")):
                try:
                    async with opening:
                        print("opened")
                except BaseException as error:
                    print(type(error).__name__, error)

        asyncio.run(main())
        """,
        times=1,
    )
    assert "FileNotFoundError" in found.text
    assert "ConnectError" in found.text


def test_a_server_that_talks_nonsense_and_ends(tmp_path: Path) -> None:
    found = replays(
        tmp_path,
        """
        import asyncio, sys, logging
        from mcp import ClientSession, MCPError, StdioServerParameters
        from mcp.client.stdio import stdio_client

        NONSENSE = "print('hello there', flush=True); import sys; sys.stdin.readline()"

        async def heard(message):
            print("heard", type(message).__name__, str(message).splitlines()[0])

        async def main():
            server = StdioServerParameters(command=sys.executable, args=["-c", NONSENSE])
            async with stdio_client(server) as streams:
                async with ClientSession(*streams, message_handler=heard) as session:
                    try:
                        await session.initialize()
                    except MCPError as error:
                        print(error)

        asyncio.run(main())
        """,
        times=2,
    )
    assert found.text.splitlines()[-1] == "Connection closed"
    assert "heard ValidationError" in found.text
    assert b"Failed to parse JSONRPC message" in found.stderr


def test_without_a_recording_the_library_is_as_it_was() -> None:
    code = (
        "from replay.seams import registry; registry.install(print); from mcp.client.stdio import *;"
        "from mcp import StdioServerParameters as Server; print(type(stdio_client(Server(command='x'))).__module__)"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "contextlib\n"
