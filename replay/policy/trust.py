"""Who may ask for anything: labels of sources, as a policy file has them. Pure.

    trust: {trusted: [user, tool get_rules, memory notes.house*], untrusted: [tool read_*, host *.example]}

The user, the operator and what is labelled trusted may; everything else that a model reads is data. `untrusted` is
for rules: what a run has read that strangers may have written.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import urlsplit

from replay.forensics.influence import Source
from replay.model.event import Event

KINDS: Final = ("user", "tool", "host", "memory", "agent")
_DATA: Final = frozenset({"tool", "mcp", "http", "grpc", "memory", "db"})


@dataclass(frozen=True, slots=True)
class Trust:
    """Labels: pairs of a kind and a pattern (`*`, `?`) of names."""

    trusted: tuple[tuple[str, str], ...] = (("user", "*"),)
    untrusted: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(said: Any) -> Trust:
        """As a file says it.

        Raises:
            ValueError: which label isn't one.
        """
        labels: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
        return Trust((("user", "*"), *_labels(labels.get("trusted"))), tuple(_labels(labels.get("untrusted"))))

    def source(self, source: Source) -> Source:
        """The source; as one of the user's where it is trusted."""
        trusted = source.role != "user" and _fits(self.trusted, source.role, source.name)
        return replace(source, role="user") if trusted else source

    def is_untrusted(self, event: Event) -> bool:
        """Whether the event read something from a source labelled untrusted; without labels: any data but memories."""
        if event.kind not in _DATA or (event.kind != "tool" and event.effect == "write"):
            return False
        names = _named(event)
        if any(_fits(self.trusted, kind, name) for kind, name in names):
            return False
        if not self.untrusted:
            return event.kind != "memory"
        return any(_fits(self.untrusted, kind, name) for kind, name in names)


def _named(event: Event) -> list[tuple[str, str]]:
    if event.kind in ("tool", "mcp"):
        return [("tool", event.name)]
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    if event.kind == "memory":
        args = request.get("args")
        key = request.get("key", args[0] if isinstance(args, list) and args else "")
        return [("memory", f"{event.name.rpartition('.')[0]}.{key}"), ("memory", str(key))]
    return [("host", host_of(str(request.get("url", ""))))]


def host_of(url: str) -> str:
    """The host of a URL; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _labels(said: Any) -> Iterable[tuple[str, str]]:
    for label in said if isinstance(said, list) else ():
        kind, _, name = str(label).partition(" ")
        if kind not in KINDS:
            raise ValueError(f"{label!r} is no label: it begins with one of {', '.join(KINDS)}")
        yield kind, name.strip() or "*"


def _fits(labels: Iterable[tuple[str, str]], kind: str, name: str) -> bool:
    return any(kind == other and fnmatchcase(name, pattern) for other, pattern in labels)
