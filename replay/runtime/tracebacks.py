"""Tracebacks that the interpreter prints at the end show the program's frames and its libraries', and none of ours.

Ours differ between recording and replaying, and nobody asked for them. Not covered: tracebacks that the program formats
by itself, and frames of libraries inside a crossing, which a replay doesn't have.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any, cast

from replay.boundary import sites


def install() -> None:
    """Wrap the two hooks that print what nobody caught."""
    hook, in_thread = sys.excepthook, threading.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        prune(error)
        hook(kind, error, error.__traceback__)

    def thread_excepthook(args: Any, /) -> None:
        error = args.exc_value
        prune(error)
        trace = None if error is None else error.__traceback__
        in_thread(threading.ExceptHookArgs((args.exc_type, error, trace, args.thread)))

    system, threads = cast("Any", sys), cast("Any", threading)
    system.excepthook = system.__excepthook__ = excepthook
    threads.excepthook = threads.__excepthook__ = thread_excepthook


def prune(error: BaseException | None) -> None:
    """Take our frames out of its traceback, and out of those it came from."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        found = todo.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        todo += (found.__cause__, found.__context__)
        found.__traceback__ = _pruned(found.__traceback__)


def _pruned(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    each = trace
    while each is not None:
        while each.tb_next is not None and _is_ours(each.tb_next):
            each.tb_next = each.tb_next.tb_next
        each = each.tb_next
    return trace


def _is_ours(trace: TracebackType) -> bool:
    return sites.is_ours(trace.tb_frame.f_code.co_filename)
