"""From text to an expression, by recursive descent; the rules are in docs/expressions.md. Nesting is bounded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, NoReturn, TypeVar, cast

from replay.expect import pattern
from replay.expect.syntax import (
    ALIASES,
    FACTS,
    KINDS,
    VALUES,
    WORDS,
    And,
    Compare,
    Count,
    Every,
    Expression,
    Fact,
    Not,
    Or,
    Raises,
    Select,
    Step,
)
from replay.expect.tokens import Token, tokens
from replay.model.errors import ExpressionInvalid

T = TypeVar("T")

DEEPEST: Final = 40
"""Parentheses, `not` and `after` in each other."""

_MARKS: Final = ("==", "!=", "<=", ">=", "<", ">")
_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_TIMES: Final = {"once": 1, "twice": 2}


def parse(text: str) -> Expression:
    """The expression that `text` is.

    Raises:
        ExpressionInvalid: it is none; says at which column, and what was meant perhaps.

    Example:
        >>> parse("exit == 0 and not tool refund")
        And(items=(Compare(path=('exit',), operator='==', value=0), Not(item=Count(events=Select(kind='tool', \
name='refund', where=None, order=None), least=1, most=None))))
    """
    return _Parser(text).whole()


class _Parser:
    """Walks along the tokens. `_primary` reads a claim about a run, or, inside parentheses of a selection, a
    condition of one event."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        found = self._either(self._claim)
        if self._now.kind != "end":
            self._fail(f"{self._now.text!r} doesn't continue what stands before it", among=("and", "or", "called"))
        return found

    # -- and, or, not ------------------------------------------------------------------------------------------

    def _either(self, primary: Callable[[], Expression]) -> Expression:
        items = [self._all(primary)]
        while self._take("or"):
            items.append(self._all(primary))
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _all(self, primary: Callable[[], Expression]) -> Expression:
        items = [self._denied(primary)]
        while self._take("and") or (primary == self._condition and self._take(",")):
            items.append(self._denied(primary))
        return items[0] if len(items) == 1 else And(tuple(items))

    def _denied(self, primary: Callable[[], Expression]) -> Expression:
        if self._take("not"):
            return self._deeper(lambda: Not(self._denied(primary)))
        if self._take("("):
            found = self._deeper(lambda: self._either(primary))
            self._want(")")
            return found
        return primary()

    # -- claims ------------------------------------------------------------------------------------------------

    def _claim(self) -> Expression:
        token = self._now
        word = token.text if token.kind == "word" else ""
        if self._take("no"):
            return Count(self._select(), 0, 0)
        if self._take("every"):
            return self._every()
        if word in KINDS or word in ALIASES:
            return self._counted()
        if self._take("raises"):
            return Raises(self._name())
        if word in FACTS:
            self._at += 1
            return Fact(word)
        if word.partition(".")[0] in VALUES:
            return self._comparison(self._path())
        return self._fail(
            "an expression ends too early" if token.kind == "end" else f"{token.text!r} is nothing that a run has",
            among=(*KINDS, *ALIASES, *VALUES, *FACTS, "not", "no", "every", "raises"),
        )

    def _counted(self) -> Expression:
        events = self._select()
        least, most = 1, cast("int | None", None)
        if self._take("never"):
            least, most = 0, 0
            if not self._take("called") and (events.order is not None or not self._orders()):
                self._want("called", among=("called", "after", "before"))
        else:
            self._take("called")
            least, most = self._number_of_times() or (least, most)
        if events.order is None and self._orders():
            events = Select(events.kind, events.name, events.where, self._order())
        return Count(events, least, most)

    def _orders(self) -> bool:
        return self._now.kind == "word" and self._now.text in ("after", "before")

    def _number_of_times(self) -> tuple[int, int | None] | None:
        if self._take("at"):
            if self._take("most"):
                return 0, self._times()
            self._want("least", among=("most", "least"))
            return self._times(), None
        if self._take("never"):
            return 0, 0
        if self._take("exactly"):
            number = self._times()
            return number, number
        if self._take("between"):
            least = self._times()
            self._want("and")
            column = self._now
            most = self._times()
            return (least, most) if least <= most else self._fail("the second number is the smaller one", at=column)
        if self._now.text in _TIMES:
            number = _TIMES[self._next().text]
            return number, number
        if self._now.kind == "number":
            number = self._times(spelt=True)
            return number, number
        return None

    def _times(self, *, spelt: bool = False) -> int:
        token = self._next()
        number = {"once": 1, "twice": 2}.get(token.text, token.value)
        if not isinstance(number, int) or number < 0 or token.kind == "text":
            self._fail("a number is missing here: how many times", at=token)
        if not self._take("times") and spelt:
            self._fail("'times' is missing behind the number")
        return number

    def _every(self) -> Expression:
        events = self._select()
        if self._take("has"):
            if self._take("("):
                found = self._deeper(lambda: self._either(self._condition))
                self._want(")")
            else:
                found = self._denied(self._condition)
            return Every(events, has=found)
        if events.order is None:
            self._fail(
                "'has', 'after' or 'before' is missing here: every … has what?", among=("has", "after", "before")
            )
        return Every(Select(events.kind, events.name, events.where), order=events.order)

    # -- events ------------------------------------------------------------------------------------------------

    def _select(self) -> Select:
        token = self._next()
        kind = ALIASES.get(token.text, token.text)
        if token.kind != "word" or kind not in KINDS:
            self._fail(f"{token.text!r} is no kind of event", at=token, among=(*KINDS, *ALIASES))
        name = self._name()
        where: Expression | None = None
        if self._take("("):
            where = self._deeper(lambda: self._either(self._condition))
            self._want(")")
        if self._take("by"):
            self._take("agent")
            column = self._now
            agent = self._name()
            if agent is None:
                self._fail("the agent's name is missing", at=column)
            by = Compare(("agent",), "==", agent)
            where = by if where is None else And((where, by))
        order = self._order() if self._orders() else None
        return Select(kind, name, where, order)

    def _order(self) -> tuple[Literal["after", "before"], Select]:
        word = self._next().text
        return ("after" if word == "after" else "before"), self._deeper(self._select)

    def _name(self) -> str | None:
        token = self._now
        if token.kind == "text" or (token.kind == "word" and token.text not in WORDS):
            self._at += 1
            return str(token.value) if token.kind == "text" else token.text
        return None

    # -- conditions and values ---------------------------------------------------------------------------------

    def _condition(self) -> Expression:
        token = self._now
        if token.kind == "end":
            self._fail("a condition is missing here")
        if token.kind != "word" or token.text in WORDS:
            self._fail(f"{token.text!r} is no path: what of the event?", at=token)
        return self._comparison(self._path())

    def _path(self) -> tuple[Step, ...]:
        token = self._next()
        if any(mark in token.text for mark in "*/:"):
            self._fail(f"{token.text!r} is no path", at=token, hint='a key with such characters: ["key"]')
        steps: list[Step] = list(token.text.split("."))
        while True:
            if self._take("["):
                key = self._next()
                if key.kind == "text" or (key.kind == "number" and isinstance(key.value, int)):
                    steps.append(key.value)
                else:
                    self._fail("a number or a text in quotes stands in [ ]", at=key)
                self._want("]")
            elif self._take("."):
                key = self._next()
                if key.kind != "word" or any(mark in key.text for mark in "*/:"):
                    self._fail("a name is missing behind the point", at=key)
                steps += key.text.split(".")
            else:
                return tuple(steps)

    def _comparison(self, path: tuple[Step, ...]) -> Expression:
        token = self._now
        if token.kind == "mark" and token.text in _MARKS:
            self._at += 1
            return Compare(path, token.text, self._literal())
        if self._take("contains"):
            return Compare(path, "contains", self._literal())
        if self._take("matches"):
            return Compare(path, "matches", self._pattern())
        if self._take("in"):
            return Compare(path, "in", self._list())
        for first in ("starts", "ends"):
            if self._take(first):
                self._want("with")
                return Compare(path, f"{first} with", self._text_literal())
        return Compare(path)

    def _literal(self) -> Any:
        token = self._now
        if token.kind in ("text", "number"):
            self._at += 1
            return token.value
        if token.kind == "word" and token.text in _CONSTANTS:
            self._at += 1
            return _CONSTANTS[token.text]
        return self._fail(
            "a value is missing here" if token.kind == "end" else f"{token.text!r} is no value",
            hint="" if token.kind == "end" else 'a text stands in quotes: "…"',
        )

    def _text_literal(self) -> str:
        token = self._now
        value = self._literal()
        return value if isinstance(value, str) else self._fail("a text in quotes is wanted here", at=token)

    def _list(self) -> tuple[Any, ...]:
        self._want("[")
        found: list[Any] = []
        while not self._take("]"):
            found.append(self._literal())
            if not self._take(","):
                self._want("]")
                break
        return tuple(found)

    def _pattern(self) -> str:
        token = self._now
        text = self._text_literal()
        try:
            pattern.compiled(text)
        except pattern.PatternInvalid as error:
            self._fail(f"in the pattern: {error}", column=token.column + 1 + error.at)
        return text

    # -- tokens ------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._now
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take(self, text: str) -> bool:
        """The next token, if it is that word or mark."""
        token = self._now
        if token.text != text or token.kind not in ("word", "mark"):
            return False
        self._at += 1
        return True

    def _want(self, text: str, among: Iterable[str] = ()) -> None:
        if not self._take(text):
            found = self._now
            instead = "the end" if found.kind == "end" else repr(found.text)
            self._fail(f"{' or '.join(map(repr, among)) or repr(text)} is missing here; found {instead}", among=among)

    def _deeper(self, read: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"more than {DEEPEST} levels in each other")
        found = read()
        self._depth -= 1
        return found

    def _fail(
        self,
        what: str,
        *,
        at: Token | None = None,
        column: int | None = None,
        among: Iterable[str] = (),
        hint: str = "",
    ) -> NoReturn:
        token = at or self._now
        near = difflib.get_close_matches(token.text[:100].lower(), list(among), n=1) if token.text else []
        raise ExpressionInvalid(
            what,
            self._text,
            token.column if column is None else min(column, len(self._text)),
            hint=hint or (f"did you mean {near[0]}?" if near else "docs/expressions.md has the language"),
        )
