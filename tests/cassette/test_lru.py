"""The few things that are kept."""

from __future__ import annotations

from replay.cassette.lru import Recent


def test_what_was_used_last_stays() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    kept.put("a", 4)
    kept.put("d", 5)
    assert (kept.get("a"), kept.get("c"), kept.get("d")) == (4, None, 5)


def test_a_budget() -> None:
    kept: Recent[str, bytes] = Recent(9, 10, len)
    kept.put("a", b"12345")
    kept.put("b", b"12345")
    kept.put("b", b"1234")
    kept.put("c", b"1")
    assert kept.get("a") == b"12345"
    kept.put("d", b"12345")
    assert [kept.get(key) is None for key in "abcd"] == [False, True, True, False]
    kept.put("e", b"x" * 99)
    assert [kept.get(key) is None for key in "ade"] == [True, True, False]


def test_what_is_taken_out_is_gone() -> None:
    for recent in (Recent[str, bytes](3), Recent[str, bytes](3, 10, len)):
        recent.put("a", b"1234")
        recent.pop("a")
        recent.pop("b")
        assert recent.get("a") is None
        recent.put("b", b"1234567890")
        assert recent.get("b") == b"1234567890"
