"""A process that is a fork: replayed up to the fork point, recorded from its beginning to its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NoReturn

from replay.boundary import interrupts, originals, sites
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, become, nobody, running
from replay.boundary.sources import SOURCES
from replay.cassette import frame as f
from replay.cassette.reader import Reader
from replay.fork.answers import Answers, Script, reorder
from replay.fork.clocks import Clocks
from replay.fork.continuation import Continuation
from replay.fork.door import ForkDoor
from replay.fork.history import history
from replay.fork.launcher import Line
from replay.fork.plan import LIVE, Plan
from replay.fork.source import Source
from replay.model.event import Event
from replay.model.inside import INSIDE
from replay.model.verdict import Verdict
from replay.player.frames import decoded
from replay.player.player import Player
from replay.player.stopped import STOPPED
from replay.player.tape import Frame
from replay.replayed import ReplayedProcess, replaced_in
from replay.runtime import blindspots, facts, files, outputs, threads
from replay.runtime.files import world
from replay.runtime.files.view import View
from replay.runtime.holes import Hole, Holes, addresses
from replay.runtime.sandbox import Sandbox
from replay.runtime.walls.build import build

_BEGINNINGS, _OUTCOMES = (f.CALL, f.EVENT), (f.RETURN, f.EVENT)
_NAMES = tuple(name for name, _ in SOURCES)


class ForkedProcess(ReplayedProcess):
    """This process.

    Args:
        spec: as of a replay. `fork`: `plan`, where it lies; `cassette`, where the new one is to be; `line`, descriptor
            of the socket to the launcher; `models`, names of calls that ask a model; `holes`, in the kernel's walls.
    """

    player: ForkDoor

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._wanted = dict(spec["fork"])
        with open(self._wanted["plan"], "rb") as file:
            self._plan = Plan.from_bytes(file.read())
        self._line = Line(self._wanted["line"])
        self._outcome: dict[str, Any] = {"exception": None}
        self._told = False
        self._ending = originals.allocate_lock()
        super().__init__(spec)
        _watch_exception(self._outcome)

    # -- as of a replay --------------------------------------------------------------------------------------------

    def _door(self, reader: Reader) -> tuple[Callable[..., Player], Iterator[Frame], bool]:
        until, at = cut_of(reader, self._plan.changes)
        wanted = None if at is None else self._plan.substitutes.get(at)
        dropped = wanted is not None and wanted.how == "drop"
        moved = first_moved(reader, self._plan.order or ())
        if moved is not None and (until is None or moved[1] < until):
            (at, until), wanted = moved, None
        behind = sum(1 for _ in decoded(reader, until))
        bodies = INSIDE in reader.header.get("flags", ())
        scripts = [Script(decoded(reader), 0, behind, _NAMES)]
        ordered = reorder(scripts[0], self._plan.order or ())
        readers = [reader]
        for number, path in enumerate(self._plan.further, start=1):
            readers.append(Reader.open(path))
            scripts.append(Script(decoded(readers[-1]), number, 0, _NAMES))
        self._base = reader
        self._history = history(file_events(reader, until), reader.header.get("cwd") or "/")
        link: dict[str, Any] = {
            "parent": reader.header["id"],
            "at": at,
            "edits": list(self._plan.edits),
            "then": self._plan.then,
        }
        own = () if wanted is None or dropped or at is None else (at,)
        replaced = sorted(event for event in {*replaced_in(reader.header), *own} if at is None or event <= at)
        link |= {"replaced": replaced} if replaced else {}
        recorder = Continuation.begin(
            self._wanted["cassette"], reader.header, {"fork": link}, islice(reader.frames(), until)
        )
        self._sandbox = self._live_sandbox = LiveSandbox(
            self._spec["scratch"], self._escape, Holes((), addresses), self._through
        )
        source = Source(
            self._plan,
            scripts[0],
            Answers(scripts),
            bodies=bodies,
            models=frozenset(self._wanted["models"]),
            line=self._line,
            stop=self._give_up,
            permit=self._live_sandbox.permit,
            content=lambda number, event: readers[number].content(event),
        )
        clocks = Clocks(reader.header["created"], live=self._plan.then == LIVE)
        make = partial(
            ForkDoor, recorder=recorder, source=source, clocks=clocks, ordered=ordered, on_departure=self._depart
        )
        return make, decoded(reader, until), False

    def _depart(self) -> None:
        interrupts.replaying = False
        with nobody():
            known = self._history
            there = known.there | {path: content is not None for path, content in self._plan.files.items()}
            world.view = View(there, known.listed, self._content_of)

    def _content_of(self, path: str) -> bytes | None:
        if path in self._plan.files:
            return self._plan.files[path]
        event = self._history.contents.get(path)
        return None if event is None else self._base.content(event)

    def _build_walls(self) -> None:
        holes = Holes(self._wanted["holes"], addresses)
        for wall in build(self._spec["scratch"], holes, self._spec.get("channel")):
            self._log.add("wall", name=wall)

    def _use_loops(self, _: Any) -> None:
        from replay.fork import loop
        from replay.runtime import loops

        loops.use_replay_loop(self.player, loop.ForkLoop)
        self.player.turn_of = loop.turn_of

    def _finish(self) -> None:
        if self._told:
            return
        files.finish(running.lane)
        outputs.finish()
        become(None)
        if not self.player.depart_at_end():
            self._diverged(self.player.finish())
            return
        recorder = self.player.recorder
        blindspots.note_clocks(recorder)
        self._outcome["alive"] = threads.alive()
        self._outcome["sources"] = facts.program_sources(sys.orig_argv)
        recorder.finish(self._outcome, seal=False)
        self._tell("ended", "", None)

    def _stop(self, verdict: Verdict) -> None:
        with nobody():
            self._ending.acquire()
            self._diverged(verdict)
            self._leave()

    # -- how it ends -----------------------------------------------------------------------------------------------

    def _diverged(self, verdict: Verdict) -> None:
        self.player.recorder.stop()
        found = verdict.divergence
        if found is not None:
            where = "" if found.event is None else f" at event {found.event}"
            self._tell("diverged", f"the execution differs before the fork point{where}: {found.reason}", found.event)
        else:
            self._tell("diverged", verdict.gap or "the fork point wasn't reached", None)

    def _give_up(self, status: str, reason: str, call: Call[Any], lane: Lane | None) -> NoReturn:
        """The execution can't go on; what there is stays, and what was asked last."""
        with nobody():
            self._ending.acquire()  # for good: another thread may be about to end it as well
            site = sites.caller_site()
            recorder = self.player.recorder
            if lane is not None and call.event is None:
                recorder.asked(lane, call, originals.frame(1))
            recorder.stop()
            self._tell(status, reason if site is None else f"{reason} ({site})", call.event)
            self._leave()

    def _leave(self) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        originals.os_exit(STOPPED)
        raise SystemExit(STOPPED)

    def _tell(self, status: str, reason: str, event: int | None) -> None:
        if self._told:
            return
        self._told = True
        with nobody(), open(self._spec["verdict"], "w", encoding="utf-8") as file:
            json.dump({"status": status, "reason": reason, "event": event}, file)


class LiveSandbox(Sandbox):
    """A Sandbox that lets out what belongs to a call that may be performed."""

    _out = 0

    def permit(self, begins: bool) -> None:
        """Such a call begins or ends."""
        self._out += 1 if begins else -1

    def _judge(self, what: str, detail: str, hole: Hole | None) -> None:
        if not self._out or what in ("file write", "file change", "database"):
            super()._judge(what, detail, hole)


def cut_of(reader: Reader, changes: Mapping[int, bool]) -> tuple[int | None, int | None]:
    """How many frames come before the first outcome of one of these events, or before the beginning of one for which
    that is said, and which event it is; None: all frames, and no event."""
    for place, (type_, event, _) in enumerate(reader.frames() if changes else ()):
        if event in changes and type_ in (_BEGINNINGS if changes[event] else _OUTCOMES):
            return place, event
    return None, None


def first_moved(reader: Reader, order: Sequence[int]) -> tuple[int, int] | None:
    """The first event whose outcome isn't to come when it came, and how many frames came before that."""
    wanted, known = iter(order), set(order)
    for place, (type_, number, _) in enumerate(reader.frames()):
        if type_ in _OUTCOMES and number in known and next(wanted) != number:
            return number, place
    return None


def file_events(reader: Reader, until: int | None) -> Iterator[tuple[Event, bool]]:
    """What was done with files, in the order of the outcomes, each with whether that came within so many frames."""
    wanted: set[int] = set()
    for place, (type_, number, payload) in enumerate(reader.frames()):
        if type_ in (f.CALL, f.EVENT) and b"\xa4file" in payload:
            wanted.add(number)
        if type_ in (f.RETURN, f.EVENT) and number in wanted:
            yield reader.event(number), until is None or place < until


def _watch_exception(outcome: dict[str, Any]) -> None:
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        outcome["exception"] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        before(kind, error, trace)

    sys.excepthook = hook
