"""The clerk's world: a server that answers its look-ups, and its model's requests."""

from __future__ import annotations

import json
import random
import runpy
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bisect.planted import Pair
from tests.support.e2e import record

ROOT = Path(__file__).parents[2]
CLERK = ROOT / "fixtures" / "programs" / "clerk.py"
FIRST_COME = ROOT / "fixtures" / "programs" / "first_come.py"
MODEL = ROOT / "fixtures" / "programs" / "clerk_model.py"

think: Callable[[dict[str, Any], list[str], float, Callable[[], float]], dict[str, Any]] = runpy.run_path(str(MODEL))[
    "think"
]


class World:
    """The server, on a thread of this process; a context manager.

    Attributes:
        things, phrases: as they are now. share: in how many of the cases in which it would the model acts; which, is
            drawn from `chance`. asked: how often it was.
        turns: in which order questions are answered, each when the one before was.
    """

    def __init__(self) -> None:
        self.things: Sequence[Any] = ()
        self.phrases: list[str] = []
        self.share = 1.0
        self.chance = random.Random(6)
        self.asked = 0
        self.turns: list[int] = []
        self.turn = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
            """Silent."""

        def do_GET(self) -> None:
            what, number = self.path.strip("/").split("/")
            if what == "things":
                self._answer(world.things[int(number)])
                return
            with world.turn:
                world.turn.wait_for(lambda: world.turns[0] == int(number))
                self.close_connection = True
                self._answer({"amount": 40})
                self.rfile.read()  # it closes when it has read the answer
                world.turns.pop(0)
                world.turn.notify_all()

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            world.asked += 1
            self._answer(think(request, world.phrases, world.share, world.chance.random))

        def _answer(self, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    return Handler


def recordings(world: World, given: Pair, directory: Path) -> tuple[Path, Path]:
    """The clerk, recorded in the good world and in the bad one."""
    world.phrases = [phrase for _, phrase in given.phrases]
    paths = directory / "good.cassette", directory / "bad.cassette"
    for path, things in zip(paths, (given.good, given.bad), strict=True):
        world.things = things
        done = record(CLERK, path, arguments=[world.url, str(len(things))], url=world.url)
        assert done.exit_code == 0, done.stderr.decode()
    return paths


def orders(world: World, good: Sequence[int], bad: Sequence[int], directory: Path) -> tuple[Path, Path]:
    """A program that asks several questions at once, recorded with both orders of answers."""
    paths = directory / "good.cassette", directory / "bad.cassette"
    for path, turns in zip(paths, (good, bad), strict=True):
        world.turns = list(turns)
        done = record(FIRST_COME, path, arguments=[world.url], url=world.url)
        assert done.exit_code == 0, done.stderr.decode()
    return paths


def model(given: Pair, directory: Path, *more: str) -> str:
    """The model as a command."""
    phrases = directory / "phrases.json"
    phrases.write_text(json.dumps([phrase for _, phrase in given.phrases]))
    return " ".join([sys.executable, "-S", "-E", str(MODEL), str(phrases), *more])
