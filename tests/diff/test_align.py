"""What alignment owes: it covers both sequences, its equal blocks are equal, what is alike at both ends is found."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from replay.diff.align import SMALL, Block, align, pairs

letters = st.lists(st.sampled_from("abcdefgh"), max_size=30)


@given(letters, letters)
def test_blocks_cover_both_in_order_and_say_the_truth(a: list[str], b: list[str]) -> None:
    at = (0, 0)
    last: bool | None = None
    for block in align(a, b):
        assert (block.a0, block.b0) == at
        assert block.a0 < block.a1 or block.b0 < block.b1
        assert block.equal is not last
        if block.equal:
            assert a[block.a0 : block.a1] == b[block.b0 : block.b1]
        at, last = (block.a1, block.b1), block.equal
    assert at == (len(a), len(b))


@given(letters)
def test_the_same_is_one_block(a: list[str]) -> None:
    assert align(a, list(a)) == ([Block(True, 0, len(a), 0, len(a))] if a else [])


@given(st.lists(st.integers(), unique=True, max_size=30), st.data())
def test_one_insertion_into_what_is_unique_is_one_insertion(a: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(a)))
    b = [*a[:at], "new", *a[at:]]
    assert [block for block in align(a, b) if not block.equal] == [Block(False, at, at, at, at + 1)]


@given(letters, letters)
def test_pairs_are_equal_and_rise(a: list[str], b: list[str]) -> None:
    found = list(pairs(a, b))
    assert all(a[i] == b[j] for i, j in found)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))


def test_what_is_unique_anchors_what_repeats() -> None:
    """A plain longest common subsequence would match the polls across the anchor."""
    a = ["poll", "poll", "write 1", "poll"]
    b = ["poll", "write 1", "poll", "poll"]
    assert list(pairs(a, b)) == [(0, 0), (2, 1), (3, 3)]


def test_much_that_repeats_is_replaced_as_a_whole() -> None:
    size = int(SMALL**0.5) + 1
    a, b = ["x", *["a", "b"] * size], ["y", *["b", "a"] * size, "z"]
    assert align(a, b) == [Block(False, 0, len(a), 0, len(b))]
    small = align(["x", "a", "b", "a", "b"], ["y", "b", "a", "b", "a", "z"])
    assert sum(block.a1 - block.a0 for block in small if block.equal) == 3
