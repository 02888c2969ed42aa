"""Connections and servers on the event loop: what came, in which pieces and when, without a network at replay."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.connections.servers import Echo, serving
from tests.support.programs import record, replays

PREFIX = """
import asyncio, os, random, sys, time
PORT = int(os.environ.get("PORT", "0"))
async def nap():
    await asyncio.sleep(random.random() / 300)
"""

CLIENTS = {
    "streams": """
        async def talk(n):
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            for word in ("first", "second", "third"):
                writer.write(f"{word} {n}\\n".encode())
                await writer.drain()
                print(n, await reader.readline())
            print(n, writer.get_extra_info("peername")[0], writer.get_extra_info("sockname"))
            if n % 2:
                writer.write(b"quit\\n")
                print(await reader.read(), reader.at_eof())
            writer.close()
            await writer.wait_closed()
        async def main():
            await asyncio.gather(*(talk(n) for n in range(5)))
            task = asyncio.create_task(talk(6))
            await asyncio.sleep(random.random() / 50)
            task.cancel()
            print(await asyncio.gather(task, return_exceptions=True))
            try:
                await asyncio.open_connection("127.0.0.1", 1)
            except OSError as error:
                print(error)
        asyncio.run(main())
    """,
    "protocols": """
        class Lines(asyncio.Protocol):
            def __init__(self):
                self.over = asyncio.get_running_loop().create_future()
            def connection_made(self, transport):
                self.transport = transport
                transport.writelines([b"one\\n", b"two\\n", b"quit\\n"])
            def data_received(self, data):
                print("got", data, time.time())
            def eof_received(self):
                print("eof")
            def connection_lost(self, error):
                self.over.set_result(error)
        async def main():
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.create_connection(Lines, "127.0.0.1", PORT)
            print(await protocol.over, transport.is_closing())
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("name", CLIENTS)
def test_clients(name: str, tmp_path: Path) -> None:
    with serving(Echo) as port:
        replays(tmp_path, PREFIX + textwrap.dedent(CLIENTS[name]), varies=None, variables={"PORT": str(port)})


SERVERS = {
    "streams": """
        async def handle(reader, writer):
            while line := await reader.readline():
                await nap()
                writer.write(line.strip()[::-1] + b" %d\\n" % random.randrange(10**6))
                await writer.drain()
                print("served", line, writer.get_extra_info("peername"))
            writer.close()
        async def talk(port, n):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for i in range(3):
                await nap()
                writer.write(b"%d of %d\\n" % (i, n))
                print(n, await reader.readline())
            writer.close()
            await writer.wait_closed()
        async def main():
            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            print(port, server.is_serving())
            async with server:
                await asyncio.gather(*(talk(port, n) for n in range(5)))
            print(server.is_serving(), server.sockets)
            task = asyncio.create_task(server.wait_closed())
            await task
        asyncio.run(main())
    """,
    "unix sockets and datagrams": """
        import tempfile
        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport
            def datagram_received(self, data, addr):
                self.transport.sendto(data[::-1], addr)
        class Ask(asyncio.DatagramProtocol):
            def __init__(self, answers):
                self.answers = answers
            def datagram_received(self, data, addr):
                self.answers.put_nowait((data, addr[0]))
        async def handle(reader, writer):
            writer.write(await reader.read(100) + b"%d" % random.randrange(1000))
            writer.close()
        async def main():
            loop = asyncio.get_running_loop()
            here, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
            answers = asyncio.Queue()
            address = here.get_extra_info("sockname")
            ask, _ = await loop.create_datagram_endpoint(lambda: Ask(answers), remote_addr=address)
            for n in range(4):
                ask.sendto(b"%d and %d" % (n, random.randrange(1000)))
                print(await answers.get())
            ask.close(); here.close()
            path = os.path.join(os.getcwd(), f"s{os.getpid()}")
            server = await asyncio.start_unix_server(handle, path)
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"over a path ")
            print(await reader.read())
            writer.close()
            server.close()
            await server.wait_closed()
        asyncio.run(main())
    """,
    "uvloop": """
        import uvloop
        async def handle(reader, writer):
            while line := await reader.readline():
                await nap()
                writer.write(line.strip()[::-1] + b" %d\\n" % random.randrange(10**6))
            writer.close()
        async def main():
            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async def talk(n):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                for i in range(3):
                    writer.write(b"%d of %d\\n" % (i, n))
                    await writer.drain()
                    print(n, await reader.readline())
                writer.close()
                await writer.wait_closed()
            await asyncio.gather(*(talk(n) for n in range(4)))
            server.close()
            await server.wait_closed()
            child = await asyncio.create_subprocess_exec("sh", "-c", "echo $$; cat", stdin=-1, stdout=-1, stderr=-3)
            print(await child.communicate(b"given"), child.returncode)
        uvloop.run(main())
    """,
    "websockets": """
        from websockets.asyncio.client import connect
        from websockets.asyncio.server import serve
        async def handle(socket):
            async for message in socket:
                await nap()
                await socket.send(f"{message[::-1]} {random.random()}")
        async def talk(port, n):
            async with connect(f"ws://127.0.0.1:{port}") as socket:
                for i in range(3):
                    await socket.send(f"{n} {i}")
                    print(n, await socket.recv())
        async def main():
            async with serve(handle, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                await asyncio.gather(*(talk(port, n) for n in range(3)))
        asyncio.run(main())
    """,
    "the loop's own sockets": """
        import anyio, socket
        async def serve(listener):
            loop = asyncio.get_running_loop()
            peer, address = await loop.sock_accept(listener)
            with peer:
                while data := await loop.sock_recv(peer, 100):
                    await loop.sock_sendall(peer, data[::-1] + b" %d" % random.randrange(1000))
        async def main():
            loop = asyncio.get_running_loop()
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            task = asyncio.create_task(serve(listener))
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, listener.getsockname())
                for n in range(3):
                    await loop.sock_sendall(sock, b"asked %d" % n)
                    ready = asyncio.Event()
                    loop.add_reader(sock, ready.set)
                    await ready.wait()
                    print(loop.remove_reader(sock), sock.recv(100))
            await task
            async def handle(stream):
                async with stream:
                    await stream.send((await stream.receive())[::-1] + b" %d" % random.randrange(1000))
            tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
            async with anyio.create_task_group() as group:
                group.start_soon(tcp.serve, handle)
                port = tcp.extra(anyio.abc.SocketAttribute.local_port)
                for n in range(2):
                    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                        await stream.send(b"over anyio")
                        print(await stream.receive())
                group.cancel_scope.cancel()
        asyncio.run(main())
    """,
    "uvicorn": """
        import httpx, uvicorn
        async def app(scope, receive, send):
            body = (await receive()).get("body", b"")
            await nap()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body + b" %d" % random.randrange(10**6)})
            print("served", scope["path"], scope["client"])
        async def main():
            server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning", loop="asyncio"))
            task = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            async with httpx.AsyncClient() as client:
                async def ask(n):
                    found = await client.post(f"http://127.0.0.1:{port}/{n}", content=b"asked %d" % n)
                    print(n, found.status_code, found.text)
                await asyncio.gather(*(ask(n) for n in range(4)))
            server.should_exit = True
            await task
        asyncio.run(main())
    """,
    "aiohttp": """
        import aiohttp
        from aiohttp import web
        async def hello(request):
            await nap()
            print("served", request.path, request.remote)
            return web.Response(text=f"{await request.text()} {random.random()}")
        async def main():
            app = web.Application()
            app.router.add_post("/{name}", hello)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession() as session:
                async def ask(n):
                    async with session.post(f"http://127.0.0.1:{port}/{n}", data=b"asked %d" % n) as found:
                        print(n, found.status, await found.text())
                await asyncio.gather(*(ask(n) for n in range(4)))
            await runner.cleanup()
        asyncio.run(main())
    """,
}


TLS = (Path(__file__).parent / "tls_program.txt").read_text()


def test_tls(tmp_path: Path) -> None:
    """A server and its clients, on the loop and then on sockets."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "both.pem"]
    named = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *named], cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "both.pem").open("a") as both:
        both.write((tmp_path / "key.pem").read_text())
    replays(tmp_path, TLS.replace('os.environ["CERT"]', repr(str(tmp_path / "both.pem"))), varies=True)


@pytest.mark.parametrize("name", SERVERS)
def test_servers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    replays(tmp_path, PREFIX + textwrap.dedent(SERVERS[name]), varies=True)


def test_other_bytes_are_a_divergence(tmp_path: Path) -> None:
    source = """
    import asyncio, os
    async def main():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["PORT"]))
        writer.write(b"written\\n")
        print(await reader.readline())
        writer.close()
    asyncio.run(main())
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
