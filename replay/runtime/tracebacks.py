"""Tracebacks show the program's frames and its libraries', and none of ours: printed at the end, or by the program.

Ours differ between recording and replaying, and nobody asked for them. Frames inside a crossing are recorded with its
error (`cassette.traces`). Not covered: who walks along `tb_next` or `f_back` himself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, FunctionType, TracebackType
from typing import Any, cast

from replay.boundary import sites
from replay.boundary.imports import on_import


def install() -> None:
    """Wrap how the `traceback` module, and with it `logging`, walks through frames, and how pytest shows functions."""
    on_import("traceback", _patch)
    on_import("_pytest.assertion.rewrite", _patch_assertions)


def _patch(module: Any) -> None:
    for name in ("walk_tb", "_walk_tb_with_full_positions", "walk_stack"):
        setattr(module, name, _theirs(getattr(module, name)))


def _patch_assertions(module: Any) -> None:
    """A failed assertion shows the interpreter's function where it called ours, which has an address."""
    show: Any = getattr(module, "_saferepr", None)

    def show_theirs(shown: Any) -> Any:
        return show(_behind(shown))

    if show is not None:
        module._saferepr = show_theirs


def _behind(shown: Any) -> Any:
    if isinstance(shown, FunctionType) and sites.is_ours(shown.__code__.co_filename):
        return getattr(shown, "__wrapped__", shown)
    return shown


def _theirs(walk: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
    def walk_theirs(start: Any) -> Iterator[Any]:
        return filter(_is_theirs, walk(start))  # in C: `walk_stack(None)` counts the frames between it and its user

    walk_theirs.__name__ = walk.__name__
    walk_theirs.__qualname__, walk_theirs.__doc__ = walk.__qualname__, walk.__doc__
    return walk_theirs


def _is_theirs(found: tuple[Any, ...]) -> bool:
    return not _is_ours(found[0])


def install_hooks() -> None:
    """Wrap the two hooks that print what nobody caught: they print in C."""
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
    """Take our frames out of its traceback, out of those it came from, and out of a group's members'."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        found = todo.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        todo += (found.__cause__, found.__context__)
        if isinstance(found, BaseExceptionGroup):
            todo += found.exceptions  # pyright: ignore[reportUnknownMemberType]
        found.__traceback__ = _pruned(found.__traceback__)


def _pruned(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and _is_ours(trace.tb_frame):
        trace = trace.tb_next
    each = trace
    while each is not None:
        while each.tb_next is not None and _is_ours(each.tb_next.tb_frame):
            each.tb_next = each.tb_next.tb_next
        each = each.tb_next
    return trace


def _is_ours(frame: FrameType) -> bool:
    """Or is what a replay has as ours: there the event loop takes its turns from the tape."""
    code = frame.f_code
    return sites.is_ours(code.co_filename) or code.co_qualname == "BaseEventLoop._run_once"
