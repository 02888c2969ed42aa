"""The table: every question that a door can put, by its name. docs/queries.md describes the answers.

for query in QUERIES.values(): print(query.name, query.about, query.schema())
ask(Library([".replay"]), "show", {"cassette": "latest", "kind": "tool"})
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, get_args

from replay.model.errors import QueryInvalid, ReplayError
from replay.model.visible import one_line
from replay.queries import judging, looking
from replay.queries.bounds import ROOM, bounded, read_on
from replay.queries.library import Library
from replay.queries.params import Param, Say, params

_PATH: Final = Annotated[str | None, Say("Read on in a cut value of the same question's answer: its `path`.")]
_START: Final = Annotated[int, Say("From which character or item on, with `path`.", least=0)]
_READING_ON: Final = (
    Param("path", "text", get_args(_PATH)[1], False, None),
    Param("start", "number", get_args(_START)[1], False, 0),
)


@dataclass(frozen=True)
class Query:
    """One question. `executes`: it runs a recorded program again, in the sandbox; all others read files only."""

    name: str
    function: Callable[..., dict[str, Any]]
    executes: bool = False

    @cached_property
    def about(self) -> str:
        """What it answers, in a sentence or two."""
        return " ".join((self.function.__doc__ or "").split())

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """Its own, and those that read on in a cut value."""
        return params(self.function) + _READING_ON

    def schema(self) -> dict[str, Any]:
        """JSON Schema of its parameters."""
        return {
            "type": "object",
            "properties": {each.name: each.schema() for each in self.params},
            "required": [each.name for each in self.params if each.required],
            "additionalProperties": False,
        }

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was given, checked. Raises QueryInvalid."""
        known = {each.name: each for each in self.params}
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
                raise QueryInvalid(f"{self.name} takes no {one_line(name, 60)}", hint=hint)
        missing = [each.name for each in self.params if each.required and given.get(each.name) is None]
        if missing:
            raise QueryInvalid(f"{self.name} needs {' and '.join(missing)}", hint="docs/queries.md")
        return {name: known[name].read(value) for name, value in given.items() if value is not None}


QUERIES: Final[Mapping[str, Query]] = {
    query.name: query
    for query in (
        Query("list", looking.list_),
        Query("show", looking.show),
        Query("event", looking.event),
        Query("timeline", looking.timeline),
        Query("lanes", looking.lanes),
        Query("context", judging.context),
        Query("memory", judging.memory),
        Query("effects", judging.effects),
        Query("why", judging.why),
        Query("triage", judging.triage),
        Query("search", looking.search),
        Query("diff", judging.diff),
        Query("align", judging.align),
        Query("blindspots", looking.blindspots),
        Query("run", judging.run, executes=True),
    )
}


def ask(library: Library, name: str, given: Mapping[str, Any] | None = None, *, room: int = ROOM) -> dict[str, Any]:
    """The answer to a question, of `room` bytes at most.

    Raises:
        QueryInvalid: no such query, or not its parameters. CassetteMissing, CassetteDamaged, …: as reading does.

    Example:
        >>> ask(library, "search", {"cassette": "latest", "text": "refund"})["hits"][0]["event"]
        17
    """
    query = QUERIES.get(name)
    if query is None:
        near = difflib.get_close_matches(name, QUERIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(QUERIES)}"
        raise QueryInvalid(f"no query {one_line(name, 60)}", hint=hint)
    arguments = query.read(given or {})
    path, start = arguments.pop("path", None), arguments.pop("start", 0)
    if query.executes:  # it takes long, and opens the file itself
        return _told(query, library, arguments, path, start, room)
    with library.lock:
        return _told(query, library, arguments, path, start, room)


def _told(
    query: Query, library: Library, arguments: dict[str, Any], path: str | None, start: int, room: int
) -> dict[str, Any]:
    document = query.function(library, **arguments)
    return bounded(document, room) if path is None else read_on(document, path, start, room)


def problem(error: ReplayError) -> dict[str, Any]:
    """What a door answers instead: `{"error": {"slug", "message", "hint"}}`."""
    return {"error": {"slug": error.slug, "message": one_line(error.what, 2000), "hint": one_line(error.hint, 500)}}
