"""From where on recorded answers are no evidence: behind the first answer to a question that differed."""

from __future__ import annotations

from inspect import currentframe
from types import FrameType
from typing import Any

import pytest

from replay.matching.compare import Request
from replay.model.verdict import Verdict
from replay.player.drift import Drifts
from replay.player.tape import Entry


def call(event: int, effect: str = "read", request: object = "then") -> Entry:
    return Entry("call", "m", event, ("tool", "look", effect, None, request, None, None))


def frame() -> FrameType:
    found = currentframe()
    assert found is not None
    return found


def drifted(verdict: Verdict, event: int, effect: str, outcome: tuple[int, Any]) -> Drifts:
    drifts = Drifts(verdict)
    drifts.begins(event)
    drifts.asked(call(event, effect), Request("tool", "look", "now"), frame())
    drifts.came(event, *outcome)
    return drifts


@pytest.mark.parametrize(
    ("effect", "outcome", "led"),
    [
        ("read", (0, "an answer"), True),
        ("read", (0, None), True),  # that there is none is an answer
        ("write", (0, {"id": 7}), True),
        ("write", (1, ValueError("no")), True),
        ("write", (2, None), True),  # a stream
        ("write", (0, None), False),
    ],
)
def test_an_answer_to_another_question_leads_on(effect: str, outcome: tuple[int, Any], led: bool) -> None:
    verdict = Verdict()
    drifts = drifted(verdict, 3, effect, outcome)
    assert verdict.evidence_until is None  # nothing has been asked since
    drifts.begins(4)
    drifts.begins(5)
    assert verdict.evidence_until == (4 if led else None)
    (drift,) = verdict.drift
    assert (drift.event, drift.what, drift.lane, drift.change) == (3, "tool look", "m", "~ request: 'then' -> 'now'")


def test_what_was_asked_as_recorded_leads_nowhere() -> None:
    verdict = Verdict()
    drifts = Drifts(verdict)
    drifts.came(1, 0, "an answer")
    drifts.begins(2)
    assert (verdict.evidence_until, verdict.drift) == (None, [])


def test_an_answer_that_had_to_be_made_up_is_no_evidence() -> None:
    verdict = Verdict()
    drifts = Drifts(verdict)
    drifts.stands_in(call(2), "look", "shop.Order")
    drifts.begins(3)
    assert verdict.evidence_until == 3
    assert "shop.Order" in verdict.drift[0].change
