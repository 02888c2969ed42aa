"""Content encodings: whole, cut, damaged, nested, too big."""

from __future__ import annotations

import gzip
import importlib
import sys
import types
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replay.model.encodings import decode

brotli: Any = importlib.import_module("brotli")  # it ships no types


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.compress, lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:]) + b"\0\0"],
    "deflate": [zlib.compress, _raw_deflate],
    "br": [brotli.compress],
    "zstd": [zstandard.compress, lambda data: zstandard.compress(data[:3]) + zstandard.compress(data[3:])],
}
CASES = [(name, encode) for name, encoders in ENCODERS.items() for encode in encoders]


@pytest.mark.parametrize(("name", "encode"), CASES)
@given(data=st.binary(min_size=1))
def test_round_trip(name: str, encode: Callable[[bytes], bytes], data: bytes) -> None:
    assert decode(encode(data), name) == (data, [])


@pytest.mark.parametrize(("name", "encode"), CASES)
def test_a_bomb_stays_small(name: str, encode: Callable[[bytes], bytes]) -> None:
    bomb = encode(bytes(10_000_000))
    assert len(bomb) < 20_000
    body, warnings = decode(bomb, name, limit=100_000)
    assert body == bytes(100_000)
    assert warnings == [f"{name}: decodes to more than 100000 bytes; the rest is left out"]


@pytest.mark.parametrize(("name", "encode"), CASES[:1] + CASES[2:5])
def test_cut(name: str, encode: Callable[[bytes], bytes]) -> None:
    text = b"".join(b"%d " % number for number in range(20_000))
    encoded = encode(text)
    body, warnings = decode(encoded[: len(encoded) // 2], name)
    assert text.startswith(body)
    assert len(body) > 1000
    assert warnings == [f"{name}: the body is cut"]


@pytest.mark.parametrize("name", ENCODERS)
def test_not_encoded_at_all(name: str) -> None:
    # tools that rewrite recordings often decode the body and leave the header
    body, warnings = decode(b'{"plain": "json"}', name)
    assert body == b'{"plain": "json"}'
    assert warnings == [f"{name}: the body is damaged, or isn't encoded at all"]


def test_damage_after_a_good_part() -> None:
    text = b"".join(b"%d " % number for number in range(60_000))
    assert decode(gzip.compress(b"good") + b"\x1f\x8bnot", "gzip")[0] == b"good"
    body, warnings = decode(zstandard.compress(text) + zstandard.compress(text)[:-4000] + b"\xff" * 4000, "zstd")
    assert len(body) > 10_000
    assert text.startswith(body[:10_000])
    assert warnings == ["zstd: the body is damaged, or isn't encoded at all"]


def test_several_encodings_in_order() -> None:
    assert decode(brotli.compress(gzip.compress(b"x")), " GZIP , br") == (b"x", [])
    assert decode(b"x", "identity") == (b"x", [])
    assert decode(b"x", "") == (b"x", [])
    assert decode(b"", "gzip") == (b"", [])
    assert decode(gzip.compress(b"x"), "x-gzip") == (b"x", [])
    assert decode(b"x", "gzip, compress") == (b"x", ["no decoder for content-encoding compress"])


@pytest.mark.parametrize(("name", "modules"), [("br", ("brotli", "brotlicffi")), ("zstd", ("zstandard",))])
def test_without_the_library(name: str, modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)  # what Python does to forbid an import
    body, warnings = decode(b"x", name)
    assert body == b"x"
    assert "no decoder installed" in warnings[0]


def test_a_brotli_that_cannot_be_bounded_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decompressor:
        """The interface before 1.2, which we don't support."""

        def process(self, data: bytes) -> bytes:
            return data

    old = types.ModuleType("brotli")
    old.Decompressor = Decompressor  # type: ignore[attr-defined]
    old.error = ValueError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "brotli", old)
    assert decode(b"x", "br") == (b"x", ["br: the installed brotli can't bound its output (1.2 or later can)"])
