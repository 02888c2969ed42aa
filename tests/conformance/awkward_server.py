"""A server for what clients seldom meet: TLS, proxies, bodies of every framing, answers that aren't HTTP.

It is a proxy too: for absolute URLs, and for CONNECT (a host that begins with `deny` is refused).
"""

from __future__ import annotations

import json
import random
import select
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CERTIFICATE = Path(__file__).with_name("localhost.pem")


class AwkwardServer:
    """Two ports, one of them with TLS, on threads of this process; a context manager."""

    def __init__(self) -> None:
        self._plain = _Http()
        self._secure = _Http()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self._secure.socket = context.wrap_socket(self._secure.socket, server_side=True)
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            for server in (self._plain, self._secure)
        ]

    @property
    def ports(self) -> tuple[str, str]:
        """The plain one and the one with TLS."""
        return str(self._plain.server_address[1]), str(self._secure.server_address[1])

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for server in (self._plain, self._secure):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Silent."""

    def do_GET(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0]
        if self.path.startswith("http://"):
            self._json(proxied=self.path, credentials="Proxy-Authorization" in self.headers)
        elif path in ("/204", "/304"):
            self.send_response(int(path[1:]))
            self.end_headers()
        elif path == "/echo":
            self._reply(body)
        else:
            odd = getattr(self, f"_{path[1:]}", None)
            if odd is None:
                self._json(path=path, method=self.command)
            else:
                odd()

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        if self.path.startswith("deny"):
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            here = self.connection
            while True:
                for ready in select.select([here, there], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    (there if ready is here else here).sendall(data)

    def _big(self) -> None:
        self._reply(random.randbytes(2_000_000))

    def _bigchunk(self) -> None:
        data = random.randbytes(1_500_000)
        self._start_chunks()
        self.wfile.write(b"%x;extension=1\r\n" % len(data) + data + b"\r\n0\r\nX-Trailer: 1\r\n\r\n")

    def _until(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(random.randbytes(50))

    def _drop(self) -> None:
        self.close_connection = True  # and says nothing of it
        self._json(path="/drop")

    def _nothttp(self) -> None:
        self.close_connection = True
        self.wfile.write(b"NOT HTTP AT ALL\r\n\r\n")

    def _cutchunk(self) -> None:
        self.close_connection = True
        self._start_chunks()
        self.wfile.write(b"5\r\nhello\r\na\r\nwor")

    def _early(self) -> None:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._json(path="/early")

    def _start_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _json(self, **value: Any) -> None:
        self._reply(json.dumps({**value, "nonce": f"{random.getrandbits(128):032x}"}).encode(), "application/json")

    def _reply(self, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
