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
- Recording never harms the agent: what goes wrong here becomes a gap and one warning, and the program goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, TypeVar

from replay.boundary import interrupts, originals, sites
from replay.boundary.acting import acting, labelled
from replay.boundary.awaiting import Watched
from replay.boundary.door import LOG_LIMIT, Call, Door
from replay.boundary.lanes import Lane, carrier, nobody, running, step_inside, step_out
from replay.boundary.schedule import ACQUIRE, DRAW
from replay.boundary.sources import NUMBER, SOURCES
from replay.cassette.redact import Redactor
from replay.cassette.writer import Writer
from replay.model.errors import NotStorable
from replay.recorder.contents import Contents
from replay.recorder.outcomes import CLOSED, ERROR, RESULT, STREAM, ended, is_fixed
from replay.recorder.places import Places

R = TypeVar("R")

_clock = originals.clock_ns
_pending = interrupts.pending
_frame = originals.frame
_acting = acting.get

_HELD = -1
"""A mark in the log (lane, call, at, site), and the event id of that call until it has one."""


class Recorder(Door):
    """A Door over a cassette writer.

    Args:
        writer: an open writer; the recorder owns it from now on.
        seed: of the session's random stream; the header has it too.
        redactor: takes secrets out of what is written; the program sees the real values.
        warn: called once, with one line, when something could not be recorded.
    """

    def __init__(self, writer: Writer, *, seed: bytes, redactor: Redactor, warn: Callable[[str], None]) -> None:
        super().__init__(seed)
        self._writer = writer
        writer.ours = sites.is_ours
        self._redactor = redactor
        self._contents = Contents(writer, redactor)
        self._warn = warn
        self._warned = False
        self._on = True
        self._lock = originals.allocate_lock()
        self._log: list[tuple[Any, ...]] = []
        self.log = self._log  # the list stays the same one
        self._append = self._log.append
        self._began = originals.clock_ns()
        self._lanes = 0
        self._environ: set[str] = set()
        self._places = Places(writer)
        self._site = self._places.of
        self._sites_known = self._places.known
        self._blind: dict[tuple[str, str, int | None], int] = {}
        self.gaps = 0

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

    # -- lanes and schedule ------------------------------------------------------------------------------------

    def new_lane(self, path: str) -> Lane:
        with self._lock:
            number = self._lanes
            self._lanes += 1
            if self._on:
                self._guard(self._writer.lane, number, path)
        return Lane(path, number, self)

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
        inside = lane.inside
        try:
            running.lane = None  # as `step_inside` and `step_out`, spelled out: the hot path
            inside.depth += 1
            carrier.set(inside)
            result = perform()
        except BaseException as error:
            running.lane = lane
            step_out(lane)
            self._failed(call, error, suspended=False)
            raise
        running.lane = lane
        inside.depth -= 1
        carrier.set(lane)
        if call.event == _HELD and call.dump is None:
            self._outcome(call, RESULT, result, False)
        else:
            self._returned(call, result, suspended=False)
        return result

    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        if _pending:
            interrupts.deliver(lane)
        self._begin(lane, call, _frame(1))
        step_inside(lane)
        watched: Watched[R] | None = None
        try:
            watched = Watched(perform())
            result = await watched
        except GeneratorExit:
            lane.inside.depth -= 1
            # The coroutine is being thrown away (by the garbage collector, in whatever context): no outcome.
            raise
        except BaseException as error:
            step_out(lane)
            self._failed(call, error, suspended=watched is not None and watched.suspended)
            raise
        step_out(lane)
        self._returned(call, result, suspended=watched.suspended)
        return result

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        if _pending:
            interrupts.deliver(lane)
        try:
            step_inside(lane)
            piece = step()
        except BaseException as error:
            running.lane = lane
            step_out(lane)
            self._piece(lane, call, *ended(error, StopIteration), suspended=False)
            raise
        running.lane = lane
        step_out(lane)
        self._piece(lane, call, CLOSED if closes else RESULT, piece, suspended=False)
        return piece

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        if _pending:
            interrupts.deliver(lane)
        step_inside(lane)
        watched: Watched[Any] | None = None
        try:
            watched = Watched(step())
            piece = await watched
        except GeneratorExit:
            lane.inside.depth -= 1
            raise
        except BaseException as error:
            step_out(lane)
            suspended = watched is not None and watched.suspended
            self._piece(lane, call, *ended(error, StopAsyncIteration), suspended=suspended)
            raise
        step_out(lane)
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
        with self._lock:
            if self._on:
                self._guard(self._note_blind, what, detail, sites.caller())

    def blind_spots(self) -> list[tuple[str, str, int]]:
        """What was not seen so far: (what, detail, count)."""
        return [(what, detail, count) for (what, detail, _), count in self._blind.items()]

    def detach(self) -> None:
        """Stop at once and forget the file: for the child after a fork, which must not write into it."""
        self._lock = originals.allocate_lock()
        self._on = False
        self._writer.close()

    def finish(self, outcome: dict[str, Any], *, seal: bool) -> None:
        """Write what is pending, the blind spots and the program's outcome; seal or just close the cassette."""
        with self._lock:
            if not self._on:
                return
            self._guard(self._drain)
            for (what, detail, site), count in self._blind.items():
                self._guard(self._writer.blind, what, detail, site, count)
            self._guard(self._writer.end, {**outcome, "took": self._now(), "gaps": self.gaps})
            self._on = False
            self._guard(self._writer.flush)
            self._guard(self._writer.seal if seal else self._writer.close)

    # -- inside ------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return (originals.clock_ns() - self._began) // 1000

    def _begin(self, lane: Lane, call: Call[Any], frame: FrameType) -> None:
        if lane.unfinished is not None:
            lane.unfinished()
        lane.inside.call = call
        agent = _acting(lane.agent)
        if agent is not None:
            call.meta = labelled(call.meta, agent)
        if call.effect == "read" and call.kind == "tool" and not call.streams and is_fixed(call.request):
            if self._on:
                program = sites.program_frame(frame)
                known = None if program is None else self._sites_known.get((id(program.f_code), program.f_lasti))
                site = self._announced(program) if known is None else known[0]
                call.event = _HELD
                self._append((_HELD, lane.number, call, (_clock() - self._began) // 1000, site))
            return
        with self._lock:
            if not self._on:
                return
            try:
                if self._log:
                    self._drain()
                request, body, meta = call.request, call.body, call.meta
                if call.kind == "http":
                    request = self._redactor.http_message(request)
                elif call.kind == "file":
                    body = self._contents.asked(call)
                elif call.kind == "process":
                    request = self._redactor.process(request)
                elif call.kind == "mcp":
                    request = self._redactor.mcp(request)
                site = self._site(sites.program_frame(frame))
                call.event = self._writer.call(
                    lane.number, call.kind, call.name, call.effect, self._now(), site, request, body, call.chain, meta
                )
                if body is not None and call.kind == "file":
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

    def _release(self, held: tuple[Any, ...]) -> None:
        """Something else comes before the outcome: the held call is written in its place."""
        _, lane, call, at, site = held
        call.event = self._writer.call(
            lane, call.kind, call.name, call.effect, at, site, call.request, None, None, call.meta
        )

    def _returned(self, call: Call[R], result: R, *, suspended: bool) -> None:
        if call.event is None:
            return
        try:
            value = result if call.dump is None else call.dump(result)
            if call.kind == "http":
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
                    if call.event == _HELD and not suspended and self._whole(call, status, value):
                        self._writer.flush()
                        return
                    self._drain()
                self._writer.ret(call.event, self._now(), status, value, suspended)
                self._writer.flush()
            except Exception as error:
                self._unstored(call, error, suspended)

    def _whole(self, call: Call[Any], status: int, value: Any) -> bool:
        """A held call and its outcome as one frame; False where something else came in between."""
        log = self._log
        last = len(log) - 1  # others only ever add to the end
        held = log[last]
        if held[0] != _HELD or held[2] is not call:
            return False
        if last:
            self._drain(last)
        del log[0]
        _, lane, _, at, site = held
        kind, name, effect, request, meta = call.kind, call.name, call.effect, call.request, call.meta
        took = (_clock() - self._began) // 1000 - at
        try:
            call.event = self._writer.event(
                lane, kind, name, effect, at, site, request, None, None, meta, took, status, value
            )
        except NotStorable:
            self._release(held)
            raise
        return True

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

    def _trouble(self, error: Exception, where: str) -> None:
        self.gaps += 1
        if isinstance(error, OSError):
            self._on = False
            self._say(f"recording stopped at {where}: {error}; the program goes on unrecorded")
        elif isinstance(error, NotStorable):
            self._say(f"not recorded, {where}: {error}")
        else:
            self._say(f"not recorded, {where}: {type(error).__name__}: {error} (a bug of agent-replay; please report)")

    def _say(self, line: str) -> None:
        if self._warned:
            return
        self._warned = True
        with nobody():  # it goes to the program's own stream, which would report it here, where the lock is held
            try:
                self._warn(line)
            except Exception:  # nowhere left to say it: a closed stream is no reason to harm the program
                pass

    def _guard(self, do: Callable[..., Any], *args: Any) -> None:
        try:
            do(*args)
        except Exception as error:
            self._trouble(error, getattr(do, "__name__", "recorder"))

    def _write_echo(self, lane: Lane, label: str, text: str) -> None:
        if self._log:
            self._drain()
        site = self._site(sites.caller())
        self._writer.event(
            *(lane.number, "output", label, "write", self._now(), site, text),
            *(None, None, labelled({"inside": True}, _acting(lane.agent)), 0, RESULT, None),
        )

    def _note_blind(self, what: str, detail: str, frame: FrameType | None) -> None:
        key = (what, detail, self._site(frame))
        count = self._blind[key] = self._blind.get(key, 0) + 1
        if count == 1:  # at once: a killed program keeps its blind spots; the final counts follow at the end
            self._writer.blind(what, detail, key[2], count)
            self._writer.flush()

    def _flush_log(self) -> None:
        with self._lock:
            if self._on:
                self._guard(self._drain)
                self._guard(self._writer.flush)
            else:
                self._log.clear()  # a task that outlived its session

    def _drain(self, count: int = -1) -> None:
        """Write the gathered schedule and draws: library draws into the track, the program's as events of their own.

        Args:
            count: how many entries; all by default.
        """
        if count < 0:
            count = len(self._log)
        entries, self._log[:count] = self._log[:count], ()
        track: list[Any] = []
        run: list[tuple[Any, ...]] = []
        run_of = None
        library = sites.LIBRARY
        for entry in entries:
            mark = entry[0]
            if mark == DRAW:
                if library[entry[4].co_filename]:
                    if run:
                        run = self._write_run(run)
                    track += entry[:4]
                    continue
                if track:
                    track = self._write_track(track)
                source: int = entry[2]
                lane_and_kind = (entry[1], SOURCES[source][1])
                if run and run_of != lane_and_kind:
                    run = self._write_run(run)
                run_of = lane_and_kind
                run.append(entry)
                continue
            if run:
                run = self._write_run(run)
            if mark == _HELD:
                if track:
                    track = self._write_track(track)
                self._release(entry)
            else:
                track += entry
        if run:
            self._write_run(run)
        if track:
            self._writer.track(track)

    def _write_track(self, track: list[Any]) -> list[Any]:
        self._writer.track(track)
        return []

    def _write_run(self, run: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        _, lane, _, _, code, lasti = run[0]
        site = self._places.number(code.co_filename, sites.line_of(code, lasti), code.co_qualname)
        sources: list[int] = [entry[2] for entry in run]
        names = [SOURCES[source][0] for source in sources]
        kind = SOURCES[sources[0]][1]
        name = names[0] if len(set(names)) == 1 else kind
        self._writer.event(
            *(lane, kind, name, "draw", self._now(), site, names, None, None, None, 0, 0),
            [entry[3] for entry in run],
        )
        return []


def warn_on_stderr(line: str) -> None:
    """The default `warn`: one line on the real standard error."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"replay: {line}\n")
