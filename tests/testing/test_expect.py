"""`expect(run)`: what it says holds, doesn't, and why; on events made here, judged as the language judges them."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from dirty_equals import IsInt, IsPartialDict, IsStr
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from replay.expect import Subject, judge
from replay.model.errors import ExpressionInvalid
from replay.model.event import Event
from replay.model.event import Failure as Raised
from replay.testing import Claim, Expectations, Failure, agent, claim, event, expect, order, tool, value


def called(id: int, name: str, arguments: Any, result: Any = None, *, by: str = "clerk", error: str = "") -> Event:  # noqa: A002
    raised = Raised("builtins.ValueError", error, None) if error else None
    return Event(
        id=id,
        kind="tool",
        name=name,
        effect="write",
        lane="m",
        at=id * 1_000_000,
        took=500_000,
        site=None,
        request=arguments,
        body=None,
        status="failed" if error else "done",
        response=result,
        error=raised,
        meta={"agent": by},
    )


EVENTS = (
    called(0, "lookup", {"order_id": "A-17"}, {"items": [{"name": "tea", "price": 5}]}, by="planner"),
    called(1, "refund", {"order_id": "A-17", "amount": 5}, {"ok": True}),
    called(2, "refund", {"order_id": "A-18", "amount": 7}, {"ok": False}),
    called(3, "send_email", {"to": "jo@example.org"}, error="no address"),
)
RUN = Subject(EVENTS, values={"exit": 0, "exception": None, "result": {"a": 1}, "tags": {"env": "prod"}})
CUT = Subject(EVENTS, open="the recording is unfinished")


def holds(said: Any) -> bool:
    try:
        said()
    except Failure:
        return False
    return True


Said = Callable[[Any], Any]

GOOD: Mapping[str, Said] = {
    "called": lambda e: e.tool("refund").called(),
    "twice": lambda e: e.tool("refund").called(2),
    "range": lambda e: e.tool("refund").called(at_least=1, at_most=2),
    "once": lambda e: e.tool("refund").with_(amount=5).once(),
    "any name": lambda e: e.tool("send_*").once(),
    "any tool": lambda e: e.tool().called(4),
    "never": lambda e: e.tool("delete").never(),
    "never after": lambda e: e.tool("lookup").never(after=tool("refund")),
    "never before": lambda e: e.tool("send_email").never(before=tool("refund")),
    "after and before": lambda e: e.tool("refund").after(tool("lookup")).called(2),
    "order": lambda e: e.order(tool("lookup"), tool("refund"), tool("send_email")),
    "function": lambda e: e.tool("refund").with_(amount=lambda n: n > 6).once(),
    "class": lambda e: e.tool("refund").with_(amount=int).called(2),
    "dirty": lambda e: e.tool("refund").with_(order_id=IsStr(regex=r"A-\d+"), amount=IsInt(gt=4)).called(2),
    "dirty class": lambda e: e.tool("refund").with_(amount=IsInt).called(2),
    "dirty inside": lambda e: e.tool("lookup").returning({"items": [IsPartialDict(name="tea")]}).once(),
    "list": lambda e: e.tool("lookup").returning({"items": [{"name": "tea", "price": 5}]}).once(),
    "path": lambda e: e.tool("lookup").with_({"result.items[0].name": "tea"}).once(),
    "raising": lambda e: e.tool("send_email").raising(ValueError).once(),
    "raising any": lambda e: e.tool().raising().once(),
    "not raising": lambda e: e.tool("refund").raising("ValueError").never(),
    "by": lambda e: e.tool("lookup").by("planner").once(),
    "within": lambda e: e.within("clerk").tool().called(3),
    "within keeps": lambda e: e.within("planner").tool("lookup").once().tool("refund").never(),
    "agent": lambda e: e.agent("planner").once(),
    "every has": lambda e: e.tool("refund").every.has(amount=lambda n: n < 10),
    "every after": lambda e: e.tool("refund").every.after(tool("lookup")),
    "every before": lambda e: e.tool("refund").every.before(tool("send_email")),
    "effects": lambda e: e.effect().called(4),
    "exit": lambda e: e.exit.equals(0),
    "result": lambda e: e.result.equals({"a": IsInt}),
    "value": lambda e: e.value("tags.env").one_of("prod", "test"),
    "took": lambda e: e.took.at_most(3.5).took.at_least(3.5),
    "tokens": lambda e: e.tokens.equals(0),
    "holds": lambda e: e.holds("tool refund called twice", ~tool("delete").called() & value("exit").equals(0)),
    "or": lambda e: e.holds(tool("delete").called() | claim("exit == 0")),
    "not": lambda e: e.not_.tool("refund").once(),
    "not raises": lambda e: e.not_.raises(),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_holds_holds_and_its_contrary_does_not(name: str) -> None:
    said = GOOD[name]
    again = said(expect(RUN))
    assert isinstance(again, Expectations)
    if name not in ("within keeps", "took"):  # several in one
        with pytest.raises(Failure):
            said(expect(RUN).not_)


BAD: Mapping[str, Said] = {
    "called": lambda e: e.tool("refund").once(),
    "never": lambda e: e.tool("refund").never(),
    "never after": lambda e: e.tool("send_email").never(after=tool("lookup")),
    "order": lambda e: e.order(tool("send_email"), tool("lookup")),
    "function": lambda e: e.tool("refund").with_(amount=lambda n: n > 10).called(),
    "dirty": lambda e: e.tool("refund").with_(amount=IsInt(gt=50)).called(),
    "within": lambda e: e.within("planner").tool("refund").called(),
    "every": lambda e: e.tool("refund").every.has(amount=5),
    "value": lambda e: e.value("tags.env").starts_with("test"),
    "raises": lambda e: e.raises(ValueError),
    "took": lambda e: e.took.at_most(1),
    "text": lambda e: e.value("tags.env").matches("^x"),
    "ends": lambda e: e.value("tags.env").ends_with("x"),
    "contains": lambda e: e.result.contains(2),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_hold_fails(name: str) -> None:
    with pytest.raises(Failure, match=r"^doesn't hold: ") as failed:
        BAD[name](expect(RUN))
    assert failed.value.judged.holds is False
    BAD[name](expect(RUN).not_)


@pytest.mark.parametrize(
    "said",
    [
        lambda e: e.tool("delete").never(),
        lambda e: e.took.at_most(99),
        lambda e: e.exit.equals(0),
        lambda e: e.tool("refund").with_(amount=lambda n: n.upper()).called(),
        lambda e: e.tool("refund").with_(reason="late").never(),
        lambda e: e.identical(),
    ],
)
def test_what_nobody_knows_fails_both_ways(said: Any) -> None:
    for expected in (expect(CUT), expect(CUT).not_):
        with pytest.raises(Failure, match=r"^can't be decided: ") as failed:
            said(expected)
        assert failed.value.judged.holds is None


def test_a_failure_has_the_events() -> None:
    with pytest.raises(Failure) as failed:
        expect(RUN).tool("refund").with_(order_id=str).once()
    assert str(failed.value) == snapshot(
        """\
doesn't hold: tool refund(order_id is a str) called exactly 1
    tool refund like that: called twice
    event 1  [clerk] tool refund(order_id='A-17', amount=5) -> {'ok': True}
    event 2  [clerk] tool refund(order_id='A-18', amount=7) -> {'ok': False}\
"""
    )


def test_a_trajectory_is_a_list_of_lines() -> None:
    assert expect(RUN).trajectory == snapshot(
        [
            "[planner] tool lookup(order_id='A-17') -> {'items': [{'name': 'tea', 'price': 5}]}",
            "[clerk] tool refund(order_id='A-17', amount=5) -> {'ok': True}",
            "[clerk] tool refund(order_id='A-18', amount=7) -> {'ok': False}",
            "[clerk] tool send_email(to='jo@example.org') -> ValueError: no address",
        ]
    )
    assert expect(RUN).within("planner").trajectory == [expect(RUN).trajectory[0]]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (lambda: bool(tool("a").called() and True), TypeError),
        (lambda: tool("a").called(1, at_most=2), TypeError),
        (lambda: tool("a").after(tool("b")).before(tool("c")), TypeError),
        (tool("a").every.has, TypeError),
        (order, TypeError),
        (expect(RUN).holds, TypeError),
        (lambda: expect("x.cassette"), TypeError),
        (lambda: value("exit == 0"), TypeError),
        (lambda: claim("tool refund called at"), ExpressionInvalid),
        (lambda: value("output").matches("(?=x)"), ExpressionInvalid),
        (lambda: tool("a").with_({"a b": 1}), ExpressionInvalid),
    ],
)
def test_mistakes_are_told_at_once(said: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        said()


_NAMES = st.sampled_from(["lookup", "refund", "send_email", "delete", "re*"])
_COUNTS = st.integers(0, 3)


@st.composite
def claims(draw: st.DrawFn) -> tuple[Claim, str]:
    """The same in Python and in the language."""
    name, other, n = draw(_NAMES), draw(_NAMES), draw(_COUNTS)
    return draw(
        st.sampled_from(
            [
                (tool(name).called(n), f"tool {name} called exactly {n}"),
                (tool(name).called(at_most=n), f"tool {name} called at most {n}"),
                (tool(name).called(at_least=n), f"tool {name} called at least {n}"),
                (tool(name).never(after=tool(other)), f"tool {name} never after tool {other}"),
                (tool(name).with_(amount=n + 3).called(), f"tool {name}(amount == {n + 3})"),
                (tool(name).every.after(tool(other)), f"every tool {name} after tool {other}"),
                (agent("clerk").called(), "agent clerk"),
                (event().called(at_most=n), f"event called at most {n}"),
            ]
        )
    )


@given(claims(), claims(), st.sampled_from([RUN, CUT]))
def test_python_and_the_language_say_the_same(one: tuple[Claim, str], other: tuple[Claim, str], run: Subject) -> None:
    (a, a_text), (b, b_text) = one, other
    for made, text in (
        (a, a_text),
        (~a, f"not ({a_text})"),
        (a & b, f"({a_text}) and ({b_text})"),
        (a | b, f"({a_text}) or ({b_text})"),
    ):
        found = judge(made.expression, run)
        assert found == judge(text, run)
        assert judge(str(made), run) == found
        assert holds(lambda made=made: expect(run).holds(made)) is (found.holds is True)


def test_names_of_exceptions_are_whole() -> None:
    assert not holds(lambda: expect(RUN).tool().raising("Value").called())
    assert holds(lambda: expect(RUN).tool().raising("builtins.ValueError").never())
