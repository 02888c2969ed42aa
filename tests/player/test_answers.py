"""What is quickly the same, and what has to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from replay.player.answers import plainly_same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}, True),
        ({}, {}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": [1]}, {"a": [1]}, False),
        ({1: 1}, {1: 1}, False),
        ([1], [1], False),
        ({"a": np.array([1, 2])}, {"a": np.array([1, 2])}, False),
        ({"a": 1}, {"a": np.array([1, 2])}, False),
    ],
)
def test_plainly_same(one: Any, other: Any, same: bool) -> None:
    assert plainly_same(one, other) is same
    assert plainly_same(other, one) is same
