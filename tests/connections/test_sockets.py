"""Sockets used directly, and clients and servers in pure Python on them: no socket is connected at replay."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.connections.servers import Echo, serving
from tests.support.programs import record, replays

PREFIX = """
import os, random, select, selectors, socket, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
PORT = int(os.environ.get("PORT", "0"))
def nap():
    time.sleep(random.random() / 300)
"""

CLIENTS = {
    "sockets": """
        def talk(n):
            with socket.create_connection(("127.0.0.1", PORT), timeout=60) as sock:
                got = bytearray(100)
                for word in ("first", "second"):
                    sock.sendall(f"{word} {n}\\n".encode())
                    print(n, sock.recv(100), sock.getsockname() != sock.getpeername())
                size = sock.recv_into(got)
                print(n, bytes(got[:size]))
                with sock.makefile("rw") as file:
                    file.write("quit\\n"); file.flush()
                    print(file.read())
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(talk, range(4)))
        for refused in (("127.0.0.1", 1), ("no.such.host.invalid", 80)):
            try:
                socket.create_connection(refused)
            except OSError as error:
                print(type(error).__name__, error)
        print(socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM), socket.gethostbyname("localhost"))
        late = socket.create_connection(("127.0.0.1", PORT), timeout=0.02)
        try:
            late.recv(1)
        except TimeoutError as error:
            print(error)
    """,
    "waiting": """
        pairs = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(3)]
        for n, sock in enumerate(pairs):
            sock.sendall(b"%d\\nquit\\n" % n)
        waiting = list(pairs)
        while waiting:
            ready, _, _ = select.select(waiting, [], [], 60)
            for sock in ready:
                piece = sock.recv(10)
                print(pairs.index(sock), piece)
                if not piece: waiting.remove(sock); sock.close()
        with selectors.DefaultSelector() as selector, socket.create_connection(("127.0.0.1", PORT)) as sock:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, "data")
            print([(key.data, events) for key, events in selector.select(60)])
            selector.modify(sock, selectors.EVENT_READ)
            sock.send(b"quit\\n")
            while selector.select(60) and (piece := sock.recv(10)):
                print(piece)
        poll = select.poll()
        with socket.create_connection(("127.0.0.1", PORT)) as sock:
            poll.register(sock, select.POLLOUT)
            print([(fd == sock.fileno(), events) for fd, events in poll.poll(1000)])
    """,
}


@pytest.mark.parametrize("name", CLIENTS)
def test_clients(name: str, tmp_path: Path) -> None:
    with serving(Echo) as port:
        replays(tmp_path, PREFIX + textwrap.dedent(CLIENTS[name]), varies=None, variables={"PORT": str(port)})


SERVERS = {
    "http.server": """
        import http.server, urllib.request
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                nap()
                answer = body + b" %d" % random.randrange(10**6)
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                print("served", self.path, self.client_address)
            def log_message(self, *args): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        print(server.server_address)
        def ask(n):
            url = f"http://127.0.0.1:{server.server_address[1]}/{n}"
            with urllib.request.urlopen(url, data=b"asked %d" % n) as found:
                print(n, found.status, found.read())
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(ask, range(4)))
        server.shutdown()
        thread.join()
        server.server_close()
    """,
    "websockets": """
        from websockets.sync.client import connect
        from websockets.sync.server import serve
        def handle(socket):
            for message in socket:
                nap()
                socket.send(f"{message[::-1]} {random.random()}")
        server = serve(handle, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}") as socket:
            for n in range(3):
                socket.send(f"message {n}")
                print(socket.recv())
        server.shutdown()
        thread.join()
    """,
}


@pytest.mark.parametrize("name", SERVERS)
def test_servers(name: str, tmp_path: Path) -> None:
    replays(tmp_path, PREFIX + textwrap.dedent(SERVERS[name]), varies=True)


def test_other_bytes_are_a_divergence(tmp_path: Path) -> None:
    source = """
    import os, socket
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) as sock:
        sock.sendall(b"written\\n")
        print(sock.recv(3))
    """
    with serving(Echo) as port:
        found = record(tmp_path, source, variables={"PORT": str(port)})
    assert found.finished
    assert found.again().identical
    for then, now, said in ((b"written", b"something else", "something else"), (b"127.0.0.1", b"127.0.0.2", "0.0.2")):
        source_now = found.program.read_bytes()
        found.program.write_bytes(source_now.replace(then, now))
        again = found.again()
        assert again.divergence is not None
        assert said in f"{again.divergence.got}", again.divergence
        assert not again.escapes
        found.program.write_bytes(source_now)
