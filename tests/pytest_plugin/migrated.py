"""What a suite of pytest-recording's asks in its tests, with the marker changed. It runs by itself, in a pytest of its
own, and by `python -m tests.pytest_plugin.migrated DIR`, which prints how many of DIR's cassettes serve their tests.

Each test sends what its cassette has, one after the other, with the client that goes with it: openai's and anthropic's
SDKs, httpx, requests and aiohttp in turn; and compares status and body with what vcr's own reading of the file says.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml

FOLDER = os.environ.get("MIGRATED", "")
Answer = tuple[int, bytes]


def exchanges(path: Path) -> Iterator[tuple[dict[str, Any], Answer]]:
    """What the file has, by its own words."""
    for item in yaml.safe_load(path.read_text("utf-8"))["interactions"]:
        if "request" in item and "response" in item:
            response = item["response"]
            yield item["request"], (response["status"]["code"], _bytes(response))


def _bytes(message: dict[str, Any]) -> bytes:
    if "parsed_body" in message:
        return json.dumps(message["parsed_body"], ensure_ascii=False).encode()
    body: Any = message.get("body")
    if isinstance(body, dict):
        body = cast("dict[str, Any]", body).get("string")
    body = body.encode() if isinstance(body, str) else body or b""
    data: bytes = body
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def cassettes() -> list[Any]:
    """A test for each."""
    found = sorted(Path(FOLDER).rglob("*.yaml")) if FOLDER else []
    usable = [path for path in found if next(exchanges(path), None) is not None]
    return [pytest.param(path, marks=pytest.mark.replay_cassette(str(path)), id=path.stem[:80]) for path in usable]


@pytest.mark.parametrize("path", cassettes())
def test_it(path: Path, replay_cassette: Any) -> None:
    for number, (request, expected) in enumerate(exchanges(path)):
        client = client_for(request, number)
        got = client(request)
        assert got[0] == expected[0], client.__name__
        assert same(got[1], expected[1]), client.__name__
    assert replay_cassette.all_played


def same(one: bytes, other: bytes) -> bool:
    return one == other or json.loads(one) == json.loads(other)


def client_for(request: dict[str, Any], number: int) -> Callable[[dict[str, Any]], Answer]:
    url = urlsplit(str(request["uri"]))
    json_body = _bytes(request)[:1] == b"{" and request["method"] == "POST"
    if json_body and str(url.hostname).endswith("anthropic.com"):
        return by_anthropic
    if json_body and url.path.rpartition("/")[2] in ("completions", "responses", "embeddings"):
        return by_openai
    return (by_httpx, by_requests, by_aiohttp)[number % 3]


def _parts(request: dict[str, Any]) -> tuple[str, str]:
    url = urlsplit(str(request["uri"]))
    return f"{url.scheme}://{url.netloc}", urlunsplit(("", "", url.path, url.query, ""))


def by_openai(request: dict[str, Any]) -> Answer:
    import httpx
    import openai

    base, path = _parts(request)
    with openai.OpenAI(api_key="sk-none", base_url=base, max_retries=0) as client:
        response: Any
        try:
            response = client.post(path, body=json.loads(_bytes(request)), cast_to=httpx.Response)
        except openai.APIStatusError as error:
            response = error.response
        return response.status_code, response.read()


def by_anthropic(request: dict[str, Any]) -> Answer:
    import anthropic
    import httpx2

    base, path = _parts(request)
    with anthropic.Anthropic(api_key="sk-none", base_url=base, max_retries=0) as client:
        response: Any
        try:
            response = client.post(path, body=json.loads(_bytes(request)), cast_to=httpx2.Response)
        except anthropic.APIStatusError as error:
            response = error.response
        return response.status_code, response.read()


def by_httpx(request: dict[str, Any]) -> Answer:
    import httpx

    response = httpx.request(request["method"], request["uri"], content=_bytes(request))
    return response.status_code, response.content


def by_requests(request: dict[str, Any]) -> Answer:
    import requests

    response = requests.request(request["method"], request["uri"], data=_bytes(request), allow_redirects=False)
    return response.status_code, response.content


def by_aiohttp(request: dict[str, Any]) -> Answer:
    import aiohttp
    from yarl import URL

    async def ask() -> Answer:
        url = URL(request["uri"], encoded=True)
        async with (
            aiohttp.ClientSession() as session,
            session.request(request["method"], url, data=_bytes(request), allow_redirects=False) as response,
        ):
            return response.status, await response.read()

    return asyncio.run(ask())


if __name__ == "__main__":
    os.environ["MIGRATED"] = os.path.abspath(sys.argv[1])
    words = ["-q", "-n", "0", "-p", "no:randomly", "--block-network", "-p", "no:cacheprovider", *sys.argv[2:]]
    raise SystemExit(pytest.main([__file__, "-o", "addopts=--import-mode=importlib", *words]))
