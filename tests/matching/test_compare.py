"""When two requests are the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.matching import Request, normalise, same
from replay.matching.compare import alike
from replay.matching.redacted import fits, fits_bytes
from replay.model.event import Event

SECRET = "<redacted:0123456789ab>"


def http(
    body: bytes | None = None,
    *headers: tuple[str, str],
    method: str = "POST",
    url: str = "https://api.example.com/v1/chat?b=1&a=2",
) -> Request:
    """An http request."""
    return Request("http", "", {"method": method, "url": url, "headers": [list(pair) for pair in headers]}, body)


_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
VALUES = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
REQUESTS = st.builds(
    Request, st.sampled_from(["http", "tool"]), st.sampled_from("ab"), VALUES, st.none() | st.binary(max_size=6)
)


@st.composite
def _http(draw: st.DrawFn) -> Request:
    bodies = [None, b"", b"{}", b"{ }", b'{"a":1}', b'{"a": 1}', b"\xff", SECRET.encode()]
    pair = st.tuples(st.sampled_from(["A", "a", "Host", "authorization"]), st.sampled_from(["1", "2", SECRET]))
    headers = draw(st.lists(pair, max_size=3))
    return http(draw(st.sampled_from(bodies)), *headers, method=draw(st.sampled_from(["GET", "get", "POST"])))


HTTP = _http()


def copy(value: Any) -> Any:
    """An equal value, nothing shared with the first."""
    if isinstance(value, dict):
        pairs = cast("Mapping[Any, Any]", value)  # wider than it is: the two type checkers disagree on dict
        return {copy(key): copy(item) for key, item in pairs.items()}
    if isinstance(value, list):
        items = cast("Sequence[Any]", value)
        return [copy(item) for item in items]
    if isinstance(value, tuple):
        fields = cast("Sequence[Any]", value)
        return tuple(copy(item) for item in fields)
    return float(str(value)) if isinstance(value, float) else value


@given(REQUESTS | HTTP)
def test_reflexive(request: Request) -> None:
    assert same(request, request)
    assert same(request, Request(request.kind, request.name, copy(request.request), request.body))


@given(st.tuples(REQUESTS, REQUESTS) | st.tuples(HTTP, HTTP))
def test_symmetric(pair: tuple[Request, Request]) -> None:
    assert same(*pair) == same(*reversed(pair))


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=20))
def test_a_placeholder_matches_anything_in_its_place(before: str, between: str, after: str, secret: str) -> None:
    pattern = f"{before}{SECRET}{between}‹redacted:k›{after}"
    assert fits(pattern, f"{before}{secret}{between}{secret}{after}")
    assert fits(f"{before}{secret}{between}{secret}{after}", pattern)
    assert fits_bytes(pattern.encode(), f"{before}{secret}{between}{secret}{after}".encode())
    assert alike({"a": [pattern]}, {"a": [f"{before}{secret}{between}{secret}{after}"]})


@given(st.text("ab", max_size=9), st.text("ab", max_size=4), st.text("ab", max_size=4), st.text("ab", max_size=4))
def test_a_placeholder_matches_nothing_else(text: str, before: str, between: str, after: str) -> None:
    import re

    expected = re.fullmatch(f"{before}.*{between}.*{after}", text) is not None
    assert fits(f"{before}{SECRET}{between}{SECRET}{after}", text) is expected


def test_what_looks_like_a_placeholder_only() -> None:
    assert not fits("redacted:", "x")
    assert not fits("<redacted:XYZ>", "x")
    assert not fits_bytes(b"\xff<redacted:0123>", b"\xfe1")
    assert fits_bytes(b"\xff<redacted:0123>", b"\xff1")
    assert fits_bytes(b"x", b"x")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (http(), http(method="post"), True),
        (http(), http(method="PUT"), False),
        (http(), http(url="HTTPS://API.Example.com:443/v1/chat?b=1&a=2#part"), True),
        (http(), http(url="https://api.example.com/v1/chat?a=2&b=1"), False),
        (http(url="http://h"), http(url="http://h/"), True),
        (http(url="http://[::1]:80/"), http(url="http://[::1]/"), True),
        (http(url="http://h:81/"), http(url="http://h/"), False),
        (http(url="http://h:port/"), http(url="http://h:port/", method="post"), True),
        (http(url="http://me:pw@h/"), http(url="http://me:pW@h/"), False),
        (http(None, ("X-A", "1"), ("User-Agent", "a")), http(None, ("x-a", "1"), ("x-stainless-lang", "py")), True),
        (http(None, ("a", "1"), ("b", "2")), http(None, ("b", "2"), ("a", "1")), True),
        (http(None, ("a", "1"), ("a", "2")), http(None, ("a", "2"), ("a", "1")), False),
        (http(None, ("a", "1")), http(), False),
        (http(None, ("authorization", f"Bearer {SECRET}")), http(None, ("Authorization", "Bearer sk-1")), True),
        (http(None, ("authorization", f"Bearer {SECRET}")), http(None, ("Authorization", "Basic x")), False),
        (
            http(None, ("authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=1")),
            http(None, ("authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=2")),
            True,
        ),
        (http(b'{"a": 1, "b": 2}'), http(b'{"b":2,"a":1}'), True),
        (http(b'{"a": 1}'), http(b'{"a": 1.0}'), False),
        (http(b'{"a": 1}'), http(b'{"a": true}'), False),
        (http(b"[1, 2]"), http(b"[2, 1]"), False),
        (http(b"{"), http(b"{ "), False),
        (http(b'{"a": "\\u003credacted:0123456789ab>"}'), http(b'{"a":"x"}'), True),
        (http(b""), http(None), True),
        (http(b"1"), http(None), False),
        (Request("http", "", {"method": "GET", "headers": "odd"}), Request("http", "", {"method": "get"}), True),
        (Request("http", "", {"headers": [["a", 1]]}), Request("http", "", {"headers": []}), False),
        (Request("http", "", "odd"), Request("http", "", "odd"), True),
        (Request("http", "", "odd"), http(), False),
        (Request("tool", "a", 1), Request("tool", "b", 1), False),
        (Request("tool", "a", 1), Request("llm", "a", 1), False),
        (Request("tool", "a", 1, b'{"a":1}'), Request("tool", "a", 1, b'{"a": 1}'), True),
        (Request("tool", "a", 1, b"x"), Request("tool", "a", 1, b"y"), False),
        (Request("tool", "a", {"a": 1, "b": 2}), Request("tool", "a", {"b": 2, "a": 1}), True),
        (Request("tool", "a", {"a": 1}), Request("tool", "a", {"b": 1}), False),
        (Request("tool", "a", {1: 1}), Request("tool", "a", {True: 1}), False),
        (Request("tool", "a", {"a": 1}), Request("tool", "a", {}), False),
        (Request("tool", "a", [1]), Request("tool", "a", (1,)), False),
        (Request("tool", "a", float("nan")), Request("tool", "a", float("nan")), True),
        (Request("tool", "a", [float("nan"), 0.5]), Request("tool", "a", [float("nan"), 0.25]), False),
    ],
)
def test_same(one: Request, other: Request, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


@given(st.dictionaries(st.text(max_size=4), VALUES.filter(lambda v: not isinstance(v, bytes)), max_size=4))
def test_json_in_another_spelling_is_the_same(value: dict[str, Any]) -> None:
    try:
        compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, UnicodeEncodeError):
        return  # bytes deep inside, or half a surrogate pair: no JSON
    spread = json.dumps(dict(reversed(value.items())), indent=2).encode()
    assert same(http(compact), http(spread))


def test_of_an_event() -> None:
    event = Event(3, "tool", "pay", "write", "m", 0, 1, None, {"a": 1}, b"x", "done")
    assert Request.of(event) == Request("tool", "pay", {"a": 1}, b"x")


def test_every_noise_header_is_ignored() -> None:
    for name in [*normalise.NOISE, *(prefix + "x" for prefix in normalise.NOISE_PREFIXES)]:
        assert same(http(None, (name.title(), "1")), http())


def test_compressed_bodies_are_compared_unpacked() -> None:
    how = ("Content-Encoding", "gzip")
    kept, sent = gzip.compress(f"key {SECRET} and more".encode()), gzip.compress(b"key sk-0123456789 and more")
    assert same(http(kept, how), http(sent, how))
    assert not same(http(kept, how), http(gzip.compress(b"something else"), how))
    assert not same(http(kept, how), http(b"nothing that is packed", how))
    assert not same(http(kept, how), http(None, how))
    assert not same(http(kept), http(sent))
