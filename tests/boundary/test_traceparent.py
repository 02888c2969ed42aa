"""W3C trace context: what a session makes of what it was told, and what it tells."""

from __future__ import annotations

from typing import Any, cast

import pytest

from replay.boundary.traceparent import Trace, begin, of_header, outgoing, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENTROPY = bytes(range(1, 25))


class Lane:
    """As much of one as is asked for."""

    def __init__(self, trace: Trace | None, path: str = "m") -> None:
        self.door, self.path, self.requests = self, path, 0
        self.trace = trace


def told(lane: Lane) -> str | None:
    return outgoing(cast("Any", lane))


@pytest.mark.parametrize(
    "text",
    [
        f"00-{TRACE}-{SPAN}-01",
        f" 00-{TRACE.upper()}-{SPAN}-01 ",
        f"cc-{TRACE}-{SPAN}-01-what.comes.later",
    ],
)
def test_what_is_one(text: str) -> None:
    assert parse(text) == (TRACE, SPAN, "01")


@pytest.mark.parametrize(
    "text",
    [
        None, "", "x", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}", f"00-{TRACE[1:]}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01\nx: y",
    ],
)  # fmt: skip
def test_what_is_none(text: str | None) -> None:
    assert parse(text) is None


def test_who_is_told_tells_and_who_is_not_does_not() -> None:
    told_so, alone = begin(f"00-{TRACE}-{SPAN}-00", ENTROPY), begin(None, ENTROPY)
    assert (told_so.id, told_so.parent, told_so.flags, told_so.sends) == (TRACE, SPAN, "00", True)
    assert (alone.id, alone.parent, alone.sends) == (ENTROPY[:16].hex(), None, False)
    assert begin(None, ENTROPY, "always").sends
    assert not begin(f"00-{TRACE}-{SPAN}-00", ENTROPY, "off").sends
    assert told(Lane(alone)) is told(Lane(None)) is None


def test_each_request_has_a_span_of_its_own_and_a_replay_the_same() -> None:
    trace = begin(f"00-{TRACE}-{SPAN}-01", ENTROPY)
    again = of_header(trace.to_header())
    assert again == trace
    lanes = [Lane(trace), Lane(trace, "m/1"), Lane(again), Lane(again, "m/1")]
    spans = [[told(lane) for _ in range(3)] for lane in lanes]
    assert spans[:2] == spans[2:]
    assert len({span for each in spans for span in each}) == 6
    parsed = parse(spans[0][0])
    assert parsed is not None
    assert (parsed.trace, parsed.flags) == (TRACE, "01")
    assert parsed.span not in (SPAN, trace.span)


def test_a_child_process_is_below() -> None:
    trace = begin(f"00-{TRACE}-{SPAN}-01", ENTROPY)
    assert trace.below(bytes(8)) == Trace(TRACE, "0" * 16, trace.span, "01", sends=True)
    assert of_header(None) is of_header("x") is None
