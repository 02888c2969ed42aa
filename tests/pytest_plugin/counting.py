"""A server on loopback that answers with a new number each time: `/number`, `/stream` (events), POST `/echo`."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Counting:
    """It listens until `stop`, which may be called twice."""

    def __init__(self) -> None:
        self.count = 0
        counting = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                counting.count += 1
                if self.path.startswith("/stream"):
                    self._answer(
                        b"".join(b"data: %d.%d\n\n" % (counting.count, n) for n in range(3)), "text/event-stream"
                    )
                else:
                    self._answer(str(counting.count).encode(), "text/plain")

            def do_POST(self) -> None:
                counting.count += 1
                asked = self.rfile.read(int(self.headers["content-length"]))
                self._answer(json.dumps({"n": counting.count, "asked": json.loads(asked)}).encode(), "application/json")

            def _answer(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server: ThreadingHTTPServer | None = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """From here on nobody answers."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
