"""The cassettes that a door shows: those below its roots, and no others; opened once, and what was found in each kept.

A name that a client gives is looked up among the files that were found below the roots. It never becomes a path, so it
can't lead out of them; a link that leads out is not found.
"""

from __future__ import annotations

import difflib
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from replay.cassette.cassette import Cassette
from replay.cassette.directory import SUFFIX
from replay.cassette.family import header_at
from replay.cassette.lru import Recent
from replay.cassette.reader import Reader
from replay.cassette.urls import url_of
from replay.forensics.owners import Rule
from replay.forensics.trust import Trust
from replay.model.errors import CassetteMissing, UsageError
from replay.model.event import Event
from replay.queries import contents
from replay.queries.contents import Contents
from replay.semantics import LLMCall, ToolCall, readings

T = TypeVar("T")

_OPEN: Final = 12
"""Cassettes that are kept open."""

MOST: Final = 6
"""Cassettes that one question may be about."""


class Place(NamedTuple):
    """A cassette: what clients call it, where it lies. `path` is the file itself, behind any link."""

    name: str
    path: str


class Said(NamedTuple):
    """What a model answered: small, and kept, where the event it came in is not."""

    model: str | None
    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    tokens: tuple[int | None, int | None]


class Opened:
    """A cassette that is open, and what was found in it."""

    def __init__(self, place: Place) -> None:
        self.name = place.name
        self.path = place.path
        reader = Reader.open(place.path)
        weakref.finalize(reader, reader.source.close)  # what was found reads on in it, also when this is forgotten
        self.cassette = Cassette(reader)
        self._made: dict[Any, Any] = {}

    def once(self, what: Any, make: Callable[[], T]) -> T:
        """What `make` gives, which is asked once."""
        if what not in self._made:
            self._made[what] = make()
        found: T = self._made[what]
        return found

    @property
    def contents(self) -> Contents:
        """All of it, read once."""
        return self.once("contents", lambda: contents.read(self.cassette))

    @property
    def said(self) -> dict[int, Said]:
        """Events that are calls of models -> what came of them."""
        return self.once("said", lambda: {e.id: _said(call) for e, call in readings(self.contents.events) if call})

    def event(self, number: int) -> Event:
        """Raises UsageError: there is none of that number."""
        events = self.contents.events
        if not 0 <= number < len(events):
            last = f"the last is {len(events) - 1}" if events else "it has none"
            raise UsageError(f"no event {number} in {self.name}; {last}")
        return events[number]


def _said(call: LLMCall) -> Said:
    tokens = (call.usage.input, call.usage.output)
    return Said(call.request_model, call.text, call.reasoning, tuple(call.tool_calls), tokens)


class Library:
    """What a door shows. May be asked by several threads; one at a time is answered.

    Args:
        roots: directories, cassettes, URLs of cassettes.
        may_run: whether clients may have a recording executed again.
        trust, owners: as `--policy` and `--owners` say.
    """

    def __init__(
        self,
        roots: Sequence[str | os.PathLike[str]],
        *,
        may_run: bool = False,
        trust: Trust | None = None,
        owners: Sequence[Rule] = (),
    ) -> None:
        self.roots = [os.fspath(root) for root in roots]
        for root in self.roots:
            if not os.path.exists(root) and url_of(root) is None:
                raise CassetteMissing(f"no such file or directory: {root}", hint="name a directory of cassettes")
        self.may_run = may_run
        self.trust = trust or Trust()
        self.owners = owners
        self.lock = threading.RLock()
        self._opened: Recent[Any, Opened] = Recent(_OPEN)
        self._rows: Recent[Any, dict[str, Any]] = Recent(10_000)

    def places(self) -> list[Place]:
        """All cassettes, oldest first; those of child processes are among them (`parent.d/1.cassette`)."""
        found: dict[str, Place] = {}
        taken: set[str] = set()
        for root in self.roots:
            for name, path in sorted(_below(root), key=_age):
                name = name if len(self.roots) == 1 or not os.path.isdir(root) else f"{Path(root).name}/{name}"
                if path not in found:
                    found[path] = Place(name if name not in taken else path, path)
                    taken.add(name)
        return list(found.values())

    def place(self, name: str) -> Place:
        """The cassette that is meant: its name as `list` has it, with or without `.cassette`; the path it lies at; the
        beginning of its id; the name it was given, the newest of those; `latest`.

        Raises:
            CassetteMissing: there is none. UsageError: more than one fits.
        """
        known = self.places()
        if not known:
            raise CassetteMissing(f"there is no cassette in {', '.join(self.roots)}", hint="`replay record` makes them")
        if name == "latest":
            return known[-1]
        exact = [each for each in known if name in (each.name, each.name.removesuffix(SUFFIX), each.path)]
        exact = exact or [each for each in known if name in (Path(each.name).name, Path(each.name).stem)]
        if exact:
            return exact[0] if len(exact) == 1 else self._several(name, exact)
        headers = [(each, header_at(each.path) or {}) for each in known]
        named = [each for each, header in headers if name and header.get("name") == name]
        fits = [each for each, header in headers if name and str(header.get("id", "")).upper().startswith(name.upper())]
        if named or len(fits) == 1:
            return (named or fits)[-1]
        if fits:
            self._several(name, fits)
        near = difflib.get_close_matches(name, [each.name for each in known], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`list` says what there is"
        raise CassetteMissing(f"no such cassette here: {name[:200]}", hint=hint)

    def _several(self, name: str, found: Sequence[Place]) -> Place:
        names = ", ".join(each.name for each in found[:5])
        raise UsageError(f"{name[:200]!r} fits {len(found)} cassettes: {names}", hint="give more of the name")

    def open(self, name: str) -> Opened:
        """That cassette. What was found in it is kept as long as the file stays as it is. Raises as `place`, `load`."""
        return self.at(self.place(name))

    def at(self, place: Place) -> Opened:
        """The cassette there."""
        key = _key(place.path)
        opened = self._opened.get(key)
        if opened is None:
            opened = Opened(place)
            self._opened.put(key, opened)
        return opened

    def row(self, place: Place, make: Callable[[Opened], dict[str, Any]]) -> dict[str, Any]:
        """A few words about it, kept longer than the cassette is."""
        key = _key(place.path)
        known = self._rows.get(key)
        if known is None:
            known = make(Opened(place) if self._opened.get(key) is None else self.at(place))
            self._rows.put(key, known)
        return known


def _below(root: str) -> Iterator[tuple[str, str]]:
    """(name, path) of the cassettes of a root."""
    if not os.path.isdir(root):
        yield (Path(root).name, os.path.realpath(root)) if os.path.exists(root) else (root, root)
        return
    top = os.path.realpath(root)
    for folder, _, files in os.walk(top):
        for file in files:
            path = os.path.realpath(os.path.join(folder, file))
            if file.endswith(SUFFIX) and path.startswith(os.path.join(top, "")) and os.path.isfile(path):
                yield os.path.relpath(os.path.join(folder, file), top), path


def _age(found: tuple[str, str]) -> tuple[int, str]:
    try:
        return os.stat(found[1]).st_mtime_ns, found[0]
    except OSError:  # a URL, or gone since
        return 0, found[0]


def _key(path: str) -> tuple[Any, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return (path,)
    return path, status.st_mtime_ns, status.st_size
