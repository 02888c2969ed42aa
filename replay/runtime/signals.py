"""Signals: the program's handlers are kept in `boundary.interrupts`, which calls them when they may run.

What sends a signal (`os.kill`, `raise_signal`) and what waits for one (`sigwait`) are crossings, timers are draws: none
of them is performed at replay. asyncio's handlers are callbacks of its loop: `runtime.loops`.
"""

from __future__ import annotations

import _thread
import os
from collections.abc import Callable
from typing import Any

from replay.boundary import interrupts, originals
from replay.boundary.door import Call
from replay.boundary.imports import on_import
from replay.boundary.interrupts import arrive, handlers, pending
from replay.boundary.lanes import running

_installed = False


def install() -> None:
    """Stand in for the handlers that are there and those to come; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    if interrupts.on_main_thread():
        for signum in originals.SIGNALS.valid_signals():
            before = originals.SIGNALS.getsignal(signum)
            if callable(before):
                handlers[int(signum)] = before
                originals.SIGNALS.signal(signum, arrive)
    os.register_at_fork(after_in_child=pending.clear)
    for module, name in ((os, "kill"), (os, "killpg"), (_thread, "interrupt_main")):
        if hasattr(module, name):
            setattr(module, name, _sender(f"{module.__name__.lstrip('_')}.{name}", getattr(module, name)))
    on_import("signal", _patch)


def _patch(module: Any) -> None:
    module.signal = _setter(module.signal)
    module.getsignal = _getter(module.getsignal)
    for name in ("alarm", "setitimer", "getitimer"):
        if hasattr(module, name):
            setattr(module, name, _timer(f"signal.{name}", getattr(module, name)))
    for name in ("raise_signal", "pthread_kill"):
        if hasattr(module, name):
            setattr(module, name, _sender(f"signal.{name}", getattr(module, name)))
    if hasattr(module, "pause"):
        module.pause = _pause(module.pause)
    if hasattr(module, "sigwait"):
        module.sigwait = _waiter("sigwait", module.sigwait, module.Signals)
    for name in ("sigwaitinfo", "sigtimedwait"):
        if hasattr(module, name):
            setattr(module, name, _waiter(name, getattr(module, name), module.struct_siginfo))


def _dressed(function: Any, real: Any) -> Any:
    function.__name__ = function.__qualname__ = real.__name__
    function.__doc__ = real.__doc__
    function.__module__ = real.__module__
    function.__wrapped__ = real
    return function


def _setter(real: Callable[[Any, Any], Any]) -> Any:
    def signal(signalnum: Any, handler: Any) -> Any:
        stands_in = callable(handler) and (interrupts.replaying or not _is_asyncio(handler))
        before = handlers.get(signalnum)
        if stands_in:
            handlers[int(signalnum)] = handler  # first: the signal may come at once
            interrupts.owners[int(signalnum)] = None if running.lane is None else running.lane.door
        try:
            found = real(signalnum, arrive if stands_in else handler)
        except BaseException:
            if stands_in and before is None:
                del handlers[int(signalnum)]
            elif stands_in:
                handlers[int(signalnum)] = before
            raise
        if not stands_in:
            handlers.pop(int(signalnum), None)
            pending.pop(int(signalnum), None)
        return before if found is arrive else found

    return _dressed(signal, real)


def _is_asyncio(handler: Any) -> bool:
    """Its handler does nothing: the loop gets the number through its pipe."""
    return getattr(handler, "__name__", "") == "_sighandler_noop"


def _getter(real: Callable[[Any], Any]) -> Any:
    def getsignal(signalnum: Any) -> Any:
        found = real(signalnum)
        return handlers.get(int(signalnum)) if found is arrive else found

    return _dressed(getsignal, real)


def _timer(source: str, real: Callable[..., Any]) -> Any:
    def timer(*args: Any) -> Any:
        lane = running.lane
        return real(*args) if lane is None else lane.door.draw(lane, source, lambda: real(*args))

    return _dressed(timer, real)


def _sender(name: str, real: Callable[..., Any]) -> Any:
    def send(*args: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args)
        plain = [int(arg) if isinstance(arg, int) else arg for arg in reversed(args)]
        request = dict(zip(("signal", "to"), plain, strict=False))
        if name == "signal.pthread_kill":
            del request["to"]  # a thread's identity is another one in each execution
        call: Call[None] = Call("process", name, "write", request)
        return lane.door.cross(lane, call, lambda: real(*args))

    return _dressed(send, real)


def _waiter(name: str, real: Callable[..., Any], kind: Any) -> Any:
    """`kind`: of the result: an enumeration, or a tuple with names; None stays None."""

    def dump(found: Any) -> Any:
        return int(found) if isinstance(found, int) else found and tuple(found)

    def load(found: Any) -> Any:
        return found and kind(found)

    def wait(signals: Any, *args: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(signals, *args)
        request = {"signals": sorted(map(int, signals)), "timeout": args[0] if args else None}
        call: Call[Any] = Call("order", f"signal.{name}", "read", request, dump=dump, load=load)
        return lane.door.cross(lane, call, lambda: real(signals, *args))

    return _dressed(wait, real)


def _pause(real: Callable[[], None]) -> Any:
    def pause() -> None:
        lane = running.lane
        if lane is None:
            real()
        else:
            lane.door.pause(lane, real)

    return _dressed(pause, real)
