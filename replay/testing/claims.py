"""Claims about a run, built in Python: they are the expressions of `replay.expect`, and nothing else judges them.

    tool("refund").with_(amount=5).called(at_most=1)       # a Claim, to be combined by & | ~
    expect(run).tool("refund").with_(amount=5).called(at_most=1)       # judged at once

Both are the same classes: what becomes of an expression when it is whole is the argument `done`.

Values that are compared: texts, numbers, True, False and None as the language does; anything else by Python's `==`
(dirty-equals); a class by `isinstance`; another callable is asked, and says yes by returning something true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar, cast

from replay.expect import parse, show
from replay.expect.syntax import And, Compare, Count, Every, Expression, Not, Or, Raises, Select, Step

__tracebackhide__ = True  # a failed test shows its own line, not ours

T = TypeVar("T")
Done = Callable[[Expression], T]


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a run may be like. `one & other`, `one | other`, `~one`."""

    expression: Expression

    def __and__(self, other: Claim) -> Claim:
        return Claim(And((self.expression, other.expression)))

    def __or__(self, other: Claim) -> Claim:
        return Claim(Or((self.expression, other.expression)))

    def __invert__(self) -> Claim:
        return Claim(Not(self.expression))

    def __bool__(self) -> bool:
        raise TypeError(f"'{self}' is judged by `expect(run).holds(…)`; combine claims by &, | and ~")

    def __str__(self) -> str:
        return show(self.expression)


def claim(text: str) -> Claim:
    """The claim that a text of the language makes.

    Raises:
        ExpressionInvalid: it is none.

    Example:
        >>> str(claim("tool refund called at most 1") | claim("exit != 0"))
        'tool refund called at most 1 or exit != 0'
    """
    return Claim(parse(text))


def path_of(words: str) -> tuple[Step, ...]:
    """`items[0].name` as the language reads it."""
    compared = parse(f"event(x.{words})")
    assert isinstance(compared, Count)
    assert isinstance(compared.events.where, Compare)
    return compared.events.where.path[1:]


def compare(path: tuple[Step, ...], wanted: Any) -> Compare:
    """What stands at a path compared with a plain value, something that compares itself, a class, or a function."""
    if wanted is None or isinstance(wanted, (str, bool, int, float)):
        return Compare(path, "==", wanted)
    if isinstance(wanted, type) and type(wanted).__eq__ is type.__eq__:
        return Compare(path, "is a", wanted)
    if callable(wanted) and not isinstance(wanted, type):
        return Compare(path, "satisfies", wanted)
    return Compare(path, "equals", wanted)


@dataclass(frozen=True, slots=True)
class Calls(Generic[T]):
    """Events of a kind: tool calls, calls of models, … They are narrowed (`with_`, `by`), then something is claimed."""

    select: Select
    done: Done[T]

    # -- which --------------------------------------------------------------------------------------------------

    def with_(self, paths: Mapping[str, Any] | None = None, /, **arguments: Any) -> Calls[T]:
        """Those with these arguments (or whatever the words of docs/expressions.md lead to: `result`, `model`, …).

        Args:
            paths: for what is no Python name: `{"items[0].name": "tea"}`.
        """
        wanted = [compare(path_of(path), value) for path, value in (paths or {}).items()]
        wanted += [compare((name,), value) for name, value in arguments.items()]
        return self._narrowed(*wanted)

    def by(self, agent: str) -> Calls[T]:
        """Those that this agent made."""
        return self._narrowed(Compare(("agent",), "==", agent))

    def returning(self, result: Any) -> Calls[T]:
        """Those with that outcome."""
        return self._narrowed(compare(("result",), result))

    def raising(self, error: type[BaseException] | str | None = None) -> Calls[T]:
        """Those that ended with an exception: of any class, or of that name."""
        if error is None:
            return self._narrowed(Compare(("error",)))
        name = error if isinstance(error, str) else error.__name__
        return self._narrowed(Compare(("error",), "matches", rf"^([\w.]+\.)?{name}(:|$)"))

    def after(self, other: Calls[Any]) -> Calls[T]:
        """Those that began after some of the other did."""
        return self._in_order("after", other)

    def before(self, other: Calls[Any]) -> Calls[T]:
        """Those that began before some of the other did."""
        return self._in_order("before", other)

    def _narrowed(self, *wanted: Expression) -> Calls[T]:
        parts = tuple(wanted) if self.select.where is None else (self.select.where, *wanted)
        if not parts:
            return self
        return replace(self, select=replace(self.select, where=parts[0] if len(parts) == 1 else And(parts)))

    def _in_order(self, word: Literal["after", "before"], other: Calls[Any]) -> Calls[T]:
        if self.select.order is not None:
            raise TypeError("it is told already what they come after or before; combine two claims instead")
        return replace(self, select=replace(self.select, order=(word, other.select)))

    # -- what is claimed ----------------------------------------------------------------------------------------

    def called(
        self,
        times: int | None = None,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        after: Calls[Any] | None = None,
        before: Calls[Any] | None = None,
    ) -> T:
        """There are so many of them; at least one by default.

        Args:
            times: exactly so many.
            at_least: a limit; with `at_most` a range.
            at_most: the other limit.
            after: only those that began after some of the others did.
            before: only those that began before some of the others did.
        """
        if times is not None and (at_least is not None or at_most is not None):
            raise TypeError("called(): either so many times, or at_least and at_most")
        if times is not None:
            least, most = times, cast("int | None", times)
        elif at_least is None and at_most is None:
            least, most = 1, None
        else:
            least, most = at_least or 0, at_most
        return self.done(Count(self._ordered(after, before), least, most))

    def once(self) -> T:
        """There is exactly one."""
        return self.called(1)

    def never(self, *, after: Calls[Any] | None = None, before: Calls[Any] | None = None) -> T:
        """There is none; none after, or before, some of the others."""
        return self.done(Count(self._ordered(after, before), 0, 0))

    @property
    def every(self) -> Each[T]:
        """Each of them."""
        return Each(self)

    def _ordered(self, after: Calls[Any] | None, before: Calls[Any] | None) -> Select:
        calls = self if after is None else self.after(after)
        return (calls if before is None else calls.before(before)).select


@dataclass(frozen=True, slots=True)
class Each(Generic[T]):
    """Each of some events. What is claimed holds, too, where there is none."""

    calls: Calls[T]

    def has(self, paths: Mapping[str, Any] | None = None, /, **arguments: Any) -> T:
        """It has these arguments; see `Calls.with_`."""
        wanted = replace(self.calls, select=replace(self.calls.select, where=None)).with_(paths, **arguments)
        if wanted.select.where is None:
            raise TypeError("has(): what?")
        return self.calls.done(Every(self.calls.select, has=wanted.select.where))

    def after(self, other: Calls[Any]) -> T:
        """None of them began without one of the other before it."""
        return self.calls.done(Every(self.calls.select, order=("after", other.select)))

    def before(self, other: Calls[Any]) -> T:
        """None of them began without one of the other behind it."""
        return self.calls.done(Every(self.calls.select, order=("before", other.select)))


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """What is known of a run as a whole: its exit code, output, result, tokens, time, …"""

    path: tuple[Step, ...]
    done: Done[T]

    def equals(self, value: Any) -> T:
        """It is that: a plain value, something that compares itself, a class, or a function that says so."""
        return self.done(compare(self.path, value))

    def contains(self, part: Any) -> T:
        """A part of the text, or anything inside a structure."""
        return self.done(Compare(self.path, "contains", part))

    def matches(self, pattern: str) -> T:
        """Somewhere in it; docs/expressions.md has what a pattern may be.

        Raises:
            ExpressionInvalid: it is none.
        """
        quoted = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        parse(f'output matches "{quoted}"')
        return self.done(Compare(self.path, "matches", pattern))

    def starts_with(self, text: str) -> T:
        """The text begins so."""
        return self.done(Compare(self.path, "starts with", text))

    def ends_with(self, text: str) -> T:
        """The text ends so."""
        return self.done(Compare(self.path, "ends with", text))

    def one_of(self, *values: Any) -> T:
        """It is one of these."""
        return self.done(Compare(self.path, "in", values))

    def at_most(self, number: float) -> T:
        """It isn't more."""
        return self.done(Compare(self.path, "<=", number))

    def at_least(self, number: float) -> T:
        """It isn't less."""
        return self.done(Compare(self.path, ">=", number))


class Selecting(Generic[T]):
    """What has events to select and values to look at. `_done`: what becomes of what is claimed of them."""

    def __init__(self, done: Done[T], agent: str | None = None) -> None:
        self._done = done
        self._agent = agent

    def _calls(self, kind: str, name: str | None) -> Calls[T]:
        calls = Calls(Select(kind, name), self._done)
        return calls if self._agent is None else calls.by(self._agent)

    def tool(self, name: str | None = None) -> Calls[T]:
        """Calls of tools: the program's, a framework's, an MCP server's. `*` in a name stands for anything."""
        return self._calls("tool", name)

    def asked(self, name: str | None = None) -> Calls[T]:
        """Calls of tools that a model asked for, made or not."""
        return self._calls("asked", name)

    def llm(self, model: str | None = None) -> Calls[T]:
        """Calls of models."""
        return self._calls("llm", model)

    def memory(self, name: str | None = None) -> Calls[T]:
        """Reads and writes of memory."""
        return self._calls("memory", name)

    def http(self, name: str | None = None) -> Calls[T]:
        """HTTP requests, by `METHOD URL`."""
        return self._calls("http", name)

    def mcp(self, name: str | None = None) -> Calls[T]:
        """Messages to and from MCP servers."""
        return self._calls("mcp", name)

    def db(self, name: str | None = None) -> Calls[T]:
        """What databases were asked."""
        return self._calls("db", name)

    def grpc(self, name: str | None = None) -> Calls[T]:
        """gRPC calls."""
        return self._calls("grpc", name)

    def file(self, name: str | None = None) -> Calls[T]:
        """What was done with files."""
        return self._calls("file", name)

    def process(self, name: str | None = None) -> Calls[T]:
        """What was done with processes."""
        return self._calls("process", name)

    def connection(self, name: str | None = None) -> Calls[T]:
        """What went over connections that no other kind knows."""
        return self._calls("connection", name)

    def effect(self, name: str | None = None) -> Calls[T]:
        """Whatever changed the world, by its name or kind."""
        return self._calls("effect", name)

    def agent(self, name: str | None = None) -> Calls[T]:
        """All that an agent did."""
        return self._calls("agent", name)

    def event(self, name: str | None = None) -> Calls[T]:
        """Everything."""
        return self._calls("event", name)

    def order(self, *steps: Calls[Any]) -> T:
        """These happened, each after the one before it.

        Example:
            expect(run).order(tool("lookup"), llm(), tool("refund"))
        """
        if not steps:
            raise TypeError("order(): of what?")
        first, *rest = steps
        found = first.select
        for step in rest:
            if step.select.order is not None:
                raise TypeError("order(): a step that has an order of its own")
            found = replace(step.select, order=("after", found))
        return self._done(Count(found, 1, None))

    def raises(self, error: type[BaseException] | str | None = None) -> T:
        """An exception ended it: any, or of that class or name."""
        return self._done(Raises(error if error is None or isinstance(error, str) else error.__name__))

    def value(self, path: str) -> Value[T]:
        """What stands at a path of the language: `exit`, `tags.env`, `result.items[0]`."""
        compared = parse(path)
        if not isinstance(compared, Compare) or compared.operator:
            raise TypeError(f"value({path!r}): that is more than a path")
        return Value(compared.path, self._done)


_claims = Selecting(Claim)
tool = _claims.tool
asked = _claims.asked
llm = _claims.llm
memory = _claims.memory
http = _claims.http
mcp = _claims.mcp
db = _claims.db
grpc = _claims.grpc
file = _claims.file
process = _claims.process
connection = _claims.connection
effect = _claims.effect
agent = _claims.agent
event = _claims.event
order = _claims.order
value = _claims.value
