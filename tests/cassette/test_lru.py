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
