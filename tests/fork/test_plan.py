"""Plans travel to another process; answers are given once, in order. Pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay.fork.answers import Answers, Script
from replay.fork.plan import Plan, Substitute
from replay.fork.telling import rewritten, with_prompt
from replay.matching.compare import Request
from replay.player.tape import EVENT, LANE, Frame

_substitutes = st.builds(
    Substitute,
    st.sampled_from(["value", "error", "drop"]),
    st.one_of(st.none(), st.text(), st.dictionaries(st.text(), st.integers())),
    st.one_of(st.none(), st.lists(st.binary())),
    st.one_of(st.none(), st.binary()),
)
_plans = st.builds(
    Plan,
    st.text(),
    at=st.one_of(st.none(), st.integers(0, 99)),
    substitutes=st.dictionaries(st.integers(0, 99), _substitutes),
    then=st.sampled_from(["live", "recorded", "python model.py"]),
    further=st.lists(st.text()),
    order=st.one_of(st.none(), st.lists(st.integers(0, 99))),
    prompt=st.one_of(st.none(), st.tuples(st.text(), st.text())),
    rewrites=st.one_of(st.none(), st.dictionaries(st.text(), st.text(), max_size=3)),
)


@given(_plans)
def test_a_plan_comes_as_it_was_sent(plan: Plan) -> None:
    assert Plan.from_bytes(plan.to_bytes()) == plan


def _tool(event: int, lane: int, argument: int) -> Frame:
    return EVENT, event, [lane, "tool", "f", "read", 0, None, argument, None, None, 0, 0, [event]]


def _draws(event: int, lane: int, values: list[float]) -> Frame:
    return EVENT, event, [lane, "clock", "c", "draw", 0, None, ["c"] * len(values), None, None, 0, 0, values]


def _answers(*frames: Frame, behind: int = 2) -> Answers:
    return Answers([Script([(LANE, -1, [0, "m"]), (LANE, -1, [1, "m/T1"]), *frames], 0, behind, ())])


def _ask(argument: int) -> Request:
    return Request("tool", "f", argument)


def _given(answers: Answers, lane: str, argument: int) -> int | None:
    found = answers.find(lane, _ask(argument))
    return None if found is None else answers.take(found).event


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=12))
def test_each_answer_is_given_once_to_the_same_request(calls: list[tuple[int, int]]) -> None:
    answers = _answers(*(_tool(event, lane, argument) for event, (lane, argument) in enumerate(calls)))
    got = [_given(answers, "m", argument) for _, argument in calls]
    assert sorted(event for event in got if event is not None) == list(range(len(calls)))
    wanted = [argument for _, argument in calls]
    assert [calls[event][1] for event in got if event is not None] == wanted
    assert _given(answers, "m", 0) is None


def test_the_lanes_own_comes_first_and_the_lane_goes_on_behind_it() -> None:
    answers = _answers(_tool(0, 1, 7), _tool(1, 0, 5), _draws(2, 0, [1.5]), _tool(3, 0, 7), _draws(4, 0, [2.5]))
    assert answers.draw("m", "c") is None
    assert _given(answers, "m", 7) == 3
    assert answers.draw("m", "x") is None
    drawn = answers.draw("m", "c")
    assert drawn is not None
    assert (drawn.value, drawn.event, drawn.number) == (2.5, 4, 0)
    assert answers.draw("m", "c") is None
    assert _given(answers, "m", 7) == 0
    assert _given(answers, "m", 5) == 1


def test_what_had_happened_answers_nothing() -> None:
    answers = _answers(_tool(0, 0, 1), _tool(1, 0, 2), behind=3)
    assert _given(answers, "m", 1) is None
    assert _given(answers, "m", 2) == 1


def test_a_prompt_takes_the_place_of_the_last_one_of_its_role() -> None:
    body = b'{"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}'
    assert b'"content": "x"}, {"role": "user", "content": "b"' in with_prompt(body, ("system", "x"))
    assert b'"content": "a"}, {"role": "user", "content": "x"' in with_prompt(body, ("user", "x"))
    assert with_prompt(b'{"system": "a", "messages": []}', ("system", "x")) == b'{"system": "x", "messages": []}'
    assert with_prompt(b'{"input": "a"}', ("user", "x")) == b'{"input": "x"}'
    assert with_prompt(b'{"messages": []}', ("system", "x")) == b'{"messages": [{"role": "system", "content": "x"}]}'
    assert with_prompt(b"not json", ("user", "x")) == b"not json"


def test_whole_texts_of_a_request_are_rewritten() -> None:
    body = b'{"messages": [{"role": "user", "content": "a"}, {"content": [{"text": "a"}, {"text": "ab"}]}]}'
    assert rewritten(body, {"a": "x"}) == body.replace(b'"a"', b'"x"')
    assert rewritten(b"not json", {"a": "x"}) == b"not json"
    assert Plan("c", prompt=("user", "b"), rewrites={"b": "x"}).told(b'{"input": "a"}') == b'{"input": "x"}'
    assert Plan("c").told(b'{"input": "a"}') == b'{"input": "a"}'
    assert Plan("c", rewrites={}).told(None) is None
