"""Every storable value becomes JSON, and nothing of it is lost on the way."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pathlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.named import Named
from replay.model.event import BlindSpot, Event, Failure, Piece, Site
from replay.queries import plain
from replay.queries.words.brief import arguments, brief

SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.uuids()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
)
KEYS: st.SearchStrategy[Any] = st.text() | st.integers() | st.binary()


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.frozensets(KEYS)


VALUES = st.recursive(SCALARS, _containers, max_leaves=20)


@given(VALUES)
def test_every_value_becomes_strict_json(value: Any) -> None:
    json.dumps(plain.value(value), allow_nan=False)


@given(VALUES)
def test_every_value_has_a_short_form(value: Any) -> None:
    assert len(brief(value, 80)) <= 80


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_json_has_stays_as_it_is(value: Any) -> None:
    assert plain.value(value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"text", {"$bytes": "text"}),
        (b"\xff", {"$base64": "/w=="}),
        (float("nan"), {"$float": "nan"}),
        (float("-inf"), {"$float": "-inf"}),
        ({1: "a"}, {"$pairs": [[1, "a"]]}),
        ({"$bytes": "not ours"}, {"$pairs": [["$bytes", "not ours"]]}),
        (frozenset({"b", "a"}), {"$set": ["a", "b"]}),
        (decimal.Decimal("1.10"), {"$decimal": "1.10"}),
        (uuid.UUID(int=1), {"$uuid": "00000000-0000-0000-0000-000000000001"}),
        (pathlib.PurePosixPath("/tmp/x"), {"$path": "/tmp/x"}),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), {"$datetime": "2026-01-02T03:04:05+00:00"}),
        (dt.date(2026, 1, 2), {"$date": "2026-01-02"}),
        (dt.time(3, 4), {"$time": "03:04:00"}),
        (dt.timedelta(milliseconds=1500), {"$seconds": 1.5}),
        (Named("shop", "Order", "dataclass", {"id": 7}), {"$type": "shop.Order", "$value": {"id": 7}}),
        (Named("shop", "Color", "enum", ["RED", 1]), {"$type": "shop.Color", "$value": 1}),
        (Named("shop", "Sold", "exception", {"args": (1,), "text": "gone"}), {"$type": "shop.Sold", "$value": "gone"}),
        (Named("shop", "Bag", "subclass", [[1, 2], {}, None]), {"$type": "shop.Bag", "$value": [1, 2]}),
        (Named("shop", "M", "pydantic", {"dict": {"a": 1}, "extra": None}), {"$type": "shop.M", "$value": {"a": 1}}),
        (Named("", "money", "codec", "5 EUR"), {"$type": "money", "$value": "5 EUR"}),
        (Failure("builtins.ValueError", "no"), {"$type": "builtins.ValueError", "$value": "no"}),
    ],
)
def test_forms(value: Any, shown: Any) -> None:
    assert plain.value(value) == shown


def test_short_forms() -> None:
    order = Named("shop", "Order", "dataclass", {"id": 7, "note": "x"})
    assert brief(order) == "Order(id=7, note='x')"
    assert brief([(1, None), {"a": b"xy"}]) == "[(1, None), {'a': b'xy'}]"
    assert brief(b"x" * 50) == "<50 bytes>"
    assert brief(decimal.Decimal("1.10")) == "1.10"
    assert brief(dt.timedelta(seconds=2)) == "2.0"
    assert brief(Named("", "money", "codec", "5 EUR")) == "money('5 EUR')"
    assert brief([[[[[[[1]]]]]]]) == "[[[[[[…]]]]]]"
    assert arguments({"args": [1, "x"], "kwargs": {"key": 2}}) == "1, 'x', key=2"
    assert arguments({"key": "k"}) == "key='k'"
    assert arguments("k") == "'k'"
    assert arguments(None) == ""


def event(**given: Any) -> Event:
    fields: dict[str, Any] = {
        "id": 3,
        "kind": "tool",
        "name": "refund",
        "effect": "write",
        "lane": "m/t1",
        "at": 1_500_000,
        "took": 250_000,
        "site": Site("agent.py", 12, "main"),
        "request": {"args": ["4711"], "kwargs": {}},
        "body": None,
        "status": "done",
    }
    return Event(**{**fields, **given})


def test_the_keys_that_scripts_rely_on() -> None:
    assert plain.event(event(response={"ok": True}, meta={"agent": "support", "owner": "payments"})) == {
        "id": 3,
        "kind": "tool",
        "name": "refund",
        "lane": "m/t1",
        "agent": "support",
        "effect": "write",
        "at": 1.5,
        "took": 0.25,
        "status": "done",
        "request": {"args": ["4711"], "kwargs": {}},
        "response": {"ok": True},
        "site": "agent.py:12",
        "links": {},
        "meta": {"owner": "payments"},
    }


def test_an_error_stands_in_place_of_the_response() -> None:
    shown = plain.event(event(status="failed", error=Failure("builtins.ValueError", "no")))
    assert shown["error"] == {"type": "builtins.ValueError", "message": "no"}
    assert "response" not in shown


def test_bodies_are_shown_as_json_where_they_are_json() -> None:
    request = {"method": "POST", "url": "http://x/"}
    response = {"status": 200, "body": b'{"a": [1]}'}
    pieces = (Piece(1_600_000, "piece", b"data: 1"), Piece(1_700_000, "error", Failure("E", "cut")))
    shown = plain.event(event(kind="http", request=request, body=b"[1]", response=response, pieces=pieces))
    assert shown["request"]["body"] == [1]
    assert shown["response"] == {"status": 200, "body": {"a": [1]}}
    assert shown["pieces"] == [
        {"at": 1.6, "status": "piece", "value": {"$bytes": "data: 1"}},
        {"at": 1.7, "status": "error", "value": {"type": "E", "message": "cut"}},
    ]
    assert plain.event(event(request=7, body=b"\xff"))["request"] == {"value": 7, "body": {"$base64": "/w=="}}


def test_blind_spots() -> None:
    spot = BlindSpot("process", "ls", Site("a.py", 1), 2)
    assert plain.blind_spot(spot) == {"what": "process", "detail": "ls", "site": "a.py:1", "count": 2}
    assert plain.blind_spot(BlindSpot("clock", "", None))["site"] is None
