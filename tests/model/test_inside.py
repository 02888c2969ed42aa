"""Lanes inside of tools, told by their paths."""

from __future__ import annotations

import pytest

from replay.model import inside


@pytest.mark.parametrize(
    ("lane", "outer", "caller", "depth"),
    [
        ("m", None, None, 0),
        ("m/t3", None, None, 0),
        ("m/i:x", None, None, 0),
        ("m/x1", None, None, 0),
        ("m/x", "m", "m", 1),
        ("m/t3/x/t1", "m/t3", "m/t3", 1),
        ("m/t3/x/T1/x/t2", "m/t3", "m/t3/x/T1", 2),
        ("m/x/x", "m", "m/x", 2),
    ],
)
def test_lanes(lane: str, outer: str | None, caller: str | None, depth: int) -> None:
    assert (inside.outer(lane), inside.caller(lane), inside.depth(lane)) == (outer, caller, depth)
