"""Lanes: who is acting. A lane is a path of spawns, never an `id()` or a worker thread's name.

    m          the thread that began the recording
    m/t3       the third task it spawned
    m/t3/e1    the first job that task gave to an executor
    m/T2       the second thread
    m/T2/c1    the first callback that thread handed to a loop of another
    m/t3/x     what happens inside the tools that task calls
    m/i:json   the import of a module, once there are threads; m/x/i:json: by a tool

Rules:
- What runs on this thread now is `running.lane`; seams ask `current()`.
- While a tool is performed its lane's *inner lane* acts (`Lane.enter`): the body is the program's own code. A lane does
  one thing at a time, so it has one inner lane for all the tools it calls. What is spawned inside lives below that.
- While any other crossing is performed there is no lane: what the library does inside is its own business, and what it
  spawns inside has no lane for life. Its context only remembers whose crossing it is (`Inside`), for what it prints.
- Event loop handles carry the lane of their context (`carrier`); running one makes it current (`runtime.loops`).
- Thread lanes belong to the thread: a copied context that runs elsewhere doesn't carry its lane along.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ref
from zlib import crc32

from replay.boundary import originals
from replay.boundary.acting import acting
from replay.model.inside import INNER

if TYPE_CHECKING:
    from replay.boundary.door import Call, Door

SPAWN_MARKS = {"task": "t", "thread": "T", "job": "e", "finaliser": "g", "callback": "c"}
TOOL = "tool"
"""The kind of crossings whose inside is recorded, too."""


class Lane:
    """One path of spawns in one session.

    Attributes:
        path: its name, such as `m/t3/e1`.
        number: small integer that frames use instead of the path.
        door: the session's door. log: the same as its `log`, a step closer.
        timers: how many timers this lane has set (they are named by that number).
        requests: how many requests and processes of this lane were told whose they are (`traceparent`).
        hashed: how many objects this lane was the first to hash (`hash_of`).
        agent: who acts on it where its thread's context doesn't say (`acting`): who did where it was spawned.
        waits: how many waits of it a signal may have interrupted (`Door.pause`), which are named alike.
        stream: the random stream of its thread, from the session's seed: threads draw in no order that anyone knows.
        inside: what contexts carry while a crossing of this lane is performed that isn't a tool.
        inner: what acts while a tool of this lane is performed; None before the first.
        outer: the lane whose tool it is inside of, the outermost one; None where it is in none.
        unfinished: emits what it has begun to print; called before each of its crossings, so that what is printed
            inside comes behind it.
    """

    __slots__ = (
        "__weakref__",
        "_spawned",
        "agent",
        "door",
        "hash",
        "hashed",
        "inner",
        "inside",
        "log",
        "number",
        "outer",
        "path",
        "requests",
        "stream",
        "timers",
        "unfinished",
        "waits",
    )

    def __init__(self, path: str, number: int, door: Door) -> None:
        self.path = path
        self.number = number
        self.door = door
        self.log = door.log
        self.timers = 0
        self.requests = 0
        self.hashed = 0
        self.waits = 0
        self.agent: str | None = None
        self.inside = Inside(self)
        self.inner: Lane | None = None
        self.outer: Lane | None = None
        self.stream = Stream(door.seed + path.encode())
        self.unfinished: Callable[[], None] | None = None
        self.hash = crc32(path.encode())
        self._spawned = dict.fromkeys(SPAWN_MARKS, 0)

    def spawn(self, how: str) -> Lane:
        """The next child lane: `how` is one of SPAWN_MARKS."""
        self._spawned[how] += 1
        child = self.door.new_lane(f"{self.path}/{SPAWN_MARKS[how]}{self._spawned[how]}")
        child.agent = acting.get(self.agent)
        child.outer = self.outer
        if how == "task":
            child.stream = self.stream  # tasks of one thread take turns that the schedule knows
        return child

    def enter(self) -> Lane:
        """Its inner lane, which counts and draws by itself: whether a body runs makes no difference outside of it."""
        inner = self.inner
        if inner is None:
            inner = self.inner = self.door.new_lane(f"{self.path}/{INNER}")
            inner.outer = self.outer or self
            inner.agent = self.agent
        return inner

    @property
    def chance(self) -> originals.Random:
        """The generator of its stream."""
        stream = self.stream
        if stream.made is None:
            stream.made = originals.Random(stream.seed)
        return stream.made

    def next_timer(self) -> int:
        """Number of the timer that this lane sets now, from 1."""
        self.timers += 1
        return self.timers

    def __repr__(self) -> str:
        return f"<lane {self.path}>"


class Stream:
    """A random stream; its generator is made when somebody draws: seeding one costs more than the rest of a lane."""

    __slots__ = ("made", "seed")

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.made: originals.Random | None = None


class Inside:
    """Stands in a context for "inside a crossing of that lane". `depth`: how many of them are going on; `call`: the one
    that began last. `lane`: gives the lane as long as it is there, which it is during a crossing; the lane has this."""

    __slots__ = ("call", "depth", "lane")

    def __init__(self, lane: Lane) -> None:
        self.lane = ref(lane)
        self.depth = 0
        self.call: Call[Any] | None = None


class _Running(threading.local):
    lane: Lane | None = None
    behind: Lane | None = None
    """The lane that acts again when `nobody` or an event loop is over."""


running = _Running()
carrier: ContextVar[Lane | Inside | None] = ContextVar("replay_lane", default=None)


def current() -> Lane | None:
    """The lane that acts on this thread now; None where nothing records or a crossing is being performed."""
    return running.lane


def hash_of(thing: Any, by_address: Callable[[Any], int]) -> int:
    """A hash that is the same in every execution: which lane asked for it first, and how many it had asked for before.

    For classes that are hashed by address otherwise and meet in sets; they take attributes.
    """
    known = getattr(thing, "_replay_hash", None)
    if known is None:
        lane = running.lane
        if lane is None:
            known = by_address(thing)
        else:
            lane.hashed += 1
            known = crc32(b"%d" % lane.hashed, lane.hash)
        thing._replay_hash = known
    return int(known)


def carried(context: Context) -> Lane | None:
    """The lane on whose behalf something with that context runs."""
    lane: Any = context.get(carrier)
    return lane if lane.__class__ is Lane else None


def crossing_of() -> Lane | None:
    """Without a lane: whose crossing is being performed here, if it still is."""
    inside: Any = carrier.get()
    return inside.lane() if inside.__class__ is Inside and inside.depth > 0 else None


def crossing_call() -> Call[Any] | None:
    """Without a lane: the crossing that is being performed here, if it still is."""
    inside: Any = carrier.get()
    return inside.call if inside.__class__ is Inside and inside.depth > 0 else None


def within() -> bool:
    """Whether this is the inside of a crossing, which needn't run at replay."""
    lane = running.lane
    return crossing_of() is not None if lane is None else "/x/" in f"{lane.path}/"


def step_inside(lane: Lane, call: Call[Any]) -> None:
    """A crossing of `lane` begins to be performed."""
    if call.kind == TOOL:
        become(lane.enter())
        return
    running.lane = None
    inside = lane.inside
    inside.depth += 1
    inside.call = call
    carrier.set(inside)


def forget_inside(lane: Lane, call: Call[Any]) -> None:
    """It is over, and no lane acts here."""
    if call.kind != TOOL:
        lane.inside.depth -= 1


def step_out(lane: Lane, call: Call[Any]) -> None:
    """It is over: the lane acts again. What a tool has begun to print comes before its outcome."""
    if call.kind != TOOL:
        lane.inside.depth -= 1
    elif lane.inner is not None and lane.inner.unfinished is not None:
        lane.inner.unfinished()
    running.lane = lane
    carrier.set(lane)


def become(lane: Lane | None) -> None:
    """Make `lane` current on this thread and in this context."""
    running.lane = lane
    carrier.set(lane)


@contextmanager
def nobody() -> Generator[None]:
    """Run a block without a lane: our own work, or what belongs to the interpreter."""
    lane, carried, behind = running.lane, carrier.get(), running.behind
    running.behind = lane or behind
    become(None)
    try:
        yield
    finally:
        running.lane = lane
        carrier.set(carried)
        running.behind = behind


@contextmanager
def everyone(lane: Lane) -> Generator[None]:
    """Run a block in which every thread that has no lane of its own acts in this one, old threads and new ones."""
    kind, before = type(running), running.lane
    kind.lane = running.lane = lane
    try:
        yield
    finally:
        kind.lane = None
        running.lane = before
