"""How to make a call with each client. The only place that knows; an ordinary module of an ordinary program.

A client has `get`, `post` (bytes, or an iterator of them), `stream` and `close`; `errors` are what its calls raise.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any

Body = Any


class Httpx:
    """`httpx` or `httpx2`."""

    def __init__(self, name: str) -> None:
        library = import_module(name)
        self.errors: tuple[type[Exception], ...] = (library.HTTPError,)
        self._client = library.Client(follow_redirects=True)

    def get(self, url: str, timeout: float = 20) -> bytes:
        return self._client.get(url, timeout=timeout).content  # type: ignore[no-any-return]

    def post(self, url: str, body: Body) -> bytes:
        return self._client.post(url, content=body).content  # type: ignore[no-any-return]

    @contextmanager
    def stream(self, url: str) -> Generator[Iterator[bytes]]:
        with self._client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            yield response.iter_raw()

    def close(self) -> None:
        self._client.close()


class Requests:
    """`requests`, one session for all threads."""

    def __init__(self) -> None:
        import requests

        self.errors = (requests.RequestException,)
        self._session = requests.Session()

    def get(self, url: str, timeout: float = 20) -> bytes:
        return self._session.get(url, timeout=timeout).content

    def post(self, url: str, body: Body) -> bytes:
        return self._session.post(url, data=body, timeout=20).content

    @contextmanager
    def stream(self, url: str) -> Generator[Iterator[bytes]]:
        with self._session.get(url, stream=True, timeout=20) as response:
            yield response.iter_content(None)

    def close(self) -> None:
        self._session.close()


class Urllib3:
    """`urllib3`, a pool for all threads."""

    def __init__(self) -> None:
        import urllib3

        self.errors = (urllib3.exceptions.HTTPError,)
        self._pool = urllib3.PoolManager(maxsize=4, retries=urllib3.Retry(3, connect=0, read=0))

    def get(self, url: str, timeout: float = 20) -> bytes:
        return self._pool.request("GET", url, timeout=timeout, headers={"Accept-Encoding": "gzip"}).data

    def post(self, url: str, body: Body) -> bytes:
        return self._pool.request("POST", url, body=body).data

    @contextmanager
    def stream(self, url: str) -> Generator[Iterator[bytes]]:
        response = self._pool.request("GET", url, preload_content=False)
        try:
            yield response.stream(None)
        finally:
            response.close()

    def close(self) -> None:
        self._pool.clear()


class Urllib:
    """`urllib.request`: a connection for each call."""

    def __init__(self) -> None:
        import http.client
        import urllib.request

        self.errors = (OSError, http.client.HTTPException)
        self._open: Callable[..., Any] = urllib.request.urlopen

    def get(self, url: str, timeout: float = 20) -> bytes:
        with self._open(url, timeout=timeout) as response:
            return response.read()  # type: ignore[no-any-return]

    def post(self, url: str, body: Body) -> bytes:
        import urllib.request

        with self._open(urllib.request.Request(url, data=body, method="POST"), timeout=20) as response:
            return response.read()  # type: ignore[no-any-return]

    @contextmanager
    def stream(self, url: str) -> Generator[Iterator[bytes]]:
        with self._open(url, timeout=20) as response:
            yield iter(response.read1, b"")

    def close(self) -> None:
        """Nothing is kept."""


class HttpClient:
    """`http.client`: a connection for each thread, given up after an error."""

    def __init__(self) -> None:
        import http.client

        self.errors = (OSError, http.client.HTTPException)
        self._library = http.client
        self._local = threading.local()

    def _ask(self, method: str, url: str, body: Body = None, timeout: float = 20) -> Any:
        _, _, host, path = url.split("/", 3)
        kept = getattr(self._local, "connection", None)
        if kept is None or f"{kept.host}:{kept.port}" != host or kept.timeout != timeout:
            self._drop()
            kept = self._local.connection = self._library.HTTPConnection(host, timeout=timeout)
        try:
            kept.request(method, f"/{path}", body=body)
            response = kept.getresponse()
        except self.errors:
            self._drop()
            raise
        location = response.getheader("Location")
        if location is None:
            return response
        response.read()
        return self._ask(method, f"http://{host}{location}")

    def _drop(self) -> None:
        kept = getattr(self._local, "connection", None)
        self._local.connection = None
        if kept is not None:
            kept.close()

    def get(self, url: str, timeout: float = 20) -> bytes:
        try:
            return self._ask("GET", url, timeout=timeout).read()  # type: ignore[no-any-return]
        except self.errors:
            self._drop()
            raise

    def post(self, url: str, body: Body) -> bytes:
        return self._ask("POST", url, body).read()  # type: ignore[no-any-return]

    @contextmanager
    def stream(self, url: str) -> Generator[Iterator[bytes]]:
        response = self._ask("GET", url)
        # A connection that is busy with a stream can't take another call.
        connection, self._local.connection = self._local.connection, None
        try:
            yield iter(response.read1, b"")
        finally:
            response.close()
            connection.close()

    def close(self) -> None:
        self._drop()


class AsyncHttpx:
    """`httpx` or `httpx2`, asynchronous."""

    def __init__(self, name: str) -> None:
        library = import_module(name)
        self.errors: tuple[type[Exception], ...] = (library.HTTPError,)
        self._client = library.AsyncClient(follow_redirects=True)

    async def get(self, url: str, timeout: float = 20) -> bytes:
        return (await self._client.get(url, timeout=timeout)).content  # type: ignore[no-any-return]

    async def post(self, url: str, body: Body) -> bytes:
        return (await self._client.post(url, content=body)).content  # type: ignore[no-any-return]

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with self._client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            yield response.aiter_raw()

    async def close(self) -> None:
        await self._client.aclose()


class Aiohttp:
    """`aiohttp`."""

    def __init__(self) -> None:
        import aiohttp

        self.errors = (aiohttp.ClientError, TimeoutError)
        self._timeout = aiohttp.ClientTimeout
        self._session = aiohttp.ClientSession()

    async def get(self, url: str, timeout: float = 20) -> bytes:
        async with self._session.get(url, timeout=self._timeout(total=timeout)) as response:
            return await response.read()

    async def post(self, url: str, body: Body) -> bytes:
        async with self._session.post(url, data=body) as response:
            return await response.read()

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with self._session.get(url) as response:

            async def pieces() -> AsyncIterator[bytes]:
                async for piece, _ in response.content.iter_chunks():
                    if piece:
                        yield piece

            yield pieces()

    async def close(self) -> None:
        await self._session.close()


SYNC: dict[str, Callable[[], Any]] = {
    "httpx": lambda: Httpx("httpx"),
    "httpx2": lambda: Httpx("httpx2"),
    "requests": Requests,
    "urllib3": Urllib3,
    "urllib": Urllib,
    "http.client": HttpClient,
}
ASYNC: dict[str, Callable[[], Any]] = {
    "httpx async": lambda: AsyncHttpx("httpx"),
    "httpx2 async": lambda: AsyncHttpx("httpx2"),
    "aiohttp": Aiohttp,
}
