"""Whose words may count: labels of sources, as a policy file, `[tool.replay]` or a recording has them. Pure.

    trust: {trusted: [tool get_rules, memory notes.house*], untrusted: [tool read_*, host *.example, user]}

The first of these that says something of a source counts:

    a label of `trusted`        what fits it may ask for things, as the operator does: it is no suspect of an injection
    a label of `untrusted`      what strangers may have written: it counts more than other data
    `trust=`, as recorded       of the tool or the store: `@replay.tool(trust="untrusted")`
    where it was read           a tool that read something untrusted inside is untrusted itself
    nothing                     the user and the operator may ask for anything; everything else is data

So a name in `trusted` is an exception from a pattern in `untrusted`. A user who is labelled untrusted is data as well.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from replay.forensics.influence import Source
from replay.model.event import Event

KINDS: Final = ("user", "tool", "host", "memory", "agent")
_DATA: Final = frozenset({"tool", "mcp", "http", "grpc", "memory", "db"})

Verdict = Literal["", "trusted", "untrusted"]
Said = tuple[Verdict, str]
"""What is said of a source, and by which label; twice empty where nothing is."""

_NOTHING: Final[Said] = "", ""


@dataclass(frozen=True, slots=True)
class Trust:
    """Labels: pairs of a kind and a pattern (`*`, `?`) of names."""

    trusted: tuple[tuple[str, str], ...] = ()
    untrusted: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(said: Any) -> Trust:
        """As a file says it.

        Raises:
            ValueError: which label isn't one.
        """
        labels: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
        return Trust(tuple(_labels(labels.get("trusted"))), tuple(_labels(labels.get("untrusted"))))

    def __or__(self, other: Trust) -> Trust:
        """Both."""
        return Trust((*self.trusted, *other.trusted), (*self.untrusted, *other.untrusted))

    def of_event(self, event: Event, inside: Sequence[Event] = ()) -> Said:
        """What is said of what an event read. `inside`: the events inside the tool that it is."""
        said = self._of_names(named(event))
        if said != _NOTHING:
            return said
        recorded = event.meta.get("trust")
        if recorded in ("trusted", "untrusted"):
            return recorded, f"trust= of {event.kind} {event.name}"
        for inner in inside:
            verdict, label = self.of_event(inner)
            if verdict == "untrusted" and inner.kind in _DATA:
                return verdict, f"{label}, read inside {event.name}"
        return _NOTHING

    def labelled(self, source: Source, event: Event | None = None, inside: Sequence[Event] = ()) -> Source:
        """The source, with what is said of it. `event`: the one it came from."""
        said = self._of_names([(source.role, source.name)])
        if said == _NOTHING and event is not None and event.kind != "entry":
            said = self.of_event(event, inside)
        return source if said == _NOTHING else replace(source, trust=said[0], label=said[1])

    def is_untrusted(self, event: Event, inside: Sequence[Event] = ()) -> bool:
        """Whether the event read something untrusted; where nothing is labelled untrusted: any data but memories."""
        if event.kind not in _DATA or (event.kind != "tool" and event.effect == "write"):
            return False
        verdict, _ = self.of_event(event, inside)
        return verdict == "untrusted" or (not verdict and not self.untrusted and event.kind != "memory")

    def _of_names(self, names: Sequence[tuple[str, str]]) -> Said:
        sides: tuple[tuple[Verdict, tuple[tuple[str, str], ...]], ...]
        sides = ("trusted", self.trusted), ("untrusted", self.untrusted)
        for verdict, labels in sides:
            for kind, pattern in labels:
                if any(kind == other and fnmatchcase(name, pattern) for other, name in names):
                    return verdict, f"{kind} {pattern}".removesuffix(" *")
        return _NOTHING


def named(event: Event) -> list[tuple[str, str]]:
    """What labels may call what an event is about: kinds and names."""
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    if event.kind in ("tool", "mcp"):
        parameters = request.get("params")
        called = parameters.get("name") if event.kind == "mcp" and isinstance(parameters, Mapping) else None
        return [("tool", event.name), *([("tool", str(called))] if called else ())]
    if event.kind == "memory":
        args = request.get("args")
        key = request.get("key", args[0] if isinstance(args, (list, tuple)) and args else "")
        return [("memory", f"{event.name.rpartition('.')[0]}.{key}"), ("memory", str(key))]
    return [("host", host_of(str(request.get("url", ""))))]


def host_of(url: str) -> str:
    """The host of a URL; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _labels(said: Any) -> Iterable[tuple[str, str]]:
    for label in said if isinstance(said, (list, tuple)) else ():
        kind, _, name = str(label).partition(" ")
        if kind not in KINDS:
            raise ValueError(f"{label!r} is no label: it begins with one of {', '.join(KINDS)}")
        yield kind, name.strip() or "*"
