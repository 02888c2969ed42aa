"""When a replay counts as identical; what a verdict says as JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from replay.model.verdict import Candidate, Crossing, Divergence, Drift, Escape, Verdict

DIVERGENCE = Divergence(3, "differs", Crossing("http GET /a", "m", {"x": 1}, "body"), None, candidates=(
    Candidate(4, "http GET /b", 0.5, "another path"),
))  # fmt: skip
DRIFT = Drift(5, "http POST /a", "m", "~ body.model: 'x' -> 'y'", "agent.py:7")
ESCAPE = Escape("connection", "socket.connect", "agent.py:3")

VERDICTS = st.builds(
    Verdict,
    events=st.integers(0, 9),
    divergence=st.none() | st.just(DIVERGENCE),
    escapes=st.lists(st.just(ESCAPE), max_size=2),
    drift=st.lists(st.just(DRIFT), max_size=2),
    cut=st.booleans(),
    gap=st.none() | st.just("not stored"),
    finished=st.booleans(),
)


@drawn(VERDICTS)
def test_identical_is_nothing_wrong_and_an_end(verdict: Verdict) -> None:
    wrong = [verdict.divergence, *verdict.escapes, verdict.gap, verdict.drift or None]
    assert verdict.identical is (wrong == [None] * 3 and (verdict.finished or verdict.cut))


@pytest.mark.parametrize(
    "problem",
    [
        {},
        {"divergence": DIVERGENCE},
        {"escapes": [ESCAPE]},
        {"gap": "not stored"},
        {"drift": [DRIFT]},
        {"finished": False},
    ],
)
def test_each_problem_alone_is_enough(problem: dict[str, Any]) -> None:
    given: dict[str, Any] = {"finished": True, **problem}
    assert Verdict(**given).identical is (problem == {})


def test_a_cut_recording_can_be_identical() -> None:
    assert Verdict(cut=True).identical
    assert not Verdict().identical


@drawn(VERDICTS)
def test_json_has_every_field(verdict: Verdict) -> None:
    document = json.loads(json.dumps(verdict.to_json()))
    assert document["identical"] is verdict.identical
    assert set(document) == {field.name for field in fields(Verdict)} | {"identical"}
    if verdict.divergence is not None:
        assert document["divergence"] == json.loads(json.dumps(DIVERGENCE.to_json()))
        assert document["divergence"]["candidates"][0]["why"] == "another path"
        assert document["divergence"]["expected"]["request"] == {"x": 1}
    assert document["escapes"] == [
        {"what": "connection", "detail": "socket.connect", "site": "agent.py:3"} for _ in verdict.escapes
    ]


def test_verdicts_share_nothing() -> None:
    one, other = Verdict(), Verdict()
    one.escapes.append(ESCAPE)
    assert other.escapes == []
