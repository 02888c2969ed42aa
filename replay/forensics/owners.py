"""Who answers for what: `owner=` of tools and stores, an owners file, CODEOWNERS of the call site's file. Pure.

Events are owned by their tools, stores and hosts; a tool that an MCP server has is a tool like others.

An owners file has the form of CODEOWNERS: a pattern and its owners on each line, `#` begins a comment, the last line
that fits counts. A pattern is one of files as in .gitignore, or `tool:NAME`, `memory:NAME`, `host:NAME`, where NAME may
have `*` in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from replay.forensics.trust import named
from replay.model.event import Event

_KINDS = ("tool:", "memory:", "host:")


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of such a file."""

    pattern: str
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for an event. `by`: `owner=`, `owners file` or `CODEOWNERS`; `what`: what of it is theirs."""

    owner: str
    event: int
    what: str
    by: str


def rules(text: str) -> list[Rule]:
    """The rules of a file.

    Example:
        >>> rules("*.py @core  # all of it\\ntool:refund payments")
        [Rule(pattern='*.py', owners=('@core',)), Rule(pattern='tool:refund', owners=('payments',))]
    """
    lines = (re.split(r"(?:^|\s)#", line)[0].split() for line in text.splitlines())
    return [Rule(words[0], tuple(words[1:])) for words in lines if words]


def of_file(known: Sequence[Rule], path: str) -> tuple[str, ...]:
    """The owners of a file, its path relative to where the rules lie.

    Example:
        >>> of_file(rules("* @all\\n/src/pay/ @pay"), "src/pay/refund.py")
        ('@pay',)
    """
    fits = [rule.owners for rule in known if not rule.pattern.startswith(_KINDS) and _matches(rule.pattern, path)]
    return fits[-1] if fits else ()


def of_event(event: Event, known: Sequence[Rule], code: Sequence[Rule], roots: Iterable[str]) -> list[Owner]:
    """Who answers for an event.

    Args:
        known: of the owners file. code: of CODEOWNERS. roots: directories that call sites' files may lie in.
    """
    name = f"{event.kind} {event.name}"
    said = event.meta.get("owner")
    found = [Owner(str(said), event.id, name, "owner=")] if said else []
    called = [f"{kind}:{each}" for kind, each in named(event)]
    called += [f"memory:{event.name.rpartition('.')[0]}"] if event.kind == "memory" else []
    fits = [rule.owners for rule in known if any(fnmatchcase(each, rule.pattern) for each in called)]
    found += [Owner(owner, event.id, name, "owners file") for owner in (fits[-1] if fits else ())]
    if event.site is not None:
        file = relative(event.site.file, roots)
        for source, by in ((known, "owners file"), (code, "CODEOWNERS")):
            found += [Owner(owner, event.id, str(event.site), by) for owner in of_file(source, file)]
    return found


def relative(file: str, roots: Iterable[str]) -> str:
    """A file's path below the first of the directories that it lies in."""
    for root in roots:
        if root and file.startswith(root.rstrip("/") + "/"):
            return file[len(root.rstrip("/")) + 1 :]
    return file


def _matches(pattern: str, path: str) -> bool:
    """As .gitignore has it: a slash anchors, but for one at the end; a directory has all that is in it."""
    anchored = "/" in pattern.rstrip("/")
    words = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(wild.get(word, re.escape(word)) for word in words)
    head = "" if anchored else "(?:.*/)?"
    tail = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return re.fullmatch(head + body + tail, path.lstrip("/")) is not None
