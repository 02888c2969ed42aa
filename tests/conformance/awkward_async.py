"""What asynchronous clients seldom meet. An ordinary program; prints a line `name: outcome` for each case.

python -m tests.conformance.awkward_async PORT TLS_PORT
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import httpx2

import replay
from tests.conformance.awkward_server import CERTIFICATE

PORT, TLS_PORT = map(int, sys.argv[1:])
BASE, SECURE, PROXY = f"http://127.0.0.1:{PORT}", f"https://127.0.0.1:{TLS_PORT}", f"http://user:word@127.0.0.1:{PORT}"
TRUST = ssl.create_default_context(cafile=str(CERTIFICATE))
Ask = Callable[..., Awaitable[Any]]


async def case(name: str, ask: Ask, *args: Any, **options: Any) -> None:
    try:
        outcome = await ask(*args, **options)
    except Exception as error:
        outcome = f"raised {type(error).__module__}.{type(error).__qualname__}: {str(error)[:300]}"
    print(f"{name}: {outcome}", flush=True)


def digest(data: bytes) -> str:
    return f"{len(data)} {hashlib.md5(data).hexdigest()}"


async def failing_body() -> AsyncIterator[bytes]:
    yield b"a"
    await asyncio.sleep(0)
    raise ValueError("the program's own")


async def with_aiohttp() -> None:
    seen: list[Any] = []

    async def on_end(_: Any, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
        seen.append((params.method, params.response.status))

    async def on_chunk(_: Any, context: SimpleNamespace, params: aiohttp.TraceRequestChunkSentParams) -> None:
        seen.append(len(params.chunk))

    async def authorise(request: Any, handler: Any) -> Any:
        request.headers["X-From"] = "middleware"
        return await handler(request)

    traces = aiohttp.TraceConfig()
    traces.on_request_end.append(on_end)
    traces.on_request_chunk_sent.append(on_chunk)
    async with aiohttp.ClientSession(trace_configs=[traces], middlewares=[authorise]) as session:

        async def ask(method: str, url: str, **options: Any) -> Any:
            async with session.request(method, url, **options) as response:
                return response.status, digest(await response.read())

        await case("TLS", ask, "GET", SECURE + "/a", ssl=TRUST)
        await case("TLS kept alive", ask, "GET", SECURE + "/b", ssl=TRUST)
        await case("TLS untrusted", ask, "GET", SECURE + "/a")
        for path in ("204", "304", "big", "bigchunk", "until", "early", "nothttp", "cutchunk", "drop", "drop", "drop"):
            await case(path, ask, "GET", f"{BASE}/{path}")
        await case("HEAD", ask, "HEAD", BASE + "/head")
        await case("big upload", ask, "POST", BASE + "/echo", data=b"x" * 2_000_000)
        with CERTIFICATE.with_name("awkward_server.py").open("rb") as file:
            await case("file", ask, "POST", BASE + "/echo", data=file)
        form = aiohttp.FormData()
        form.add_field("f", b"hello", filename="a.txt")
        await case("multipart", lambda: ask("POST", BASE + "/echo", data=form))
        await case("compressed", ask, "POST", BASE + "/echo", data=b"hello" * 100, compress="gzip")
        await case("expect", ask, "POST", BASE + "/echo", data=b"hello", expect100=True)
        await case("failing body", ask, "POST", BASE + "/echo", data=failing_body())
        await case("proxy", ask, "GET", "http://example.test/z", proxy=PROXY)
        await case("tunnel", ask, "GET", SECURE + "/z", proxy=PROXY, ssl=TRUST)
        await case("tunnel denied", ask, "GET", "https://deny.test/z", proxy=PROXY)
        await case("no proxy there", ask, "GET", "http://example.test/z", proxy="http://127.0.0.1:1")
        response = await session.get(BASE + "/big")
        print("partly read:", len(await response.content.readexactly(100)), response.closed)
        response.close()

        @replay.tool(effect="read")
        async def look_up() -> Any:
            async with session.get(BASE + "/inside") as inside:
                return await inside.json()

        print("signals:", seen)
        await case("tool", look_up)
        await case("agent", ask, "GET", BASE + "/outside")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1), base_url=BASE + "/") as session:

        async def path_of(number: int) -> Any:
            async with session.get(f"q{number}") as reply:
                return (await reply.json())["path"]

        print("one at a time:", await asyncio.gather(*map(path_of, range(8))))
        raced = await asyncio.gather(
            *(asyncio.wait_for(path_of(number), 0.003) for number in range(5)), return_exceptions=True
        )
        print("raced:", [type(outcome).__name__ for outcome in raced])


async def with_httpx(library: Any) -> None:
    async with library.AsyncClient(verify=TRUST) as client:

        async def ask(method: str, url: str, **options: Any) -> Any:
            response = await client.request(method, url, **options)
            return response.status_code, digest(response.content), response.http_version

        await case("TLS", ask, "GET", SECURE + "/a")
        for path in ("204", "304", "big", "bigchunk", "until", "nothttp", "cutchunk", "drop", "drop", "drop"):
            await case(path, ask, "GET", f"{BASE}/{path}")
        await case("HEAD", ask, "HEAD", BASE + "/head")
        await case("multipart", ask, "POST", BASE + "/echo", files={"f": ("a.txt", b"hello")})
        await case("failing body", ask, "POST", BASE + "/echo", content=failing_body())
        raced = await asyncio.gather(
            *(asyncio.wait_for(ask("GET", f"{BASE}/w{number}"), 0.005) for number in range(6)), return_exceptions=True
        )
        print("raced:", [type(outcome).__name__ for outcome in raced])
        tasks: list[asyncio.Task[Any]] = []

        async def fail() -> None:
            await ask("GET", BASE + "/1")
            raise KeyError("x")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                tasks = [group.create_task(ask("GET", f"{BASE}/g{number}")) for number in range(4)]
        except* KeyError:
            print("group:", [task.cancelled() for task in tasks])
    async with library.AsyncClient(proxy=PROXY, trust_env=False, verify=TRUST) as client:
        await case("proxy", lambda: client.get("http://example.test/z"))
        await case("tunnel", lambda: client.get(SECURE + "/z"))
        await case("tunnel denied", lambda: client.get("https://deny.test/z"))


if __name__ == "__main__":
    asyncio.run(with_aiohttp())
    asyncio.run(with_httpx(httpx))
    asyncio.run(with_httpx(httpx2))
