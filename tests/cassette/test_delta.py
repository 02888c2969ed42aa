"""Differences of bodies."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay.cassette.delta import Delta, common_prefix, common_suffix, difference, rebuild

SMALL = st.binary(max_size=200)
LARGE = 100_000  # more than one stride


@given(SMALL, SMALL, SMALL)
@example(b"x" * LARGE, b"a", b"b")
@example(b"x" * LARGE, b"", b"b")
def test_prefix_and_suffix_are_the_longest(common: bytes, a: bytes, b: bytes) -> None:
    prefix = common_prefix(common + a, common + b)
    assert (common + a)[:prefix] == (common + b)[:prefix]
    assert prefix >= len(common)
    assert (common + a)[prefix : prefix + 1] != (common + b)[prefix : prefix + 1] or prefix == len(
        common + min(a, b, key=len)
    )
    one, other = a + common, b + common
    suffix = common_suffix(one, other, min(len(one), len(other)))
    assert suffix >= len(common)
    assert one[len(one) - suffix :] == other[len(other) - suffix :]
    assert suffix == min(len(one), len(other)) or one[-suffix - 1] != other[-suffix - 1]


@given(SMALL, SMALL, SMALL, SMALL)
def test_a_difference_rebuilds(head: bytes, old: bytes, new: bytes, tail: bytes) -> None:
    base, body = head + old + tail, head + new + tail
    delta = difference(3, base, body)
    if delta is None:
        assert 4 * (len(head) + len(tail)) < len(body)
    else:
        assert delta.base == 3
        assert rebuild(base, [delta]) == body


def test_the_suffix_never_overlaps_the_prefix() -> None:
    assert difference(0, b"aaaa", b"aaaaaa") == Delta(0, 4, 0, b"aa")
    assert difference(0, b"aaaaaa", b"aaaa") == Delta(0, 4, 0, b"")


def test_little_in_common_is_no_difference() -> None:
    assert difference(0, b"abcdefgh", b"a1234567") is None


@given(st.lists(SMALL, min_size=1, max_size=12))
def test_a_chain_rebuilds_each_of_its_bodies(bodies: list[bytes]) -> None:
    deltas: list[Delta] = []
    for base, body in itertools.pairwise(bodies):
        prefix = common_prefix(base, body)
        suffix = common_suffix(base, body, min(len(base), len(body)) - prefix)
        deltas.append(Delta(0, prefix, suffix, body[prefix : len(body) - suffix]))
    assert rebuild(bodies[0], deltas) == bodies[-1]


@pytest.mark.parametrize("delta", [Delta(0, 3, 2, b""), Delta(0, -1, 0, b""), Delta(0, 0, -1, b"")])
def test_a_delta_beyond_its_base_is_refused(delta: Delta) -> None:
    with pytest.raises(ValueError, match="beyond its base"):
        rebuild(b"1234", [delta])
