"""Recordings of one trace as one course of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.model.event import Event
from replay.semantics.incident import Handoff, Recording, incident, merged


def http(number: int, at: int, span: str | None = None, kind: str = "http") -> Event:
    headers = [["Host", "x"]] if span is None else [["Host", "x"], ["Traceparent", f"00-{'a' * 32}-{span}-01"]]
    request: Any = {"headers": headers} if kind == "http" else {"traceparent": f"00-{'a' * 32}-{span}-01"}
    return Event(number, kind, "x", "write", "m", at, None, None, request, None, "done")


def recording(created: str, events: Sequence[Event], called: str | None = None, **more: Any) -> Recording:
    header: Mapping[str, Any] = {"created": f"2026-01-01T00:00:{created}Z", "trace": {"parent": called}, **more}
    return Recording(header, events)


def test_a_clock_that_is_behind() -> None:
    """Who was called began after he was called, whatever his clock says."""
    caller = recording("10.000", [http(0, 5), http(1, 2_000_000, "1" * 16)])
    called = recording("09.500", [http(0, 0), http(1, 10)], "1" * 16)
    later = recording("13.000", [http(0, 0)], "2" * 16)
    found = incident([called, later, caller])
    assert found.begins == [2_000_000, 3_000_000, 0]
    assert found.handoffs == [Handoff(2, 1, 0)]
    course = [(at, number, event.id) for at, number, event in merged([called, later, caller], found.begins)]
    assert course == [(5, 2, 0), (2_000_000, 0, 0), (2_000_000, 2, 1), (2_000_010, 0, 1), (3_000_000, 1, 0)]


def test_processes() -> None:
    """By the trace that they were told, or by who started them."""
    parent = recording("10.000", [http(0, 7, "3" * 16, "process"), http(1, 9)], id="P")
    told = recording("10.500", [], "3" * 16)
    started = recording("10.600", [], "4" * 16, parent={"cassette": "P", "event": 1})
    lost = recording("10.700", [], None, parent={"cassette": "P", "event": 99})
    assert incident([parent, told, started, lost]).handoffs == [Handoff(0, 0, 1), Handoff(0, 1, 2)]


def test_what_makes_no_sense_does_no_harm() -> None:
    """Headers are anybody's: a circle, no time, no trace."""
    one = recording("10.000", [http(0, 1, "5" * 16)], "6" * 16)
    other = recording("10.000", [http(0, 1, "6" * 16)], "5" * 16)
    found = incident([one, other])
    assert min(found.begins) == 0
    assert len(found.handoffs) == 2
    assert incident([Recording({"created": "?", "trace": 7, "parent": 3}, [])]).begins == [0]
    assert incident([]).begins == []
    requests: list[Any] = [None, {"headers": [1, ["traceparent", 2]]}, {"traceparent": "x"}]
    odd = [Event(n, "http", "x", "write", "m", 0, None, None, each, None, "done") for n, each in enumerate(requests)]
    assert incident([recording("01.000", odd)]).handoffs == []
