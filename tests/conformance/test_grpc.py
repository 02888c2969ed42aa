"""gRPC with a real server: unary calls are recorded, everything else is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Recorded, explained, record

grpc: Any = pytest.importorskip("grpc")

CALLS = """
    import grpc, json
    def ask(channel, name, request, **more):
        method = channel.unary_unary(f"/shop.Shop/{name}", lambda value: json.dumps(value).encode(), json.loads)
        try:
            answer, call = method.with_call(request, timeout=20, **more)
            print(answer, call.code(), call.details(), call.initial_metadata(), call.trailing_metadata())
            print(method(request))
        except grpc.RpcError as error:
            print(type(error).__name__, error.code(), error.details(), error.trailing_metadata())
        except Exception as error:
            print(type(error).__name__, error)
    class Loud(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation, details, request):
            print("asks", details.method)
            return continuation(details, request)
    with grpc.insecure_channel("@") as channel:
        metadata = (("authorization", "Bearer very-secret"), ("trace-bin", b"\\x00\\x01"))
        ask(channel, "Price", {"of": 17}, metadata=metadata)
        ask(grpc.intercept_channel(channel, Loud()), "Price", {"of": 18})
        ask(channel, "Fails", {})
        ask(channel, "Nonsense", {})
        ask(channel, "Nowhere", {})
        ask(channel, "Price", object())
    ask(grpc.insecure_channel("127.0.0.1:1"), "Price", {})
"""
UNSEEN = """
    import asyncio, grpc, grpc.aio
    with grpc.insecure_channel("@") as channel:
        print(len(list(channel.unary_stream("/shop.Shop/Many")(b"{}"))))
    async def main():
        async with grpc.aio.insecure_channel("@") as channel:
            print(len(await channel.unary_unary("/shop.Shop/Price")(b"{}")) > 0)
    asyncio.run(main())
"""


def _price(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("cost", str(random.random())),))
    return b'{"price": %d}' % random.getrandbits(30)


def _fails(request: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"not today: {random.random()}")
    raise AssertionError


def _nonsense(request: bytes, context: Any) -> bytes:
    return b"not JSON"


def _many(request: bytes, context: Any) -> Iterator[bytes]:
    return iter([b"1", b"2"])


@pytest.fixture
def target() -> Iterator[str]:
    unary: Any = grpc.unary_unary_rpc_method_handler
    handlers: Any = {
        "Price": unary(_price),
        "Fails": unary(_fails),
        "Nonsense": unary(_nonsense),
        "Many": grpc.unary_stream_rpc_method_handler(_many),
    }
    server: Any = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def _recorded(program: str, target: str, directory: Path) -> Recorded:
    found = record(directory, program.replace("@", target))
    assert found.exit_code == 0, found.stderr.decode()
    return found


def test_unary_calls(target: str, tmp_path: Path) -> None:
    found = _recorded(CALLS, target, tmp_path)
    for _ in range(3):
        again = found.again()
        assert again.identical, explained(again)
        assert again.stdout == found.stdout
    assert [spot for spot in found.cassette().blind_spots if spot.what == "grpc"] == []
    events = found.events("grpc")
    assert {event.name for event in events} >= {f"{target}/shop.Shop/Price", f"{target}/shop.Shop/Nowhere"}
    first = events[0]
    assert (first.body, first.response["status"]) == (b'{"of": 17}', 0)
    assert first.request["headers"][1] == ["trace-bin", b"\x00\x01"]
    assert "very-secret" not in str(first.request)
    lines = found.text.splitlines()
    assert "StatusCode.OK" in lines[0]
    assert lines[2].startswith("asks")
    assert "StatusCode.FAILED_PRECONDITION not today" in found.text
    assert "StatusCode.INTERNAL Exception deserializing response!" in found.text
    assert "StatusCode.UNIMPLEMENTED" in found.text
    assert "StatusCode.UNAVAILABLE" in lines[-1]


def test_what_is_not_recorded_is_named(target: str, tmp_path: Path) -> None:
    found = _recorded(UNSEEN, target, tmp_path)
    named = [spot.detail.partition(":")[2] for spot in found.cassette().blind_spots if spot.what == "grpc"]
    port = target.rpartition(":")[2]
    assert [detail.partition(":")[0] for detail in named] == [f"{port}/shop.Shop/Many", f"{port}/shop.Shop/Price"]
