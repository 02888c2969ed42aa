"""What an agent did as a list of lines that people review: calls of models and tools, memory, effects. Pure.

Times, ids, headers and lanes are left out: two runs that did the same have the same trajectory. It is a list of texts,
so that inline-snapshot and syrupy write and compare it as such.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from replay.expect.values import deep
from replay.model.event import Event
from replay.semantics import LLMCall, readings

_LEFT_OUT: Final = frozenset("clock entropy order env output file connection entry".split())
_LONGEST: Final = 200


class Trajectory(list[str]):
    """The lines, of which pytest shows an aligned diff. Its repr is a list's."""


def trajectory(events: Iterable[Event], *, agent: str | None = None) -> Trajectory:
    """The steps among these events; of one agent, where it is named."""
    return Trajectory(
        line_of(event, call)
        for event, call in readings(events)
        if _is_step(event, call) and (agent is None or event.meta.get("agent") == agent)
    )


def _is_step(event: Event, call: LLMCall | None) -> bool:
    if call is not None or event.kind == "tool":
        return True
    return event.kind not in _LEFT_OUT and (event.kind in ("llm", "memory", "gap") or event.effect == "write")


def line_of(event: Event, call: LLMCall | None = None) -> str:
    """One step in one line.

    Example:
        tool refund(order_id='A-17', amount=5) -> {'ok': True}
    """
    who = f"[{event.meta['agent']}] " if event.meta.get("agent") is not None else ""
    if call is not None:
        asked = [f"{each.name}({_arguments(each.parsed)})" for each in call.tool_calls]
        said = [repr(_brief(call.text))] if call.text else []
        return f"{who}llm {call.request_model or '?'} -> {', '.join([*said, *asked]) or _error(event) or 'nothing'}"
    if event.kind == "tool":
        return f"{who}tool {event.name}({_arguments(event.request)}) -> {_outcome(event)}"
    if event.kind == "memory":
        return f"{who}memory {event.name}({_arguments(event.request)})"
    return f"{who}{event.kind} {event.name}"


def _outcome(event: Event) -> str:
    return _error(event) or ("?" if event.status == "open" else _brief(_shown(event.response)))


def _error(event: Event) -> str:
    if event.error is None:
        return ""
    return f"{event.error.type.removeprefix('builtins.')}: {_brief(event.error.message)}"


def _arguments(given: Any) -> str:
    given = deep(given)
    if isinstance(given, Mapping):
        return _brief(", ".join(f"{name}={_shown(value)}" for name, value in given.items()))
    return "" if given is None else _brief(_shown(given))


def _shown(value: Any) -> str:
    return repr(deep(value))


def _brief(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 20]}…{text[-19:]}"
