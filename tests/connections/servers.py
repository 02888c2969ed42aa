"""Small real servers on loopback sockets that answer by chance: a line echo, and enough of Redis for its client."""

from __future__ import annotations

import random
import socketserver
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Generator[int]:
    """The port of a server that runs `handler` in a thread for each connection."""

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def nap() -> None:
    """A delay by chance."""
    time.sleep(random.random() / 200)


class Echo(socketserver.StreamRequestHandler):
    """Each line comes back reversed, with a number, in one to three pieces; `quit` ends the connection."""

    def handle(self) -> None:
        for line in self.rfile:
            answer = b"%s %d\n" % (line.strip()[::-1], random.randrange(10**9))
            nap()
            cut = random.randrange(len(answer))
            for piece in (answer[:cut], answer[cut:]):
                self.wfile.write(piece)
                nap()
            if line.strip() == b"quit":
                return


_store: dict[bytes, bytes] = {}


class Redis(socketserver.StreamRequestHandler):
    """PING, SET, GET, INCRBY (by a random amount more), and OK or an error to everything else."""

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = [self._bulk() for _ in range(int(head[1:]))]
            nap()
            name, *args = words
            command: Callable[..., bytes] | None = getattr(self, f"do_{name.decode().lower()}", None)
            self.wfile.write(b"-ERR unknown command\r\n" if command is None else command(*args))

    def _bulk(self) -> bytes:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2]

    def do_ping(self) -> bytes:
        return b"+PONG\r\n"

    def do_client(self, *_: bytes) -> bytes:
        return b"+OK\r\n"

    def do_set(self, key: bytes, value: bytes, *_: bytes) -> bytes:
        _store[key] = value
        return b"+OK\r\n"

    def do_get(self, key: bytes) -> bytes:
        value = _store.get(key)
        return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)

    def do_incrby(self, key: bytes, amount: bytes) -> bytes:
        value = int(_store.get(key, b"0")) + int(amount) + random.randrange(10**6)
        _store[key] = b"%d" % value
        return b":%d\r\n" % value

    def do_publish(self, *_: Any) -> bytes:
        return b":0\r\n"
