"""Who decided that something was done: the call of a model that asked for it, or the program itself. Pure.

A tool that runs belongs to the call of a model that asked for it, found by the strictest way in which it is:

    call id      the event names the call that it runs, or the event that decided it
    arguments    the same tool was asked for, with the same arguments
    name         the same tool was asked for, with other arguments
    values       (of what is no tool) all values of a call that no tool was seen to run are in it

Among several the nearest by lanes counts, then the latest one. Each is run once: what runs again without having been
asked for again was repeated by the program (`again`). Everything inside a tool was decided with it. The rest is `code`.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from replay.model.event import Event
from replay.semantics import ToolCall

How = Literal["call id", "arguments", "name", "values", "inside", "code"]

_WAITING: Final = 200
"""How many calls of tools that nothing was seen to run are remembered."""

_ALIKE: Final = 20
"""How many calls of tools that are the same are remembered: the last ones."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What decided an event.

    Attributes:
        event: the model's call that asked for it, None for `code`. call: id of the tool call there.
        how: how that is known. `values` is inferred, the others are recorded.
        again: the program did it again, without having been asked again.
    """

    event: int | None
    how: How
    call: str | None = None
    again: bool = False

    def to_json(self) -> dict[str, Any]:
        """As `replay effects --json` has it."""
        return {"event": self.event, "how": self.how, "call": self.call, "again": self.again}


CODE: Final = Decision(None, "code")


@dataclass(slots=True)
class _Asked:
    event: int
    lane: tuple[str, ...]
    call: str
    name: str
    values: tuple[str, ...]
    runs: int = field(default=0)


class Deciders:
    """Events are shown to it in order.

    Example:
        deciders = Deciders()
        for event, call in semantics.readings(cassette.events):
            if call is not None: deciders.asked(event, call.tool_calls)
            elif event.effect == "write": print(event.id, deciders.of(event, tools.holding(event)))
    """

    def __init__(self) -> None:
        self._alike: dict[Any, deque[_Asked]] = {}
        self._by_id: dict[str, deque[_Asked]] = {}
        self._waiting: dict[int, _Asked] = {}
        self._decided: dict[int, Decision] = {}

    def asked(self, event: Event, calls: Sequence[ToolCall]) -> None:
        """A model's call, and with it what it asks for."""
        lane = _lane(event.lane)
        for each in calls:
            given = each.parsed if each.parsed is not None else each.arguments
            asked = _Asked(event.id, lane, each.id, each.name, _values(given))
            self._alike.setdefault((each.name, asked.values), deque(maxlen=_ALIKE)).append(asked)
            self._by_id.setdefault(each.id, deque(maxlen=_ALIKE)).append(asked)
            self._waiting[id(asked)] = asked
            if len(self._waiting) > _WAITING:
                del self._waiting[next(iter(self._waiting))]

    def tool(self, event: Event, inside: int | None) -> Decision:
        """Of a tool that ran, whether it writes or not: it has to be shown, so that its call isn't another's."""
        name, arguments = called(event) or (event.name, event.request)
        found = self._of_tool(event, name, arguments)
        if found is CODE and inside is not None:
            found = self._inside(inside)
        self._decided[event.id] = found
        return found

    def of(self, event: Event, inside: int | None) -> Decision:
        """Of anything else."""
        if inside is not None and inside in self._decided:
            return self._inside(inside)
        text = ""
        for asked in reversed(self._waiting.values()):
            if not any(len(value) > 2 for value in asked.values):
                continue
            text = text or _text(event)
            if all(value in text for value in asked.values):
                return Decision(asked.event, "values", asked.call)
        return CODE

    def _inside(self, tool: int) -> Decision:
        outer = self._decided.get(tool, CODE)
        return outer if outer is CODE else Decision(outer.event, "inside", outer.call, outer.again)

    def _of_tool(self, event: Event, name: str, arguments: Any) -> Decision:
        links = event.meta.get("links")
        decider = links.get("decided_by") if isinstance(links, Mapping) else None
        how: How = "call id"
        among: Iterable[_Asked] = [
            asked
            for asked in self._by_id.get(str(event.meta.get("call_id")), ())
            if asked.name == name and decider in (None, asked.event)
        ]
        if not among:
            how, among = "arguments", self._alike.get((name, _values(arguments)), ())
        if not among:
            how, among = "name", [asked for asked in self._waiting.values() if asked.name == name]
        lane = _lane(event.lane)
        # of several answers the last; of one answer's calls, which are equal here, the first
        best = max(among, key=lambda asked: (-asked.runs, -_apart(lane, asked.lane), asked.event), default=None)
        if best is None:
            return CODE
        best.runs += 1
        self._waiting.pop(id(best), None)
        return Decision(best.event, how, best.call, again=best.runs > 1)


def called(event: Event) -> tuple[str, Any] | None:
    """Name and arguments of the tool that an event is a call of; None where it is none."""
    if event.kind == "tool":
        return event.name, event.request
    request = event.request
    if event.kind == "mcp" and isinstance(request, Mapping) and request.get("method") == "tools/call":
        params = request.get("params")
        given: Mapping[str, Any] = params if isinstance(params, Mapping) else {}
        return str(given.get("name")), given.get("arguments") or {}
    return None


def _lane(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _apart(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Steps up from one lane and down to the other."""
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    return len(one) + len(other) - 2 * common


def _values(arguments: Any) -> tuple[str, ...]:
    """What is in arguments, whatever they are called: 129, 129.0 and "129" are the same."""
    found: list[str] = []
    waiting = [arguments]
    while waiting and len(found) < 200:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, float) and value.is_integer():
            found.append(str(int(value)))
        elif value is not None and not isinstance(value, bool):
            found.append(value if isinstance(value, str) else str(value))
    return tuple(sorted(found))


def _text(event: Event) -> str:
    """Everything that was asked, as one text."""
    try:
        asked = json.dumps(event.request, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        asked = repr(event.request)
    return asked + (event.body or b"").decode("utf-8", "replace")
