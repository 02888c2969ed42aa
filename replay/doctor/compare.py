"""Where two executions of one program got different values: the first lines, that no other difference led to. Pure.

Both traces (`runtime.trace`) are walked by lane, entry by entry. A value that differs is a *source* unless its line
reads a name that differed before, or called a function whose result did; then it only passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_HINTS = (
    (r"\b(id|hash|repr)\(|object at 0x", "an address: `id`, `hash` or `repr` of an object; name it by its contents"),
    (r"ctypes|\.CDLL|\bcdll\b", "a C library, which no seam sees: put it inside a function with @replay.tool"),
    (r"getrusage|psutil|resource\.|memory_info", "use of resources, which isn't recorded: @replay.tool"),
    (r"get_native_id|get_ident|thread_id", "an id of a thread: name threads instead"),
)
_SET = re.compile(r"\b(set|frozenset)\[\d+\]\(")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|\b\d{13,16}\b")


@dataclass(frozen=True, slots=True)
class Finding:
    """A line whose value isn't the recorded one.

    Attributes:
        site: `file:line`. function: it stands in. expression: the source line.
        name: what differs there. recorded, replayed: its value then and now, shortened.
        lane: who ran it. hint: the likely reason, and the remedy.
    """

    site: str
    function: str
    expression: str
    name: str
    recorded: str
    replayed: str
    lane: str
    hint: str


@dataclass(slots=True)
class _Line:
    file: str
    line: int
    function: str
    reads: set[str]

    @property
    def place(self) -> tuple[str, int]:
        return self.file, self.line


Entry = tuple[str, str, _Line, "str | _Line | None", str]
"""(kind, lane, line, name or caller, value)."""


def entries(rows: Iterable[list[Any]]) -> list[Entry]:
    """A trace file's rows, with their lines in place."""
    lines: dict[int, _Line] = {}
    reads: dict[tuple[str, int], set[str]] = {}  # a comprehension is a function of its own on the same line
    found: list[Entry] = []
    for row in rows:
        if row[0] == "L":
            together = reads.setdefault((row[2], row[3]), set())
            together.update(row[5])
            lines[row[1]] = _Line(row[2], row[3], row[4], together)
        else:
            kind, lane, number, about, value = row
            who = lines.get(about) if kind == "R" else about
            found.append((kind, lane, lines[number], who, value))
    return found


def sources(then: list[Entry], now: list[Entry], source: Callable[[str, int], str]) -> list[Finding]:
    """The lines whose values differ, in the order in which they ran.

    Args:
        then, now: of the recording and of its replay. source: the text of a line of a file.
    """
    replayed: dict[str, list[Entry]] = {}
    for entry in now:
        replayed.setdefault(entry[1], []).append(entry)
    position = dict.fromkeys(replayed, 0)
    seen_by: dict[tuple[str, str], set[str]] = {}
    tainted: set[tuple[str, str]] = set()
    caused: set[tuple[str, tuple[str, int]]] = set()
    found: dict[tuple[str, int], Finding] = {}
    for kind, lane, line, about, value in then:
        at = position.get(lane, -1)
        if at < 0 or at >= len(replayed[lane]):
            continue
        position[lane] += 1
        other = replayed[lane][at]
        name = about if isinstance(about, str) else "result"
        if kind == "V":
            seen_by.setdefault((line.file, name), set()).add(lane)
        if (other[0], other[2].place) != (kind, line.place) or (kind != "R" and other[3] != about):
            position[lane] = -1  # it went another way: nothing is comparable any more
            continue
        if other[4] == value:
            continue
        led = any(_is_tainted(tainted, line, read) for read in line.reads) or (lane, line.place) in caused
        if kind == "R" and isinstance(about, _Line):
            caused.add((lane, about.place))
        if kind == "A":
            caused.add((lane, line.place))
        tainted.add((line.file, name))
        if kind == "A":
            tainted.add(("*", name))
        if not led and line.place not in found:
            text = source(line.file, line.line).strip()
            raced = len({_thread(each) for each in seen_by.get((line.file, name), set())}) > 1
            hint = _hint(text, value, other[4], raced=raced)
            site = f"{line.file}:{line.line}"
            found[line.place] = Finding(site, line.function, text, name, value, other[4], lane, hint)
    return list(found.values())


def _is_tainted(tainted: set[tuple[str, str]], line: _Line, name: str) -> bool:
    """By name, in its file, or as an argument anywhere."""
    return (line.file, name) in tainted or ("*", name) in tainted


def _thread(lane: str) -> str:
    return "/".join(part for part in lane.split("/") if not part.startswith("t"))


def _hint(text: str, then: str, now: str, *, raced: bool) -> str:
    for pattern, hint in _HINTS:
        if re.search(pattern, text):
            return hint
    sets = _SET.search(then), _SET.search(now)
    if sets[0] and sets[1] and sets[0][0] == sets[1][0]:
        return "a set of objects that are hashed by address: sort it, or give the class a __hash__"
    if raced:
        return "several threads change it without a lock: a data race; take a lock"
    if _ADDRESS.search(then) and _ADDRESS.search(now):
        return "an address, as it seems: of an object's `repr`, or its `id`"
    return "something that isn't recorded gets in here: put it inside a function with @replay.tool"
