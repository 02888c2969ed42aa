"""A small real server on a loopback socket that answers by chance: a line echo."""

from __future__ import annotations

import random
import socketserver
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


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
