"""The Recorder: performs every crossing for real and writes down what came of it.

Rules:
- An event is two frames, CALL before and RETURN after; what lies between in the file happened between. Requests are
  packed before the crossing, so that a tool that changes its arguments can't change the record.
- A read whose request can't change any more (`is_fixed`) is *held*: its CALL waits in `_log`, where it keeps its place
  among what others do. If its outcome comes before anything else happened, both are one EVENT frame.
- RETURN and stream pieces are written through before the program gets its answer: a killed process loses nothing that
  had returned. CALL is written through where the crossing leaves the process or changes the world.
- Schedule entries and draws gather in `_log` without a lock (`list.append` is atomic) and are written before the next
  frame, so the file's order is the order of events.
- Handlers of signals run before an operation or while a crossing is performed, never in between (`interrupts`): so a
  lane is taken away and given back by the first thing inside `try` and behind it.
- Recording never harms the agent: what goes wrong here becomes a gap and one warning, and the program goes on. A disk
  that takes nothing is the writer's business: frames wait for it, and then a gap says why the recording stops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from replay.boundary import interrupts, originals, sites
from replay.boundary.acting import acting, labelled
from replay.boundary.awaiting import Watched
from replay.boundary.door import LOG_LIMIT, Call, Door
from replay.boundary.lanes import TOOL, Lane, carrier, forget_inside, nobody, running, step_inside, step_out
from replay.boundary.schedule import ACQUIRE, DRAW
from replay.boundary.sources import NUMBER
from replay.cassette.keeping import ALWAYS, Keeping
from replay.cassette.redact import Redactor
from replay.cassette.redact.detectors import SIEVE
from replay.cassette.writer import Writer
from replay.model.errors import CassetteMissing
from replay.recorder.blind_spots import BlindSpots
from replay.recorder.contents import Contents
from replay.recorder.log import HELD, Log
from replay.recorder.outcomes import CLOSED, ERROR, RESULT, STREAM, ended, is_fixed
from replay.recorder.places import Places
from replay.recorder.trouble import Trouble

if TYPE_CHECKING:
    from replay.cassette.ring import Ring

R = TypeVar("R")

_clock = originals.clock_ns
_pending = interrupts.pending
_frame = originals.frame
_acting = acting.get

SIEVE.quietly = nobody  # texts are looked at while the recorder's lock is held, and a lane that imports wants it, too


class Recorder(Door):
    """A Door over a cassette writer.

    Args:
        writer: an open writer; the recorder owns it from now on.
        seed: of the session's random stream; the header has it too.
        redactor: takes secrets out of what is written; the program sees the real values.
        warn: called once, with one line, when something could not be recorded.
        keeping: whether it stays when it has ended.
    """

    def __init__(
        self,
        writer: Writer | Ring,
        *,
        seed: bytes,
        redactor: Redactor,
        warn: Callable[[str], None],
        keeping: Keeping = ALWAYS,
    ) -> None:
        super().__init__(seed)
        self._writer = writer
        writer.ours, writer.now, writer.on_failure = sites.is_ours, self._now, self._disk
        self._redactor = redactor
        self._contents = Contents(writer, redactor)
        self.keeping = keeping
        self._wanted = False
        self._ended: dict[str, Any] = {}
        writer.aside, writer.on_turn = nobody, self._contents.forget
        self._on = True
        trouble = self._troubles = Trouble(warn)
        self._trouble, self._guard, self._say = trouble.note, trouble.guard, trouble.say
        self._lock = originals.allocate_lock()
        self._began = originals.clock_ns()
        self._lanes = 0
        self._first: Lane | None = None
        self._environ: set[str] = set()
        self._places = Places(writer)
        self._site = self._places.of
        self._sites_known = self._places.known
        self._logged = Log(writer, self._places, self._now)
        self.log = self._log = self._logged.entries
        self._drain, self._whole = self._logged.drain, self._logged.whole
        self._append = self._log.append
        self._spots = BlindSpots(writer)

    @property
    def path(self) -> str:
        """The cassette's file."""
        return self._writer.path

    @property
    def id(self) -> str:
        """The cassette's id."""
        return str(self._writer.header["id"])

    @property
    def events(self) -> int:
        """How many there are so far."""
        return self._writer.events

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._writer.size

    @property
    def gaps(self) -> int:
        """How many things weren't recorded."""
        return self._troubles.gaps

    # -- lanes and schedule ------------------------------------------------------------------------------------

    def new_lane(self, path: str) -> Lane:
        with self._lock:
            number = self._lanes
            self._lanes += 1
            lane = Lane(path, number, self)
            if not number:
                self._first = lane
            if self._on:
                self._guard(self._writer.lane, number, path, lane)
        return lane

    def step(self, lane: Lane, mark: int, number: int) -> None:
        self._append((mark, lane.number, number))
        if len(self._log) > LOG_LIMIT:
            self._flush_log()

    def draw(self, lane: Lane, source: str, real: Callable[[], Any]) -> Any:
        self.before_read(lane)
        value = real()
        try:
            frame = _frame(2)
        except ValueError:  # the interpreter itself reads: an exit handler, a finaliser
            frame = _frame(1)
        self._append((DRAW, lane.number, NUMBER[source], value, frame.f_code, frame.f_lasti))
        return value

    def before_read(self, lane: Lane) -> None:
        if _pending:
            interrupts.deliver(lane)
        if len(self._log) > LOG_LIMIT:
            self._flush_log()

    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        lane.waits += 1
        if not interrupts.on_main_thread():
            real()
            return
        wait = interrupts.Wait(lane, lane.waits)
        if _pending:
            interrupts.deliver(lane, wait.place)
        try:
            interrupts.waiting = wait
            real()
        finally:
            interrupts.waiting = None

    # -- crossings ---------------------------------------------------------------------------------------------

    def cross(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        if _pending:
            interrupts.deliver(lane)
        self._begin(lane, call, _frame(1))
        try:
            if call.kind == TOOL:  # as `step_inside` and `step_out`, spelled out: the hot path
                running.lane = inner = lane.inner or lane.enter()
                carrier.set(inner)
                result = perform()
                if inner.unfinished is not None:
                    inner.unfinished()
            else:
                step_inside(lane, call)
                result = perform()
        except BaseException as error:
            running.lane = lane
            step_out(lane, call)
            self._failed(call, error, suspended=False)
            raise
        running.lane = lane
        if call.kind == TOOL:
            carrier.set(lane)
        else:
            step_out(lane, call)
        if call.event == HELD and call.dump is None:
            self._outcome(call, RESULT, result, False)
        else:
            self._returned(call, result, suspended=False)
        return result

    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        if _pending:
            interrupts.deliver(lane)
        self._begin(lane, call, _frame(1))
        step_inside(lane, call)
        watched: Watched[R] | None = None
        try:
            watched = Watched(perform())
            result = await watched
        except GeneratorExit:
            # The coroutine is being thrown away (by the garbage collector, in whatever context): no outcome.
            forget_inside(lane, call)
            raise
        except BaseException as error:
            step_out(lane, call)
            self._failed(call, error, suspended=watched is not None and watched.suspended)
            raise
        step_out(lane, call)
        self._returned(call, result, suspended=watched.suspended)
        return result

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        if _pending:
            interrupts.deliver(lane)
        try:
            step_inside(lane, call)
            piece = step()
        except BaseException as error:
            running.lane = lane
            step_out(lane, call)
            self._piece(lane, call, *ended(error, StopIteration), suspended=False)
            raise
        running.lane = lane
        step_out(lane, call)
        self._piece(lane, call, CLOSED if closes else RESULT, piece, suspended=False)
        return piece

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        if _pending:
            interrupts.deliver(lane)
        step_inside(lane, call)
        watched: Watched[Any] | None = None
        try:
            watched = Watched(step())
            piece = await watched
        except GeneratorExit:
            forget_inside(lane, call)
            raise
        except BaseException as error:
            step_out(lane, call)
            suspended = watched is not None and watched.suspended
            self._piece(lane, call, *ended(error, StopAsyncIteration), suspended=suspended)
            raise
        step_out(lane, call)
        self._piece(lane, call, CLOSED if closes else RESULT, piece, suspended=watched.suspended)
        return piece

    def inbox(self, call: Call[Any], loop: Any, deliver: Callable[[Any], Any]) -> Callable[[Lane, Any], None]:
        return lambda lane, push: self._piece(lane, call, RESULT, push, suspended=False)

    def echo(self, lane: Lane, label: str, text: str) -> None:
        with self._lock:
            if self._on:
                self._guard(self._write_echo, lane, label, text)

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        if _pending:
            interrupts.deliver(lane)
        got = real(False, -1 if blocking else timeout)
        if blocking and not got:
            got = self._wait_for_lock(lane, real, timeout)
        self._append((ACQUIRE, lane.number, got))  # while the lock is held: nobody can come in between
        return got

    def _wait_for_lock(self, lane: Lane, real: Callable[[bool, float], bool], timeout: float) -> bool:
        if not interrupts.on_main_thread():
            return real(True, timeout)
        wait = interrupts.Wait(lane, interrupts.NEXT)
        try:
            interrupts.waiting = wait
            # One step of the interpreter: a handler that raises finds the lock either taken and noted or not taken.
            wait.got.extend(map(real, (True,), (timeout,)))
        finally:
            interrupts.waiting = None
        return bool(wait.got[0])

    def environ(self, lane: Lane, key: str, value: str | None, *, own: bool = False) -> None:
        if key in self._environ:
            return
        self._environ.add(key)
        if own:
            return
        safe = None if value is None else self._redactor.env(key, value)
        with self._lock:
            if self._on:
                site = self._site(sites.caller())
                self._guard(
                    self._writer.event,
                    *(lane.number, "env", key, "read", self._now(), site, key, None, None),
                    *(labelled(None, _acting(lane.agent)), 0, RESULT, safe),
                )

    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        if _pending:
            interrupts.deliver(lane)
        with self._lock:  # nobody writes between the event and its text
            if self._on:
                try:
                    if self._log:
                        self._drain()
                    site = self._site(sites.program_frame(_frame(1)))
                    self._writer.event(
                        *(lane.number, call.kind, call.name, call.effect, self._now(), site, call.request),
                        *(None, None, labelled(None, _acting(lane.agent)), 0, RESULT, None),
                    )
                    self._writer.flush()
                except Exception as error:
                    self._trouble(error, call.name)
            lane_now, running.lane = running.lane, None
            try:
                write()
            finally:
                running.lane = lane_now

    # -- blind spots, gaps, the end ----------------------------------------------------------------------------

    def blind(self, what: str, detail: str) -> None:
        lane = running.lane
        if lane is not None and lane.outer is not None:
            return  # what the tool answers tells what came of it
        with self._lock:
            if self._on:
                self._guard(self._blind, what, detail, sites.caller())

    def blind_spots(self) -> list[tuple[str, str, int]]:
        """What was not seen so far: (what, detail, count)."""
        return self._spots.listed()

    def detach(self) -> None:
        """Stop at once and forget the file: for the child after a fork, which must not write into it."""
        self._lock = originals.allocate_lock()
        self._on = False
        self._writer.close()

    def dump(self, reason: str, *, soon: bool = False) -> None:
        """Save what a flight recorder has, and keep this recording in any case.

        Args:
            soon: whoever asks may have interrupted anything: if it can't be done now, the next event does it.
        """
        reason = self._redactor.text(reason)
        if not self._lock.acquire(blocking=not soon):
            self._wanted, self._writer.asked = True, reason
            return
        try:
            if self._on:
                self._guard(self._save, reason)
        finally:
            self._lock.release()

    def finish(self, outcome: dict[str, Any], *, seal: bool | None) -> None:
        """Write what is pending, the blind spots and the program's outcome; seal or just close the cassette.

        Args:
            seal: None: `close` follows, from whatever thread. False: whoever started the program decides what stays.
        """
        with self._lock:
            if not self._on:
                return
            self._guard(self._drain)
            self._guard(self._spots.write)
            whole = {**outcome, "took": self._now(), "gaps": self.gaps, **({"wanted": True} if self._wanted else {})}
            self._guard(self._writer.end, whole)
            self._on = False
            self._ended = whole
            if seal is not None:
                self._guard(self._close, seal, seal)

    def close(self, *, seal: bool) -> None:
        """After `finish`: seal the cassette, or remove it where it isn't kept, and let go of it."""
        with self._lock:
            self._guard(self._close, seal, True)

    # -- inside ------------------------------------------------------------------------------------------------

    def _save(self, reason: str) -> None:
        self._wanted = True
        self._drain()
        self._writer.flush()
        self._writer.save(reason)

    def _close(self, seal: bool, last: bool) -> None:
        """`last`: nobody else decides whether it is kept."""
        whole = self._writer.settle()
        try:
            if whole and last and self.keeping.forgets(self._ended):
                self._writer.discard()
            elif whole and (seal or (last and self.keeping.flight_recorder)):
                self._told(self._writer.seal(quick=True))
        except (OSError, CassetteMissing) as error:
            self._say(f"not sealed: {error}")
        self._writer.close()
        self._logged.end()
        first, self._first = self._first, None
        if first is not None:
            first.inner = None  # which knows it, too

    def _told(self, undigested: str | None) -> None:
        if undigested is not None:
            self._say(f"{self.path} is sealed without digests: {undigested} (a bug of agent-replay; please report)")

    def _disk(self, error: OSError) -> None:
        """The file takes nothing, for now or for good."""
        self._on = self._on and not self._writer.broken
        self._troubles.disk(error, stopped=self._writer.broken)

    def _now(self) -> int:
        return (originals.clock_ns() - self._began) // 1000

    def _begin(self, lane: Lane, call: Call[Any], frame: FrameType) -> None:
        if lane.unfinished is not None:
            lane.unfinished()
        agent = _acting(lane.agent)
        if agent is not None:
            call.meta = labelled(call.meta, agent)
        if call.effect == "read" and call.kind == "tool" and not call.streams and is_fixed(call.request):
            if self._on:
                program = sites.program_frame(frame)
                known = None if program is None else self._sites_known.get((id(program.f_code), program.f_lasti))
                site = self._announced(program) if known is None else known[0]
                call.event = HELD
                self._append((HELD, lane.number, call, (_clock() - self._began) // 1000, site))
            return
        with self._lock:
            if not self._on:
                return
            try:
                if self._log:
                    self._drain()
                request, body = self._contents.asked(call)
                site = self._site(sites.program_frame(frame))
                call.event = self._writer.call(
                    lane.number,
                    *(call.kind, call.name, call.effect, self._now(), site, request, body, call.chain, call.meta),
                )
                self._contents.noted(call, body)
                if call.effect == "write" or call.kind == "http":
                    self._writer.flush()
            except Exception as error:
                self._gap(lane, call, error)

    def _announced(self, frame: FrameType | None) -> int | None:
        with self._lock:
            try:
                return self._site(frame)
            except Exception as error:
                self._trouble(error, "a call site")
                return None

    def _returned(self, call: Call[R], result: R, *, suspended: bool) -> None:
        if call.event is None:
            return
        try:
            value = result if call.dump is None else call.dump(result)
            if call.kind in ("http", "server"):
                value = self._redactor.http_message(value)
            elif call.content is not None:
                value = self._contained(call, call.content, value)
        except Exception as error:  # not the program's: it gets its result
            with self._lock:
                if self._on:
                    self._guard(self._drain)
                    self._unstored(call, error, suspended)
            return
        self._outcome(call, STREAM if call.streams else RESULT, value, suspended)

    def _contained(self, call: Call[Any], content: bytes | int, value: Any) -> Any:
        with self._lock:
            if not self._on:
                return value
            if self._log:
                self._drain()
            return self._contents.found(call, content, value)

    def _failed(self, call: Call[Any], error: BaseException, *, suspended: bool) -> None:
        if call.event is not None:
            self._outcome(call, ERROR, error, suspended)

    def _outcome(self, call: Call[Any], status: int, value: Any, suspended: bool) -> None:
        with self._lock:
            if not self._on or call.event is None:
                return
            try:
                if self._log:
                    if call.event == HELD and not suspended and self._whole(call, status, value):
                        self._writer.flush()
                        return
                    self._drain()
                self._writer.ret(call.event, self._now(), status, value, suspended)
                self._writer.flush()
            except Exception as error:
                self._unstored(call, error, suspended)

    def _piece(self, lane: Lane, call: Call[Any], status: int, value: Any, *, suspended: bool) -> None:
        if call.event is None:
            return
        with self._lock:
            if not self._on:
                return
            try:
                if self._log:
                    self._drain()
                self._writer.chunk(call.event, lane.number, self._now(), status, value, suspended)
                self._writer.flush()
            except Exception as error:
                self._trouble(error, call.name)

    def _gap(self, lane: Lane, call: Call[Any], error: Exception) -> None:
        """The request can't be stored: an event of kind `gap` stands in its place, and replay ends there."""
        call.event = None
        self._trouble(error, call.name)
        if self._on:
            request = {"kind": call.kind, "reason": str(error)}
            site = self._site(sites.caller())
            self._guard(
                self._writer.event,
                *(lane.number, "gap", call.name, call.effect, self._now(), site, request, None, None),
                *(call.meta, 0, 0, None),
            )
            self._guard(self._writer.flush)

    def _unstored(self, call: Call[Any], error: Exception, suspended: bool) -> None:
        """The outcome can't be stored: the event keeps the reason instead, and replay ends there."""
        self._trouble(error, call.name)
        if self._on:
            reason = {"gap": str(error)}
            self._guard(self._writer.ret, call.event, self._now(), ERROR, reason, suspended)
            self._guard(self._writer.flush)

    def _write_echo(self, lane: Lane, label: str, text: str) -> None:
        if self._log:
            self._drain()
        site = self._site(sites.caller())
        self._writer.event(
            *(lane.number, "output", label, "write", self._now(), site, text),
            *(None, None, labelled({"inside": True}, _acting(lane.agent)), 0, RESULT, None),
        )

    def _blind(self, what: str, detail: str, frame: FrameType | None) -> None:
        self._spots.note(what, detail, self._site(frame))

    def _flush_log(self) -> None:
        with self._lock:
            if self._on:
                self._guard(self._drain)
                self._guard(self._writer.flush)
            else:
                self._log.clear()  # a task that outlived its session
