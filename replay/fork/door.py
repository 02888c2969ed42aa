"""The door of a fork: a Player up to the fork point, a Recorder behind it (docs/design/fork.md).

Rules:
- The tape ends at the fork point. A lane that comes to its end there waits until all the others have, too: then, once,
  the process *departs*. What had begun by then goes on behind it, each crossing by itself.
- The recorder has the base's frames up to there from the beginning, and writes everything behind.
- Behind it `Source` says what comes of a call: a stored answer, or that it is performed. Bodies of tools run, unless
  nobody knows what happened inside them. Files are the overlay's, whoever asks (`runtime.files.view`).
- Clocks go on from where the recording was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import FrameType
from typing import Any, NoReturn, TypeVar
from weakref import WeakSet

from replay.boundary import originals
from replay.boundary.awaiting import Watched
from replay.boundary.door import Call, Door
from replay.boundary.lanes import TOOL, Lane, carrier, forget_inside, nobody, running, step_inside, step_out
from replay.fork.answers import AT_ONCE, CLOSED, END, ERROR, MISSING, STREAM, Answer
from replay.fork.clocks import Clocks
from replay.fork.continuation import Continuation
from replay.fork.source import Run, Source
from replay.player.answers import fail, revived
from replay.player.player import Player
from replay.player.stopped import Stopped

R = TypeVar("R")

_PATIENCE = 2.0
"""Seconds that a thread waits for another one to ask for an earlier outcome."""
_HEAD_START = 0.02
"""Seconds for the thread that got the one before, to make something of it: nothing else orders memory."""


class Departed(BaseException):
    """Inside of the door only: the fork point is passed."""


class ForkDoor(Player):
    """A Player that becomes a Recorder.

    Args:
        recorder: of the new cassette. source: of answers.
        ordered: outcomes that are to come in that order. on_departure: called once, at the fork point.
        more: as for Player; the frames end at the fork point, and `complete` is False.

    Attributes:
        departed: the fork point is passed. clocks: what clocks say there.
    """

    def __init__(
        self,
        *args: Any,
        recorder: Continuation,
        source: Source,
        clocks: Clocks,
        ordered: Sequence[Answer] = (),
        on_departure: Callable[[], None],
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.recorder = recorder
        self.source = source
        self.clocks = clocks
        self.departed = False
        self._on_departure = on_departure
        self._ordered = list(ordered)
        self._made: WeakSet[Lane] = WeakSet()
        self._streams: dict[int, Answer] = {}

    # -- the fork point ------------------------------------------------------------------------------------------

    def _rest(self) -> NoReturn:
        """This lane is at the end of its tape."""
        if not self.departed:
            self.wait(lambda: self.departed or self.tape.head() is None, None)
            self._depart()
        raise Departed

    def ran_out(self) -> NoReturn:
        self._depart()
        raise Departed

    def never_returned(self, lane: Lane, call: Call[Any]) -> NoReturn:
        self._rest()

    def _depart(self) -> None:
        """Called with the mutex held."""
        if self.departed:
            return
        self.check()
        self.departed = True
        self.recorder.goes_on(self.now, list(self._made))
        self.clocks.depart(self.now)
        self._on_departure()
        self.changed.notify_all()

    def depart_at_end(self) -> bool:
        """The program has ended: whether it has done all that comes before the fork point."""
        with self.mutex:
            if not self.departed and self.tape.left() is None:
                self._depart()
            return self.departed

    # -- Door ----------------------------------------------------------------------------------------------------

    def new_lane(self, path: str) -> Lane:
        with self.mutex:
            lane = Lane(path, self.recorder.number(path), self)
            self._made.add(lane)
            if self.departed:
                self.recorder.announce(lane)
            return lane

    def importer(self, lane: Lane, module: str) -> Lane | None:
        return Door.importer(self, lane, module) if self.departed else super().importer(lane, module)

    def content(self, call: Call[Any]) -> bytes | None:
        if isinstance(call.content, bytes):
            return call.content
        return None if self.departed else super().content(call)

    def echo(self, lane: Lane, label: str, text: str) -> None:
        if self.departed:
            self.recorder.echo(lane, label, text)

    def step(self, lane: Lane, mark: int, number: int) -> None:
        if self.departed:
            self.recorder.step(lane, mark, number)

    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        if not self.departed:
            super().pause(lane, real, again=again)
        else:
            self.recorder.pause(lane, real if again or self.source.is_live else _no_time, again=again)

    def draw(self, lane: Lane, source: str, real: Callable[[], Any]) -> Any:
        frame = _reader()
        with self.mutex:
            entry = self.tape.next_of(lane.path)
            try:
                if not self.departed or (entry is not None and entry.op == "draw" and entry.detail[0] == source):
                    value = super().draw(lane, source, real)
                    self.clocks.saw(source, value)
                    return value
            except Departed:
                pass
            value = self.source.draw(lane, source)
        if value is MISSING:
            value = self.clocks.read(source, real)
        else:
            self.clocks.saw(source, value)
        self.recorder.drew(lane, source, value, frame)
        return value

    def cross(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        if not self.departed:
            try:
                if call.kind != TOOL or not self._bodies or self._returns(lane):
                    return super().cross(lane, call, perform)
                with self.mutex:
                    self.begin(lane, call, originals.frame(1))
            except Departed:
                pass
        return self._behind(lane, call, perform, originals.frame(1))

    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        if not self.departed:
            try:
                with self.mutex:
                    whole = self._returns(lane)
                if whole:
                    return await super().across(lane, call, perform)
                with self.mutex:
                    self.begin(lane, call, originals.frame(1))
            except Departed:
                pass
        return await self._behind_async(lane, call, perform, originals.frame(1))

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        if not self.departed:
            try:
                return super().pull(lane, call, step, closes=closes)
            except Departed:
                pass
        answer = self._stream(call)
        if answer is None:
            return self.recorder.pull(lane, call, step, closes=closes)
        return self._next_piece(lane, call, answer, StopIteration, closes=closes)

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        if not self.departed:
            try:
                with self.mutex:
                    entry = self.piece(lane, call, originals.frame(1), closes)
                    if entry is not None and not entry.suspended:
                        self.turn(entry)
                    if entry is None and self.tape.head() is None:
                        self._depart()
                if entry is not None:
                    if entry.suspended:
                        await self._until_turn(entry)
                    return self._given(call, entry, StopAsyncIteration)
            except Departed:
                pass
        answer = self._stream(call)
        if answer is None:
            return await self.recorder.apull(lane, call, step, closes=closes)
        suspended = bool(answer.pieces) and not closes and answer.pieces[0][2]
        await self._pace(lane, call, answer.pieces[0][3] if suspended else 0, suspended=suspended)
        return self._next_piece(lane, call, answer, StopAsyncIteration, closes=closes, suspended=suspended)

    def inbox(self, call: Call[Any], loop: Any, deliver: Callable[[Any], Any]) -> Callable[[Lane, Any], None]:
        if self.departed:
            return self.recorder.inbox(call, loop, deliver)
        return super().inbox(call, loop, deliver)

    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        if not self.departed:
            try:
                super().emit(lane, call, write)
                return
            except Departed:
                pass
        self.recorder.emit(lane, call, write)

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        if not self.departed:
            try:
                return super().acquire(lane, real, blocking, timeout)
            except Departed:
                pass
        return self.recorder.acquire(lane, real, blocking, timeout)

    def environ(self, lane: Lane, key: str, value: str | None, *, own: bool = False) -> None:
        if self.departed:
            self.recorder.environ(lane, key, value, own=own)

    def blind(self, what: str, detail: str) -> None:
        if self.departed:
            self.recorder.blind(what, detail)

    # -- behind the fork point -----------------------------------------------------------------------------------

    def _returns(self, lane: Lane) -> bool:
        """Whether what the lane does next has an outcome before the fork point."""
        entry = self.tape.next_of(lane.path)
        return entry is None or entry.op != "call" or self.tape.has_outcome(entry.event)

    def _wait_for_departure(self) -> None:
        with self.mutex:
            try:
                if not self.departed:
                    self._rest()
            except Departed:
                pass

    def _behind(self, lane: Lane, call: Call[R], perform: Callable[[], R], frame: FrameType) -> R:
        begun = call.event is not None
        if begun and call.kind != TOOL:
            self._wait_for_departure()
        found = self._found(lane, call, begun=begun)
        if isinstance(found, Answer):
            if not begun:
                self.recorder.asked(lane, call, frame)
            self._wait_for_earlier(found)
            return self._give(call, found)
        if found.substitute is None:
            performed = self._performing(call, perform, found)
            if not begun:
                return self.recorder.cross(lane, call, performed)
            return self.recorder.go_on(lane, call, performed)
        if not begun:
            call.meta = {**(call.meta or {}), "replaced": True}
            self.recorder.asked(lane, call, frame)
        step_inside(lane, call)
        try:
            perform()
        except Stopped:
            raise
        except Exception:
            pass
        except BaseException as error:
            step_out(lane, call)
            self.recorder.came(call, ERROR, error, None, suspended=False)
            raise
        self._wait_for_departure()
        step_out(lane, call)
        return self._give(call, found.substitute)

    def _wait_for_earlier(self, answer: Answer) -> None:
        """Outcomes of threads that are to come in a certain order: another thread may yet ask for an earlier one."""
        if answer not in self._ordered:
            return
        deadline = originals.monotonic() + _PATIENCE
        with self.mutex:
            while self._ordered[0] is not answer and originals.other_threads() and originals.monotonic() < deadline:
                self._wait_for_change(_PATIENCE / 10)
        originals.sleep(_HEAD_START)

    def _has_come(self, answer: Answer) -> None:
        """All of that outcome."""
        if self._ordered:
            with self.mutex:
                self._ordered = [each for each in self._ordered if each is not answer]
                self.changed.notify_all()

    async def _behind_async(
        self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]], frame: FrameType
    ) -> R:
        begun = call.event is not None
        found = self._found(lane, call, begun=begun)
        if not isinstance(found, Answer) and found.substitute is None:
            with self.source.performing(call, found):
                if not begun:
                    return await self.recorder.across(lane, call, perform)
                return await self.recorder.go_on_async(lane, call, self._until_departed(lane, perform))
        if not begun:
            if not isinstance(found, Answer):
                call.meta = {**(call.meta or {}), "replaced": True}
            self.recorder.asked(lane, call, frame)
        if isinstance(found, Answer):
            if begun and not found.suspended:
                self._wait_for_departure()
            suspended = await self._pace(lane, call, found.place, suspended=found.suspended)
            return self._give(call, found, suspended=suspended)
        assert found.substitute is not None
        step_inside(lane, call)
        watched = Watched(self._until_departed(lane, perform)())
        try:
            await watched
        except (Stopped, GeneratorExit):
            raise
        except Exception:
            pass
        except BaseException as error:
            step_out(lane, call)
            self.recorder.came(call, ERROR, error, None, suspended=watched.suspended)
            raise
        step_out(lane, call)
        return self._give(call, found.substitute, suspended=watched.suspended)

    async def _pace(self, lane: Lane, call: Call[Any], place: int, *, suspended: bool) -> bool:
        """Wait as the recorded outcome did, among others, until the loop comes to it."""
        if not suspended:
            return False
        step_inside(lane, call)
        try:
            await self.turn_of(place)
        except GeneratorExit:
            forget_inside(lane, call)
            raise
        except BaseException as error:
            step_out(lane, call)
            self.recorder.came(call, ERROR, error, None, suspended=True)
            raise
        step_out(lane, call)
        return True

    turn_of: Callable[[int], Awaitable[None]]
    """Waits in the running loop until nothing else is to be done and no earlier answer waits; set with asyncio."""

    def _until_departed(self, lane: Lane, perform: Callable[[], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
        """The body of a tool may end before the others have come to the fork point. It waits for them as nobody."""

        async def performed() -> R:
            try:
                return await perform()
            finally:
                if not self.departed:
                    running.lane = None
                    carrier.set(lane.inside)
                    await self.turn_of(AT_ONCE)

        return performed

    def _found(self, lane: Lane, call: Call[Any], *, begun: bool) -> Answer | Run:
        with nobody():
            return self.source.find(lane, call, begun=begun)

    def _performing(self, call: Call[Any], perform: Callable[[], R], run: Run) -> Callable[[], R]:
        def performed() -> R:
            try:
                with self.source.performing(call, run):
                    return perform()
            finally:
                self._wait_for_departure()  # the body of a tool may have begun before the fork point

        return performed

    def _give(self, call: Call[R], answer: Answer, *, suspended: bool = False) -> R:
        """The program gets that outcome, which is recorded."""
        status, value = answer.status, answer.value
        assert status is not None
        if status != STREAM:
            self._has_come(answer)
        self.recorder.came(call, status, value, answer.content, suspended=suspended)
        if status == ERROR:
            if isinstance(value, dict) and "gap" in value:
                self.source.unresolved(call, f"its recorded outcome wasn't stored: {value['gap']}")
            fail(value if isinstance(value, BaseException) else revived(value), None)
        if status == STREAM:
            call.streams = True
            if call.event is not None:
                self._streams[call.event] = answer
        if answer.content is not None:
            call.content = answer.content
        if call.kind != "http":
            value = revived(value)
        return value if call.load is None else call.load(value)

    def _stream(self, call: Call[Any]) -> Answer | None:
        """The stored pieces that are left of a stream; None: it is read from the world."""
        if call.event is None:
            return None
        found = self._streams.get(call.event)
        if found is None:
            found = self.source.under_way(call.event)
            if found is not None:
                self._streams[call.event] = found
        return found

    def _next_piece(
        self,
        lane: Lane,
        call: Call[Any],
        answer: Answer,
        end: type[BaseException],
        *,
        closes: bool,
        suspended: bool = False,
    ) -> Any:
        if closes:
            self._has_come(answer)
            answer.pieces.clear()
            self.recorder.piece(lane, call, CLOSED, None, suspended=suspended)
            return None
        status, value, _, _ = answer.pieces.pop(0) if answer.pieces else (END, None, False, 0)
        self.recorder.piece(lane, call, status, value, suspended=suspended)
        if status in (END, CLOSED, ERROR):
            self._has_come(answer)
        if status in (END, CLOSED):
            raise end
        if status == ERROR:
            fail(value if isinstance(value, BaseException) else revived(value), None)
        return revived(value)


def _reader() -> FrameType:
    try:
        return originals.frame(3)
    except ValueError:  # the interpreter itself reads
        return originals.frame(1)


def _no_time() -> None:
    """Nobody waits for what nobody performs."""
