"""Signal handlers: inputs that come between any two instructions. Recorded where they ran, run there again.

The interpreter calls `arrive` instead of the program's handler, always on the main thread, and this says when the
handler may run. It never runs in the middle of our own work, so it can't damage a recording.

    where the main thread is                               the handler runs
    in code of its lane, or in ours                        before the lane's next door operation or loop iteration
    in a wait (sleep, join, pause, a contended lock)       at once, and may leave the wait by an exception
    in a crossing that a synchronous seam performs         at once; what it raises comes out of the crossing
    in a tool's body, called synchronously                 the same, where it isn't in ours
    between two handles of an event loop, or selecting     at once
    in no session                                          at once, as if we weren't there

What waits for a door operation longer than `_LATEST` runs late, wherever the program is, unless that is in our own
work: a loop that asks nobody for anything can still be interrupted. It is a blind spot, since no replay can find the
instruction again; there it runs as long after the last operation, or before the next if that is sooner.

A handler that came inside a tool acts for the lane that called it: what it does to the program (it sets a flag, say)
happens at replay whether the body runs or not. Only its mark is the inner lane's.

In the track a handler is one mark, SIGNAL lane n, with n = 128 * place + signal number. Places: NEXT, LATE, INSIDE, or
the number of the wait (from 1) of that lane.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container
from types import CodeType, FrameType
from typing import Any

from replay.boundary import originals, sites, turns
from replay.boundary.lanes import Lane, become, carrier, crossing_of, nobody, running
from replay.boundary.schedule import SIGNAL

Handler = Callable[[int, FrameType | None], Any]

NEXT, LATE, INSIDE = 0, -1, -2
_POSTPONED = -3
_LATEST = 200_000_000
"""Nanoseconds."""
_AT_WORK = ("replay.recorder", "replay.cassette", "replay.runtime.outputs")
_CROSSINGS = ("cross", "pull")

handlers: dict[int, Any] = {}
"""What the program installed, by signal number; the interpreter has `arrive` in their place."""
owners: dict[int, Any] = {}
"""In which session (door) it did, by signal number. A server's own handlers are none of a request's business."""
pending: dict[int, int] = {}
"""Postponed signals, and when they have waited too long. Doors look at it before each operation: `deliver`."""
between: set[CodeType] = set()
"""Code of event loops that runs one iteration."""
within: set[CodeType] = set()
"""Code that runs one handle of an event loop."""
waiting: Wait | None = None
"""What the main thread waits for, in its lane."""
replaying = False
due: dict[int, Callable[[], None]] = {}
"""At replay: what to do when a signal that we send ourselves arrives (`remind`)."""
_reminded: set[int] = set()


class Wait:
    """A wait of the main thread that a handler may interrupt.

    Attributes:
        place: how the track calls it. got: its result as soon as there is one; then it can't be interrupted any more.
    """

    __slots__ = ("got", "lane", "place")

    def __init__(self, lane: Lane, place: int) -> None:
        self.lane = lane
        self.place = place
        self.got: list[Any] = []


def decoded(number: int) -> tuple[int, int]:
    """(place, signal) of a mark's number."""
    return divmod(number, 128)


def moved_inside(number: int) -> int:
    """The same signal, in a mark that says that it came inside a crossing."""
    return 128 * INSIDE + decoded(number)[1]


def on_main_thread() -> bool:
    """Whether handlers run on this thread."""
    return originals.get_ident() == _main_thread()


def _main_thread() -> int:
    main: Any = threading.main_thread()
    return int(main._ident)  # `ident` is an input of the program


def arrive(signum: int, frame: FrameType | None) -> None:
    """What the interpreter calls. `frame`: the interrupted one."""
    if replaying and signum in due:
        due.pop(signum)()
        return
    if replaying:  # somebody outside ends the replay: the program's handlers run when the tape says so
        originals.SIGNALS.signal(signum, originals.SIGNALS.SIG_DFL)
        originals.SIGNALS.raise_signal(signum)
        return
    if signum in _reminded:
        _reminded.discard(signum)
        if signum not in pending:
            return
    handler = handlers.get(signum)
    if not callable(handler):
        pending.pop(signum, None)
        return
    lane, place = _whereabouts(frame)
    if place == _POSTPONED and signum in pending and originals.clock_ns() > pending[signum] and not _at_work(frame):
        lane = lane or running.behind
        place = LATE
        if lane is not None and lane.outer is None:
            lane.door.blind("signal", f"the handler of signal {signum} ran in code that asked for nothing")
    if place == _POSTPONED:
        _postpone(signum)
    elif lane is None:
        pending.pop(signum, None)
        handler(signum, frame)
    else:
        _handle(lane, place, signum, frame)


def deliver(lane: Lane, place: int = NEXT) -> None:
    """Run the handlers that were postponed, before an operation of `lane`; they may raise."""
    while pending and on_main_thread():
        _handle(lane, place, next(iter(pending)), sites.program_frame(originals.frame(1)))


def _handle(lane: Lane, place: int, signum: int, frame: FrameType | None) -> None:
    global waiting
    pending.pop(signum, None)
    if lane.door.offspring is not None and owners.get(signum) is not lane.door:
        _serve(lane, signum, frame)
        return
    wait, waiting = waiting, None
    before, carried = running.lane, carrier.get()
    acting = lane.outer or lane
    become(acting)
    try:
        lane.door.step(lane, SIGNAL, 128 * place + signum)
        handler = handlers.get(signum)
        if callable(handler):
            with turns.acting(acting):
                handler(signum, frame)
    finally:
        running.lane = before
        carrier.set(carried)
        waiting = wait


def _serve(lane: Lane, signum: int, frame: FrameType | None) -> None:
    """The handler of the server in which `lane` is a request: nobody's."""
    handler = handlers.get(signum)
    try:
        if callable(handler):
            with nobody():
                handler(signum, frame)
    except BaseException as error:
        lane.door.blind("signal", f"the server's handler of signal {signum} raised {type(error).__name__} here")
        raise


def _whereabouts(frame: FrameType | None) -> tuple[Lane | None, int]:
    """Whose code was interrupted, and the place of a handler that would run now."""
    if waiting is not None and not waiting.got:
        return waiting.lane, waiting.place
    if running.behind is not None and _in_loop(frame):
        return running.behind, NEXT
    work = _door_frame(frame)
    lane = running.lane
    if lane is not None:
        return lane, INSIDE if lane.outer is not None and _in_body(frame, work) else _POSTPONED
    lane = crossing_of()
    if lane is not None:
        return lane, INSIDE if work is not None and work.f_code.co_name in _CROSSINGS else _POSTPONED
    carried = carrier.get()
    if carried is None and running.behind is None and work is None:
        return None, NEXT
    return carried if isinstance(carried, Lane) else None, _POSTPONED


def _in_loop(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code not in within:
        if frame.f_code in between:
            return True
        frame = frame.f_back
    return False


def _door_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the recorder."""
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith("replay.recorder"):
        frame = frame.f_back
    return frame


def _in_body(frame: FrameType | None, work: FrameType | None) -> bool:
    """Whether it is in the body of a tool that is called synchronously, and in nothing of ours that this calls."""
    if work is None or work.f_code.co_name not in _CROSSINGS:
        return False
    while frame is not None and frame.f_back is not work:
        if sites.is_ours(frame.f_code.co_filename):
            return False
        frame = frame.f_back
    return frame is not None


def _at_work(frame: FrameType | None) -> bool:
    """Whether what was interrupted is our bookkeeping: nothing may come in between."""
    while frame is not None and sites.is_library(frame.f_code.co_filename):
        if str(frame.f_globals.get("__name__")).startswith(_AT_WORK):
            return True
        frame = frame.f_back
    return False


def _postpone(signum: int) -> None:
    if signum not in pending:
        pending[signum] = originals.clock_ns() + _LATEST
        remind(signum, pending)


def remind(signum: int, of: Container[int]) -> None:
    """Send that signal to the main thread every `_LATEST` nanoseconds, as long as it is in `of`."""
    mask, block = originals.SIGNALS.pthread_sigmask, originals.SIGNALS.SIG_BLOCK
    before = mask(block, ())
    try:
        mask(block, originals.SIGNALS.valid_signals())  # what the program blocks must not find a thread that takes it
        originals.start_new_thread(_remind, (signum, of))
    except RuntimeError:  # no more threads: then it waits for the next operation
        pass
    finally:
        mask(originals.SIGNALS.SIG_SETMASK, before)


def _remind(signum: int, of: Container[int]) -> None:
    """In a thread: the main thread may be blocked in the kernel, so it is woken by the signal itself."""
    while True:
        originals.sleep(_LATEST / 1e9)
        if signum not in of or originals.SIGNALS.getsignal(signum) is not arrive:
            return
        if not replaying:
            _reminded.add(signum)
        originals.SIGNALS.pthread_kill(_main_thread(), signum)
