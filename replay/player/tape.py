"""The tape: a cassette's frames as one order of entries plus a queue for each lane. Pure: no I/O, no clock, no globals.

Rules:
- *Gated* entries happen in one total order: beginnings and outcomes of crossings, pieces of streams, schedule steps.
  An entry's turn has come when it is the head of `order`.
- *Draws* only keep their order within a lane; they wait for nobody.
- *Echoes*, what was printed inside crossings, are nobody's turn: when one comes to the head it goes to `echoes`.
- Where the bodies of tools don't run, what lanes inside them did is left out. What they printed is an echo, and a
  handler of a signal, which acted for the lane that had called the tool, is that lane's.
- Every entry is in its lane's queue, in recorded order; what a lane does next must be the head of that queue.
- Frames are read as far as somebody needs: memory follows the distance between lanes, not the length of the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from replay.boundary import interrupts
from replay.boundary.schedule import DRAW, NAMES, SIGNAL
from replay.cassette.stopping import is_stop
from replay.model import inside
from replay.model.event import Site

HEADER, CALL, RETURN, EVENT, CHUNK, TRACK, LANE, SITE = range(1, 9)


Frame = tuple[int, int, Any]
"""(type, event id, decoded payload) as `docs/format.md` has them."""


class Entry:
    """One thing that happened.

    Attributes:
        op: call, return, chunk, draw, echo, or one of the schedule's words (`replay.boundary.schedule`).
        lane: path of the lane.
        event: the event id, -1 where there is none.
        detail: by op: call (kind, name, effect, site number, request, body, meta) / return and chunk (status, value) /
            draw (source name, value) / echo (stream, text) / of the schedule: the number.
        suspended: return and chunk: the lane went back to its loop meanwhile.
        at: microseconds since the recording began, where the frame says so.
        place: how many gated entries came before it.
    """

    __slots__ = ("at", "detail", "event", "lane", "op", "place", "suspended")

    def __init__(self, op: str, lane: str, event: int, detail: Any, at: int = 0, suspended: bool = False) -> None:
        self.op = op
        self.lane = lane
        self.event = event
        self.detail = detail
        self.at = at
        self.suspended = suspended
        self.place = 0

    def __repr__(self) -> str:
        return f"<{self.op} {self.lane} event={self.event} {self.detail!r}>"


class Tape:
    """Entries of a recording, read on demand.

    Args:
        frames: decoded frames in file order.
        sources: names of draw sources by position (`replay.boundary.sources`).
        bodies: the bodies of tools run.

    Attributes:
        order: gated entries that haven't happened yet. echoes: what is to be printed now.
        inside: runs of events inside of tools that were left out: [first, behind the last]. tools: those tools.
        stopped: why the recording stopped before the program did, as far as it has been read.

    Example:
        >>> tape = Tape(iter([(7, -1, [0, "m"]), (6, -1, [0, 0, 0])]), ())
        >>> tape.head().op, tape.next_of("m").op
        ('step', 'step')
    """

    def __init__(self, frames: Iterator[Frame], sources: tuple[str, ...], *, bodies: bool = False) -> None:
        self._frames = frames
        self._sources = sources
        self._bodies = bodies
        self._left_out: dict[int, str] = {}
        self._tool_of: dict[str, int] = {}
        self._gated = 0
        self.inside: list[list[int]] = []
        self.tools: set[int] = set()
        self._lanes: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._sites: dict[int, Site] = {}
        self._lane_of: dict[int, str | None] = {}
        self._queues: dict[str, deque[Entry]] = {}
        self._outcomes: dict[int, Entry] = {}
        self._pieces: dict[int, deque[Entry]] = {}
        self.order: deque[Entry] = deque()
        self.echoes: list[Entry] = []
        self.exhausted = False
        self.stopped: str | None = None

    def head(self) -> Entry | None:
        """The gated entry whose turn it is; None at the end of the recording."""
        order = self.order
        while True:
            if order and order[0].op != "echo":
                return order[0]
            if order:
                self.echoes.append(order.popleft())
            elif not self._read():
                return None

    def next_of(self, lane: str) -> Entry | None:
        """What that lane does next; None where the recording has nothing more of it."""
        queue = self._queues.get(lane)
        while not queue:
            if not self._read():
                return None
            queue = self._queues.get(lane)
        return queue[0]

    def left_of(self, lane: str, until: Entry | None) -> Entry | None:
        """What that lane does next, if it is before `until`, which has been read."""
        queue = self._queues.get(lane)
        if not queue or until is None:
            return None
        # A draw has the place of the gated entry that comes next.
        return queue[0] if queue[0].place <= until.place else None

    def outcome(self, event: int) -> Entry | None:
        """The `return` entry of a call; None where the recording ended or the call was abandoned before it."""
        while event not in self._outcomes:
            if not self._read():
                return None
        return self._outcomes.pop(event)

    def has_outcome(self, event: int) -> bool:
        """Whether the recording has one of that call, which `outcome` hasn't given yet."""
        while event not in self._outcomes:
            if not self._read():
                return False
        return True

    def piece(self, event: int) -> Entry | None:
        """The next `chunk` entry of an event's stream."""
        queue = self._pieces.get(event)
        while not queue:
            if not self._read():
                return None
            queue = self._pieces.get(event)
        return queue.popleft()

    def take(self, entry: Entry) -> bool:
        """Consume an entry whose turn has come. False where its lane should have done something else before."""
        queue = self._queues[entry.lane]
        if queue[0] is not entry:
            return False
        queue.popleft()
        if entry.op != "draw":
            self.order.popleft()
        return True

    def number_of(self, lane: str) -> int | None:
        """The recorded number of a lane; None where that lane was never recorded."""
        while lane not in self._numbers:
            if not self._read():
                return None
        return self._numbers[lane]

    def announced(self, lane: str, *others: str) -> str | None:
        """`lane`, if it is known by now; with others, whichever of all was announced first, reading up to it."""
        while others and not any(path in self._numbers for path in (lane, *others)) and self._read():
            pass
        known = [path for path in (lane, *others) if path in self._numbers]
        return min(known, key=lambda path: self._numbers[path], default=None)

    def site(self, number: int | None) -> Site | None:
        """The call site of that number."""
        return None if number is None else self._sites.get(number)

    def calls_ahead(self, limit: int) -> list[Entry]:
        """Up to `limit` recorded calls that have not happened yet: the candidates for an explanation."""
        while sum(entry.op == "call" for entry in self.order) < limit and self._read():
            pass
        return [entry for entry in self.order if entry.op == "call"][:limit]

    def left(self, resting: frozenset[str] = frozenset()) -> Entry | None:
        """The first call, outcome or piece that never happened; schedule entries and `resting` lanes don't count."""
        while self._read():
            pass
        crossings = (entry for entry in self.order if entry.op in ("call", "return", "chunk"))
        return next((entry for entry in crossings if entry.lane not in resting), None)

    # -- reading -----------------------------------------------------------------------------------------------

    def _read(self) -> bool:
        if self.exhausted:
            return False
        for type_, event, payload in self._frames:
            if type_ == CALL:
                if not self._call(event, payload):
                    continue
            elif type_ == RETURN:
                at, status, value, suspended = payload
                path = self._lane_of.pop(event)
                if path is None:
                    continue
                entry = Entry("return", path, event, (status, value), at, suspended)
                self._outcomes[event] = entry
                self._gate(entry)
            elif type_ == CHUNK:
                lane, at, status, value, suspended = payload
                if lane in self._left_out:
                    continue
                entry = Entry("chunk", self._lanes[lane], event, (status, value), at, suspended)
                self._pieces.setdefault(event, deque()).append(entry)
                self._gate(entry)
            elif type_ == EVENT:
                self._event(event, payload)
            elif type_ == TRACK:
                self._track(payload)
            elif type_ == LANE:
                number, path = payload
                self._lanes[number] = path
                self._numbers[path] = number
                caller = None if self._bodies else inside.outer(path)
                if caller is not None:
                    self._left_out[number] = caller
                self._queues.setdefault(path, deque())
            elif type_ == SITE:
                number, file, line, function = payload
                self._sites[number] = Site(file, line, function)
                continue
            else:
                continue
            return True
        self.exhausted = True
        return False

    def _call(self, event: int, payload: Any) -> bool:
        lane, kind, name, effect, at, site, request, body, meta = payload
        self._lane_of[event] = path = None if lane in self._left_out else self._lanes[lane]
        if path is None:
            self._leave_out(event, lane)
            return False
        if kind == "tool":
            self._tool_of[path] = event
        self._gate(Entry("call", path, event, (kind, name, effect, site, request, body, meta), at))
        return True

    def _gate(self, entry: Entry) -> None:
        entry.place = self._gated
        self._gated += 1
        self.order.append(entry)
        self._queues[entry.lane].append(entry)

    def _event(self, event: int, payload: Any) -> None:
        lane, kind, name, effect, at, site, request, body, meta, took, status, value = payload
        path = self._lanes[lane]
        if kind == "env":
            return  # an input of the whole process, in place before it started
        if is_stop(kind, request):
            self.stopped = request["reason"]
            return
        if meta is not None and meta.get("inside"):
            self.order.append(Entry("echo", path, event, (name, request), at))
            return
        if lane in self._left_out:
            if kind == "output":
                self.order.append(Entry("echo", path, event, (name, request), at))
            self._leave_out(event, lane)
            return
        if effect == "draw":
            queue = self._queues[path]
            for source, drawn in zip(request, value, strict=True):
                self._free(queue, Entry("draw", path, event, (source, drawn, site), at))
            return
        self._gate(Entry("call", path, event, (kind, name, effect, site, request, body, meta), at))
        outcome = Entry("return", path, event, (status, value), at + took)
        self._outcomes[event] = outcome
        self._gate(outcome)

    def _free(self, queue: deque[Entry], entry: Entry) -> None:
        entry.place = self._gated
        queue.append(entry)

    def _leave_out(self, event: int, lane: int) -> None:
        if self.inside and self.inside[-1][1] == event:
            self.inside[-1][1] += 1
        else:
            self.inside.append([event, event + 1])
        tool = self._tool_of.get(self._left_out[lane])
        if tool is not None:
            self.tools.add(tool)

    def _track(self, flat: list[Any]) -> None:
        position = 0
        while position < len(flat):
            mark: int = flat[position]
            lane, argument = flat[position + 1], flat[position + 2]
            path = self._lanes[lane]
            if mark == DRAW:
                value = flat[position + 3]
                if lane not in self._left_out:
                    self._free(self._queues[path], Entry("draw", path, -1, (self._sources[argument], value, None)))
                position += 4
                continue
            caller = self._left_out.get(lane)
            if caller is not None:
                if mark == SIGNAL:
                    self._gate(Entry("signal", caller, -1, interrupts.moved_inside(argument)))
                position += 3
                continue
            self._gate(Entry(NAMES[mark], path, -1, argument))
            position += 3
