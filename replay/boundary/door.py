"""The one door: a seam asks it and never knows whether it is recorded or replayed.

    call = Call("http", "GET /orders/17", "read", request={...}, body=b"...")
    lane = lanes.current()
    if lane is None: return original(...)
    return lane.door.cross(lane, call, perform, dump, load)

Recorder (`replay.recorder`) and Player (`replay.player`) are the two doors.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import ref

from replay.boundary.lanes import Lane
from replay.model.inside import INNER, outer

if TYPE_CHECKING:
    from replay.boundary.traceparent import Trace
    from replay.model.effect import Effect

R = TypeVar("R")

_thread_goes_on = threading.Thread.is_alive  # bound before lanes watch it


def _goes_on(thing: Any) -> bool:
    return _thread_goes_on(thing) if isinstance(thing, threading.Thread) else not thing.done()


LOG_LIMIT = 4096
"""Entries of a door's log that may wait to be written."""


class Call(Generic[R]):
    """One crossing, as a seam describes it.

    Attributes:
        kind, name, effect: see `replay.model.event.Event`.
        request: what is asked, storable. body: the large part of it, as bytes, stored by prefix chain.
        chain: calls with an equal chain key are likely to share the beginning of their body (an endpoint, say).
        streams: pieces follow the result (`Door.pull`); the seam sets it before or while dumping the result.
        meta: labels: agent, owner, …
        dump, load: result to storable value and back.
        content: the large part of the result, set while performing; stored once per cassette (`Door.content`). A
            number: it is the same as that event's.
        event: the event's id, set by the door; None while nothing records it.
    """

    __slots__ = (
        "body",
        "chain",
        "content",
        "dump",
        "effect",
        "event",
        "kind",
        "load",
        "meta",
        "name",
        "request",
        "streams",
    )

    def __init__(
        self,
        kind: str,
        name: str,
        effect: Effect,
        request: Any = None,
        body: bytes | None = None,
        chain: object = None,
        meta: dict[str, Any] | None = None,
        dump: Callable[[R], Any] | None = None,
        load: Callable[[Any], R] | None = None,
        streams: bool = False,
    ) -> None:
        self.kind = kind
        self.name = name
        self.effect = effect
        self.request = request
        self.body = body
        self.chain = chain
        self.meta = meta
        self.dump = dump
        self.load = load
        self.streams = streams
        self.content: bytes | int | None = None
        self.event: int | None = None


class Door(ABC):
    """What every seam may ask. All methods are called with the current lane (`lanes.current()`), from any thread.

    Attributes:
        seed: of the session's random streams, recorded in the header.
        threaded: threads have begun, so imports have lanes (`runtime.import_lanes`).
        log: where a reader of clock or chance may leave what it has read, instead of asking `draw`: tuples (DRAW, lane,
            source, value, code, instruction), with the numbers of lane and source. None: it has to ask.
        trace: its place in a trace of several processes (`boundary.traceparent`).
        offspring: of a part of a program: the tasks, threads and jobs that it began, as far as they are still there.
            None: nobody asks.
    """

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.log: list[tuple[Any, ...]] | None = None
        self.threaded = False
        self._imports: dict[str, Lane] = {}
        self.trace: Trace | None = None
        self.offspring: list[ref[Any]] | None = None

    def begot(self, thing: Any) -> None:
        """A task, thread or future that goes on by itself."""
        found = self.offspring
        if found is not None:
            found.append(ref(thing))
            if len(found) % 256 == 0:
                self.offspring = [each for each in found if each() is not None]

    def alive(self) -> list[Any]:
        """Those of its offspring that haven't ended."""
        found = [each() for each in self.offspring or ()]
        return [thing for thing in found if thing is not None and _goes_on(thing)]

    @abstractmethod
    def new_lane(self, path: str) -> Lane:
        """Make the lane of that path; called by `Lane.spawn`."""

    def importer(self, lane: Lane, module: str) -> Lane | None:
        """Who acts while `lane` imports that module: itself, the module's own lane, or nobody."""
        if lane.outer is not None:
            return self.import_lane(f"m/{INNER}/i:{module}", lane)
        return self.import_lane(f"m/i:{module}", lane) if self.threaded else lane

    def import_lane(self, path: str, importer: Lane) -> Lane:
        """That lane, one for each session; it draws from the random stream of whoever imports."""
        lane = self._imports.get(path) or self._imports.setdefault(path, self.new_lane(path))
        lane.stream = importer.stream
        lane.outer = None if outer(path) is None else importer.outer or importer
        return lane

    @abstractmethod
    def cross(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        """The outcome of `call`: performed and recorded, or the recorded one. Exceptions are outcomes too."""

    @abstractmethod
    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        """`cross` for coroutines; whether it suspended is part of the schedule."""

    @abstractmethod
    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        """The next piece of the stream that `call` opened; `step` gets the real one. StopIteration is its end.

        Args:
            closes: the program leaves the stream before its end, and `step` closes the real one; the result is None.
        """

    @abstractmethod
    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        """`pull` for asynchronous streams; StopAsyncIteration is its end."""

    def content(self, call: Call[Any]) -> bytes | None:
        """The content of that call's outcome, for `load` the recorded one; None where it has none."""
        return call.content if isinstance(call.content, bytes) else None

    @abstractmethod
    def inbox(self, call: Call[Any], loop: Any, deliver: Callable[[Any], Any]) -> Callable[[Lane, Any], None]:
        """What the world pushes into the stream that `call` opened: data of a connection, the end of a process.

        Args:
            loop: the event loop it comes through.
            deliver: hands one push to the program. When recording, whoever gets it calls `note` and then `deliver`; at
                replay the loop calls it, at the recorded place of the order.

        Returns: `note(lane, push)`, which says that a push has come and in whose lane it is handled.
        """

    @abstractmethod
    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        """Output: recorded or compared, and written in either case, in the one order of events."""

    @abstractmethod
    def echo(self, lane: Lane, label: str, text: str) -> None:
        """Something inside a crossing of this lane printed: at replay it is printed again when the crossing returns."""

    @abstractmethod
    def draw(self, lane: Lane, source: str, real: Callable[[], Any]) -> Any:
        """A small read of clock or chance, called by an ambient wrapper: two frames below the reader."""

    def before_read(self, lane: Lane) -> None:  # noqa: B027 - a door without a log has nothing to do
        """Called by a reader that uses `log`, where that has grown beyond LOG_LIMIT or signals are pending."""

    @abstractmethod
    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        """The lane waits for something that isn't a crossing; handlers of signals may run meanwhile.

        At replay no time passes: `real` is called only where it waits for what happens `again`, such as a thread's end.
        """

    @abstractmethod
    def step(self, lane: Lane, mark: int, number: int) -> None:
        """A schedule entry: something of this lane is about to run (see `replay.boundary.schedule`)."""

    def enter(self, lane: Lane) -> bool:
        """Strict threads (`replay.boundary.turns`): this thread is about to act in that lane, so wait for its turn.

        Returns: whether it hadn't it already, and so has to `leave`.
        """
        return False

    def leave(self, lane: Lane) -> None:  # noqa: B027
        """Strict threads: it is done, or waits for others, whose turn it is until it enters again."""

    @abstractmethod
    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        """The lane takes a lock; `real` does it. Whether it got it, in the recorded order."""

    @abstractmethod
    def environ(self, lane: Lane, key: str, value: str | None, *, own: bool = False) -> None:
        """The program read (or, `own`, set) an environment variable; None where it isn't there."""

    @abstractmethod
    def blind(self, what: str, detail: str) -> None:
        """Something crossed that no seam saw."""
