"""Which of the values that differ were the first to."""

from __future__ import annotations

from typing import Any

from replay.doctor.compare import Finding, entries, sources

SOURCE = {
    ("p.py", 1): "a = clock()",
    ("p.py", 2): "b = a + 1",
    ("p.py", 3): "f(id(a))",
    ("p.py", 4): "return x",
    ("p.py", 5): "c = g()",
    ("p.py", 6): "s = {A(), B()}",
}
LINES: list[list[Any]] = [
    ["L", 1, "p.py", 1, "<module>", ["clock"]],
    ["L", 2, "p.py", 2, "<module>", ["a"]],
    ["L", 3, "p.py", 3, "<module>", ["f", "id"]],
    ["L", 4, "p.py", 4, "g", ["x"]],
    ["L", 5, "p.py", 5, "<module>", ["g"]],
    ["L", 6, "p.py", 6, "<module>", ["A", "B"]],
]


def found(then: list[list[Any]], now: list[list[Any]]) -> list[Finding]:
    return sources(entries([*LINES, *then]), entries([*LINES, *now]), lambda file, line: SOURCE[file, line])


def sites(then: list[list[Any]], now: list[list[Any]]) -> list[tuple[str, str, str, str]]:
    return [(each.site, each.name, each.recorded, each.replayed) for each in found(then, now)]


def test_the_same() -> None:
    trace = [["V", "m", 1, "a", "1"], ["V", "m", 2, "b", "2"]]
    assert sites(trace, trace) == []


def test_what_only_passed_it_on_is_left_out() -> None:
    then = [["V", "m", 1, "a", "1"], ["V", "m", 2, "b", "2"], ["V", "m", 6, "s", "5"]]
    now = [["V", "m", 1, "a", "3"], ["V", "m", 2, "b", "4"], ["V", "m", 6, "s", "6"]]
    assert sites(then, now) == [("p.py:1", "a", "1", "3"), ("p.py:6", "s", "5", "6")]


def test_an_argument_belongs_to_the_line_that_calls() -> None:
    then, now = [["A", "m", 3, "x", "1"], ["V", "m", 4, "x", "1"]], [["A", "m", 3, "x", "2"], ["V", "m", 4, "x", "2"]]
    [one] = found(then, now)
    assert (one.site, one.expression) == ("p.py:3", "f(id(a))")
    assert one.hint.startswith("an address")


def test_a_result_belongs_to_the_line_that_returns() -> None:
    then = [["R", "m", 4, 5, "1"], ["V", "m", 5, "c", "1"]]
    now = [["R", "m", 4, 5, "2"], ["V", "m", 5, "c", "2"]]
    assert sites(then, now) == [("p.py:4", "result", "1", "2")]


def test_lanes_are_compared_each_by_itself() -> None:
    then = [["V", "m/T1", 1, "a", "1"], ["V", "m/T2", 6, "s", "1"]]
    now = [["V", "m/T2", 6, "s", "2"], ["V", "m/T1", 1, "a", "1"]]
    assert sites(then, now) == [("p.py:6", "s", "1", "2")]


def test_after_another_way_was_taken_nothing_is_comparable() -> None:
    then = [["V", "m", 1, "a", "1"], ["V", "m", 6, "s", "1"], ["V", "m", 5, "c", "1"]]
    now = [["V", "m", 1, "a", "1"], ["V", "m", 5, "c", "2"], ["V", "m", 5, "c", "2"]]
    assert sites(then, now) == []
    assert sites(then, then[:1]) == []
    assert sites(then, []) == []


def test_hints() -> None:
    [hashed] = found([["V", "m", 6, "s", "set[2](A(), B())"]], [["V", "m", 6, "s", "set[2](B(), A())"]])
    assert "hashed by address" in hashed.hint
    race = [["V", "m/T1", 2, "b", "1"], ["V", "m/T2", 2, "b", "2"]]
    [raced] = found(race, [race[0], ["V", "m/T2", 2, "b", "3"]])
    assert "data race" in raced.hint
    [other] = found([["V", "m", 1, "a", "1"]], [["V", "m", 1, "a", "2"]])
    assert "@replay.tool" in other.hint
