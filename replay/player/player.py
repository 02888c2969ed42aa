"""The Player: answers every crossing with its recorded outcome, in the recorded order.

Rules:
- A crossing is compared with what its lane did next in the recording: kind, name, request, body. The first difference
  ends the replay; else it waits until its turn has come (`turns`).
- A crossing that had suspended its task is answered by the event loop, when the loop reaches that entry
  (`runtime.replay_loop`).
- Handlers of signals run where the tape has their mark (`boundary.interrupts`), outside of the mutex.
- Nothing is performed, ever: except the bodies of tools, where that is wanted (`bodies`), inside of which everything is
  answered in turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from types import FrameType
from typing import Any, NoReturn, TypeVar

from replay.boundary import interrupts, originals
from replay.boundary.door import Call
from replay.boundary.lanes import TOOL, Lane, become, nobody, running, step_inside
from replay.boundary.sources import FIXED
from replay.cassette.named import Named
from replay.matching.compare import Request, same
from replay.model import inside
from replay.model.verdict import Verdict
from replay.player import bodies
from replay.player import divergence as explain
from replay.player.answers import END, ERROR, STREAM, as_stored, fail, is_close, plainly_same, revived
from replay.player.drift import Drifts
from replay.player.handlers import Handlers
from replay.player.stopped import at_exit
from replay.player.tape import Entry, Frame
from replay.player.turns import Turns

R = TypeVar("R")
Branch = tuple[int, Callable[[Call[Any], Callable[[], Any]], Any]]


def _no_content(_: int) -> None:
    """A cassette without contents."""


class Player(Turns):
    """A Door over the frames of a cassette.

    Attributes:
        drifts: what of drift was found so far. handlers: of signals.
        pending: crossings that have suspended their task: entry of the outcome → the future that the task awaits.
        new_future: makes those futures; set when asyncio is imported.
        active: the recorded part is running.
        replaced: tools whose recorded outcome isn't their body's: a fork put it there.

    Args:
        frames: iterator of decoded frames, in file order.
        seed: of the session's random stream, from the header.
        complete: the recording reached its end (it was not killed or torn).
        lenient: answer a differing request of the same call at the same place, and count it as drift.
        on_stop: called once with the verdict when the replay ends early; a process of its own ends there.
        until: stop before the event of that id.
        daemons: lanes whose thread was alive when the recording ended; they stop where it did.
        contents: the content of an event's outcome (`Reader.content`).
        facts: what is known about code and environment now and then, for the likely cause.
        bodies: run the bodies of tools, too (`player.bodies`); otherwise their recorded answers do.
        branch: (event, take): this is only the way to a child that began at `event`. Nothing is printed on it, and
            there `take(call, perform)` decides what happens instead of an answer.
        late: handlers ran where no operation was near; they are looked for behind each.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        *,
        seed: bytes,
        complete: bool,
        lenient: bool = False,
        on_stop: Callable[[Verdict], None],
        facts: explain.Facts,
        until: int | None = None,
        daemons: frozenset[str] = frozenset(),
        branch: Branch | None = None,
        contents: Callable[[int], bytes | None] = _no_content,
        late: bool = False,
        bodies: bool = False,
    ) -> None:
        super().__init__(
            frames,
            seed=seed,
            complete=complete,
            facts=facts,
            until=until,
            daemons=daemons,
            bodies=bodies,
            prints=branch is None,
            on_stop=on_stop,
        )
        self.drifts = Drifts(self.verdict)
        self.pending: dict[Entry, Any] = {}
        self._inboxes: dict[int, tuple[Any, Callable[[Any], Any]]] = {}
        self.new_future: Callable[[], Any] = _no_loop
        self._lenient = lenient
        self._until = until
        self._branch = branch
        self._contents = contents
        self._bodies = bodies
        self._extra_lanes = 1_000_000
        self.active = True
        self.replaced: frozenset[int] = frozenset()
        self.handlers = Handlers(self)
        for name in ("draw", "cross", "pull", "emit", "acquire", "pause", "step") if late else ():
            setattr(self, name, self.handlers.then_late(getattr(self, name)))

    # -- Door --------------------------------------------------------------------------------------------------

    def new_lane(self, path: str) -> Lane:
        with self.mutex:
            number = self.tape.number_of(path)
            if number is None:
                self._extra_lanes += 1
                number = self._extra_lanes
        return Lane(path, number, self)

    def importer(self, lane: Lane, module: str) -> Lane | None:
        """Whoever it was in the recording. What a body had imported then is nobody's where bodies don't run."""
        own, inner = f"m/i:{module}", f"m/{inside.INNER}/i:{module}"
        if lane.outer is None or self.threaded:
            with self.mutex:
                inside_first = self.tape.announced(*((inner, own) if self.threaded else (inner,))) == inner
            if inside_first:
                return self.import_lane(inner, lane) if self._bodies else None
            if self.threaded:
                return self.import_lane(own, lane)
        return super().importer(lane, module)

    def content(self, call: Call[Any]) -> bytes | None:
        if call.event is None:
            return None
        with nobody():
            return self._contents(call.event)

    def echo(self, lane: Lane, label: str, text: str) -> None:
        """Nothing is performed, so nothing prints."""

    def step(self, lane: Lane, mark: int, number: int) -> None:
        """Nothing to do: the replay loop ran this because the tape said so."""

    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        lane.waits += 1
        if interrupts.on_main_thread():
            with self.mutex:
                self.handlers.interrupt(lane, lane.waits)
        if again:
            real()

    def draw(self, lane: Lane, source: str, real: Callable[[], Any]) -> Any:
        with self.mutex:
            self.check()
            entry = self.tape.next_of(lane.path)
            if entry is None or entry.op != "draw" or entry.detail[0] != source:
                entry = self._next(lane)
                if entry is None or entry.op != "draw" or entry.detail[0] != source:
                    if source in FIXED and self.offspring is not None:  # the process knew it from before this part
                        with nobody():
                            return real()
                    self._diverge(lane, entry, f"reads {source}", None, originals.frame(1).f_back)
            self.tape.take(entry)
            return entry.detail[1]

    def cross(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        if self._bodies and call.kind == TOOL:
            return bodies.cross(self, lane, call, perform)
        with self.mutex:
            self.begin(lane, call, originals.frame(1))
            assert call.event is not None
            outcome = self.tape.outcome(call.event)
            branch = self._branch
            raised: BaseException | None = None
            if branch is None or branch[0] != call.event:
                if self.tape.next_of(lane.path) is not outcome:
                    raised = self.handlers.inside(lane)
                if outcome is None:
                    self.never_returned(lane, call)
                self.turn(outcome)
                if call.kind == "file":
                    return self.answer(call, outcome)  # what it does to the overlay, it does in its turn
        if branch is not None and branch[0] == call.event:
            if call.kind == TOOL:
                become(None)  # the recording knows nothing of its inside
            else:
                step_inside(lane, call)
            return branch[1](call, perform)  # type: ignore[no-any-return]
        assert outcome is not None
        return self.answer(call, outcome, raised)

    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        if self._bodies and call.kind == TOOL:
            return await bodies.across(self, lane, call, perform)
        raised: BaseException | None = None
        with self.mutex:
            self.begin(lane, call, originals.frame(1))
            assert call.event is not None
            outcome = self.tape.outcome(call.event)
            if outcome is not None and not outcome.suspended:
                if self.tape.next_of(lane.path) is not outcome:
                    raised = self.handlers.inside(lane)
                self.turn(outcome)
        if outcome is None or outcome.suspended:
            await self._until_turn(outcome)
        assert outcome is not None
        return self.answer(call, outcome, raised)

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        if self._bodies and call.kind == TOOL:
            return bodies.pull(self, lane, call, step, closes)
        with self.mutex:
            entry = self.piece(lane, call, originals.frame(1), closes)
            if entry is None and closes and self.complete:
                return None  # the garbage collector closed it then, or the recording is older than this note
            raised = None if self.tape.next_of(lane.path) is entry else self.handlers.inside(lane)
            if entry is None:
                self.never_returned(lane, call)
            self.turn(entry)
        return self._given(call, entry, StopIteration, raised)

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        if self._bodies and call.kind == TOOL:
            return await bodies.apull(self, lane, call, step, closes)
        with self.mutex:
            entry = self.piece(lane, call, originals.frame(1), closes)
            if entry is None and closes and self.complete:
                return None
            if entry is not None and not entry.suspended:
                self.turn(entry)
        if entry is None or entry.suspended:
            await self._until_turn(entry)
        assert entry is not None
        return self._given(call, entry, StopAsyncIteration)

    def inbox(self, call: Call[Any], loop: Any, deliver: Callable[[Any], Any]) -> Callable[[Lane, Any], None]:
        assert call.event is not None
        with self.mutex:
            self._inboxes[call.event] = (loop, deliver)
        return lambda lane, push: None  # nothing comes by itself

    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        with self.mutex:
            self.begin(lane, call, originals.frame(1))
            assert call.event is not None
            outcome = self.tape.outcome(call.event)
            if outcome is None:
                self.never_returned(lane, call)
            lane_now, running.lane = running.lane, None
            try:
                if self._branch is None:
                    write()  # before the outcome's turn: what comes right behind it may be an echo
            finally:
                running.lane = lane_now
            self.turn(outcome)

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        with self.mutex:
            self.check()
            entry = self._next(lane)
            early = entry is not None and entry.op != "acquire" and originals.other_threads() == 0
            if early and at_exit(originals.frame(1)):
                return real(blocking, timeout)  # the interpreter's own: that the program ended early, `finish` says
            if entry is None or entry.op != "acquire":
                self._diverge(lane, entry, "takes a lock", None, originals.frame(1))
            if self.tape.head() is not entry:
                self._await_turn(entry)
        got = bool(entry.detail)
        if got:
            real(True, -1)  # only this lane can take the entry, so nobody overtakes it here
        with self.mutex:
            self.turn(entry)
        return got

    def environ(self, lane: Lane, key: str, value: str | None, *, own: bool = False) -> None:
        """The process was started with the recorded values."""

    def blind(self, what: str, detail: str) -> None:
        """Blind spots are a matter of the recording; what gets out at replay is an escape."""

    # -- for the runtime ---------------------------------------------------------------------------------------

    def consume(self, entry: Entry) -> None:
        """Take an entry whose turn has come, for the loop. Called with `changed` held."""
        if not self.tape.take(entry):
            self.stop_for(entry, f"lane {entry.lane} has not done what it did before this", None)
        self._print_echoes()
        self.now = max(self.now, entry.at)
        self.changed.notify_all()

    def push(self, entry: Entry, loop: Any) -> Callable[[], Any] | None:
        """What delivers that entry, if it is a push for that loop."""
        if entry.op != "chunk" or entry.event not in self._inboxes:
            return None
        its_loop, deliver = self._inboxes[entry.event]
        return (lambda: deliver(revived(entry.detail[1]))) if its_loop is loop else None

    # -- for `bodies`, with `mutex` held -----------------------------------------------------------------------

    def begin(self, lane: Lane, call: Call[Any], frame: FrameType) -> Entry:
        """The call is what its lane did next, and its turn has come; or the replay ends."""
        self.check()
        entry = self._next(lane)
        if lane.unfinished is not None and call.kind != "output":
            lane.unfinished()
            entry = self._next(lane)
        if entry is None or entry.op != "call":
            self._diverge(lane, entry, f"{call.kind} {call.name}", call, frame)
        kind, name, _effect, _site, request, body, _meta = entry.detail
        if kind == "gap" and name == call.name:
            self._gap(f"event {entry.event} was not stored: {request['reason']}")
        if self._until is not None and entry.event >= self._until:
            self._cut(asked=True)
        self.drifts.begins(entry.event)
        likely = kind == call.kind and name == call.name
        if not (likely and body is call.body is None and plainly_same(request, call.request)):
            expected, got = Request(kind, name, request, body), Request(call.kind, call.name, call.request, call.body)
            if not same(expected, got) and not same(expected, as_stored(got)):
                if not (self._lenient and likely):
                    self._diverge(lane, entry, f"{call.kind} {call.name}", call, frame)
                self.drifts.asked(entry, got, frame)
        if self.debugger is not None and self.debugger.wants(entry.event):
            self._debug(frame, f"event {entry.event}: {call.kind} {call.name}", entry)
        call.event = entry.event
        self.call_count += 1
        if kind == TOOL:
            self.verdict.tools += 1
            self._tools[lane.path] = call.name
        self.verdict.reached = max(self.verdict.reached, entry.event)
        self.turn(entry)
        return entry

    def piece(self, lane: Lane, call: Call[Any], frame: FrameType, closes: bool) -> Entry | None:
        """The next piece of that stream, whose turn hasn't come yet; None where the recording has none."""
        self.check()
        assert call.event is not None
        self._next(lane)
        entry = self.tape.piece(call.event)
        if entry is None:
            return None
        status, value = entry.detail
        other = closes != is_close(status, value, call.kind) and not (closes and status == ERROR)
        if other or entry.lane != lane.path:
            self._diverge(lane, entry, f"{'closes' if closes else 'reads'} the stream of {call.name}", None, frame)
        return entry

    def _next(self, lane: Lane) -> Entry | None:
        """What `lane` does next, after the handlers of signals that come before that."""
        self.handlers.interrupt(lane, None)
        return self.tape.next_of(lane.path)

    # -- inside ------------------------------------------------------------------------------------------------

    async def _until_turn(self, entry: Entry | None) -> None:
        """Wait for the loop to reach `entry`; an outcome that was never recorded never comes."""
        future = self.new_future()
        if entry is not None:
            self.pending[entry] = future
        await future

    def never_returned(self, lane: Lane, call: Call[Any]) -> NoReturn:
        if not self.complete or lane.path in self._daemons:
            self._rest()
        self.stop_for(None, f"{call.name} never returned in the recording (lane {lane.path})", None)

    def answer(self, call: Call[R], outcome: Entry, raised: BaseException | None = None) -> R:
        status, value = outcome.detail
        self.drifts.came(outcome.event, status, value)
        if status == ERROR:
            if isinstance(value, dict) and "gap" in value:
                self._gap(f"the outcome of event {outcome.event} was not stored: {value['gap']}")
            fail(self._revived(call, outcome, value), raised)
        if status == STREAM:
            call.streams = True
        if call.kind != "http":  # a head is plain: `seams._http`
            value = self._revived(call, outcome, value)
        return value if call.load is None else call.load(value)

    def _given(
        self, call: Call[Any], entry: Entry, end: type[BaseException], raised: BaseException | None = None
    ) -> Any:
        status, value = entry.detail
        if status == END:
            raise end
        if status == ERROR:
            fail(self._revived(call, entry, value), raised)
        return self._revived(call, entry, value)

    def _revived(self, call: Call[Any], entry: Entry, value: Any) -> Any:
        """What was recorded, made objects again. Of a class that only the tool's body imports nobody can make one."""
        if call.kind != TOOL:
            return revived(value)
        stand_ins: list[Named] = []
        made = revived(value, stand_ins)
        if stand_ins:
            if not self._lenient:
                self._gap(explain.of_stand_in(call.name, entry.event, stand_ins[0]))
            self.drifts.stands_in(entry, call.name, stand_ins[0].type_name)
        return made


def _no_loop() -> NoReturn:
    raise RuntimeError("an asynchronous crossing needs a replay loop, which comes with asyncio")
