"""The program that gets recorded: every scenario with one client. Prints a JSON line for each, `[scenario, outcome]`.

python program.py CLIENT URL
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import replay
from tests.conformance.clients import ASYNC, SYNC

NAME, BASE = sys.argv[1:]
CALLERS = 64


def say(scenario: str, outcome: Any) -> None:
    print(json.dumps([scenario, outcome]), flush=True)


def url(scenario: str, what: str, key: object = 0) -> str:
    return f"{BASE}/{scenario}/{what}/{key}"


def failure(error: BaseException) -> list[str]:
    return [type(error).__name__, str(error)]


# -- synchronous --------------------------------------------------------------------------------------------------


def result(client: Any) -> Any:
    return [json.loads(client.get(url("result", "answer", key))) for key in ("a", "b")]


def error(client: Any) -> Any:
    outcome: list[Any] = []
    for target in (url("error", "close"), url("error", "cut"), "http://127.0.0.1:1/error/refused"):
        try:
            outcome.append(client.get(target).decode())
        except client.errors as raised:
            outcome.append(failure(raised))
    try:
        client.get(url("error", "hang"), timeout=0.1)
    except client.errors as raised:
        outcome.append(failure(raised))
    return outcome


def stream(client: Any) -> Any:
    with client.stream(url("stream", "chunks")) as pieces:
        whole = [piece.decode() for piece in pieces]
    with client.stream(url("stream", "gated")) as pieces:
        first = next(iter(pieces)).decode()
        client.get(url("stream", "open"))
        rest = [piece.decode() for piece in pieces]
    return [whole, first, rest]


def early(client: Any) -> Any:
    with client.stream(url("early", "endless")) as pieces:
        first = next(iter(pieces)).decode()
    return [first, json.loads(client.get(url("early", "answer")))]


def upload(client: Any) -> Any:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    outcome = [json.loads(client.post(url("upload", "answer", "bytes"), b"plain"))]
    if NAME != "urllib":  # which takes an iterator only together with its length
        outcome.append(json.loads(client.post(url("upload", "answer", "parts"), parts())))
    return outcome


def moved(client: Any) -> Any:
    return json.loads(client.get(url("moved", "moved", "there")))


def concurrent(client: Any) -> Any:
    def one(key: int) -> Any:
        return json.loads(client.get(url("concurrent", "answer", key)))

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(one, range(CALLERS)))


def nested(client: Any) -> Any:
    @replay.tool(effect="read")
    def look_up(key: str) -> Any:
        client.get(url("nested", "answer", "inside"))
        return json.loads(client.get(url("nested", "answer", key)))

    before = look_up("x")
    return [before, json.loads(client.get(url("nested", "answer", "outside")))]


SCENARIOS: tuple[Callable[[Any], Any], ...] = (result, error, stream, early, upload, moved, concurrent, nested)


# -- asynchronous -------------------------------------------------------------------------------------------------


async def aresult(client: Any) -> Any:
    return [json.loads(await client.get(url("result", "answer", key))) for key in ("a", "b")]


async def aerror(client: Any) -> Any:
    outcome: list[Any] = []
    for target in (url("error", "close"), url("error", "cut"), "http://127.0.0.1:1/error/refused"):
        try:
            outcome.append((await client.get(target)).decode())
        except client.errors as raised:
            outcome.append(failure(raised))
    try:
        await client.get(url("error", "hang"), timeout=0.1)
    except client.errors as raised:
        outcome.append(failure(raised))
    return outcome


async def astream(client: Any) -> Any:
    async with client.stream(url("stream", "chunks")) as pieces:
        whole = [piece.decode() async for piece in pieces]
    async with client.stream(url("stream", "gated")) as pieces:
        first = (await anext(pieces)).decode()
        await client.get(url("stream", "open"))
        rest = [piece.decode() async for piece in pieces]
    return [whole, first, rest]


async def aearly(client: Any) -> Any:
    async with client.stream(url("early", "endless")) as pieces:
        first = (await anext(pieces)).decode()
    return [first, json.loads(await client.get(url("early", "answer")))]


async def aupload(client: Any) -> Any:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        await asyncio.sleep(0)
        yield b"two"

    plain = await client.post(url("upload", "answer", "bytes"), b"plain")
    return [json.loads(plain), json.loads(await client.post(url("upload", "answer", "parts"), parts()))]


async def amoved(client: Any) -> Any:
    return json.loads(await client.get(url("moved", "moved", "there")))


async def aconcurrent(client: Any) -> Any:
    async def one(key: int) -> Any:
        return json.loads(await client.get(url("concurrent", "answer", key)))

    return await asyncio.gather(*map(one, range(CALLERS)))


async def anested(client: Any) -> Any:
    @replay.tool(effect="read")
    async def look_up(key: str) -> Any:
        await client.get(url("nested", "answer", "inside"))
        return json.loads(await client.get(url("nested", "answer", key)))

    before = await look_up("x")
    return [before, json.loads(await client.get(url("nested", "answer", "outside")))]


async def cancelled(client: Any) -> Any:
    outcome: list[Any] = []
    call = asyncio.create_task(client.get(url("cancelled", "hang")))
    await client.get(url("cancelled", "seen"))
    call.cancel("enough")
    try:
        await call
    except asyncio.CancelledError as raised:
        outcome.append(failure(raised))

    got = asyncio.Event()

    async def read() -> None:
        async with client.stream(url("cancelled", "endless")) as pieces:
            async for piece in pieces:
                outcome.append(piece.decode())
                if piece == b"second":
                    got.set()

    reading = asyncio.create_task(read())
    await got.wait()
    reading.cancel()
    try:
        await reading
    except asyncio.CancelledError as raised:
        outcome.append(failure(raised))
    outcome.append(json.loads(await client.get(url("cancelled", "answer"))))
    return outcome


ASYNC_SCENARIOS: tuple[Callable[[Any], Awaitable[Any]], ...] = (
    *(aresult, aerror, astream, aearly, aupload, amoved, aconcurrent, anested, cancelled),
)


async def amain() -> None:
    client = ASYNC[NAME]()
    for scenario in ASYNC_SCENARIOS:
        say(scenario.__name__.removeprefix("a"), await scenario(client))
    await client.close()


def main() -> None:
    client = SYNC[NAME]()
    for scenario in SCENARIOS:
        say(scenario.__name__, scenario(client))
    client.close()


if __name__ == "__main__":
    if NAME in ASYNC:
        asyncio.run(amain())
    else:
        main()
