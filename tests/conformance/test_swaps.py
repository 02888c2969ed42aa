"""64 concurrent calls in threads and 64 in tasks: nobody gets the answer of another, nobody gets none."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conformance.odd_server import OddServer
from tests.conformance.test_mcp import serving
from tests.support.programs import explained, record
from tests.support.torture import Note

PROGRAMS = Path(__file__).parents[2] / "fixtures" / "swaps"
HTTP = ("httpx", "httpx2", "urllib3", "requests", "http.client", "botocore", "httplib2")
ASYNC_HTTP = ("httpx async", "httpx2 async", "aiohttp", "tornado")
WEBSOCKET = ("websockets", "websockets async", "aiohttp websocket")
NEEDS = {"http.client": "http", "aiohttp websocket": "aiohttp"}
NONE = {"swapped": 0, "missing": 0}


@contextlib.contextmanager
def server(transport: str, directory: Path) -> Generator[str]:
    """Where that transport's server listens."""
    if transport in HTTP + ASYNC_HTTP:
        with OddServer() as odd:
            yield odd.url
    elif transport == "mcp":
        with serving("streamable-http", directory) as reached:
            yield reached[1]
    else:
        kind = "websocket" if transport in WEBSOCKET else "grpc"
        script = shutil.copy(PROGRAMS / "server.py", directory)
        command = [sys.executable, str(script), kind]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as other:
            try:
                assert other.stdout is not None
                yield other.stdout.readline().strip()
            finally:
                other.kill()


@pytest.mark.parametrize("transport", [*HTTP, *ASYNC_HTTP, *WEBSOCKET, "mcp", "grpc"])
def test_swaps(transport: str, tmp_path: Path, record_property: Note) -> None:
    needed = NEEDS.get(transport, transport.partition(" ")[0])
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} isn't installed: make setup, or pip install -e '.[dev,frameworks,sdks]'")
    source = (PROGRAMS / "program.py").read_text()
    with server(transport, tmp_path) as address:
        found = record(tmp_path, source.replace("sys.argv[1:]", repr([transport, address])))
    assert found.exit_code == 0, found.stderr.decode()
    again = found.again()
    assert again.identical, explained(again)
    for where in ("threads", "tasks"):
        recorded, replayed = (dict(map(json.loads, out.splitlines()))[where] for out in (found.stdout, again.stdout))
        row = {"transport": transport, "64 concurrent": where, **recorded, "at replay": json.dumps(replayed)}
        record_property(f"table: swapped and missing answers, {where}", row)
        assert (recorded, replayed) == (NONE, NONE)
