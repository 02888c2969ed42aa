"""Frames that an exception went through inside a crossing, as its outcome stores them, and a traceback made of them.

What happens inside a crossing doesn't happen at replay, but programs print it and send it to their models. Nothing
stored is compiled or run: frames are those of a generator that never begins, whose code says other names and places.

A cassette may be somebody else's, and whoever prints a traceback reads the files that it names and shows their lines.
So frames are made only of files that are sources, and of names without control characters.

Tried and rejected: printing a traceback as a crossing of its own (programs send them, too); leaving out the frames of
libraries in both modes (a recorded program would see another traceback than an unrecorded one).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import islice
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any, Final

Ours = Callable[[str], bool]
"""Whether the code of that file belongs to the recorder."""

_NEVER: Final[CodeType] = (lambda: (yield)).__code__  # pyright: ignore[reportUnknownLambdaType]

_HALF: Final = 1000
"""Of a longer traceback this many outermost and as many innermost frames are kept."""

_OUTSIDE: Final = BaseException("what is being handled outside of the crossing")
_LARGEST: Final = 1 << 30
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def add(state: dict[str, Any], error: BaseException, part: Callable[[BaseException], object], ours: Ours) -> None:
    """Add to an exception's stored state what its traceback shows: frames, context, and the frames of what led to it.

    Args:
        part: makes an exception that led to this one storable, in the same way.
    """
    places: dict[tuple[CodeType, int], int] = {}
    frames: list[list[Any]] = []
    trace: list[int] = []
    step = error.__traceback__
    while step is not None:
        code, at = step.tb_frame.f_code, max(step.tb_lasti, 0)
        if not ours(code.co_filename):
            number = places.setdefault((code, at), len(frames))
            if number == len(frames):
                frames.append([code.co_filename, code.co_name, *_position(code, at, step.tb_lineno)])
            trace.append(number)
        step = step.tb_next
    if trace:
        state["frames"] = frames
        state["trace"] = trace if len(trace) <= 2 * _HALF else trace[:_HALF] + trace[-_HALF:]
    cause, context = error.__cause__, error.__context__
    if cause is not None:
        state["cause"] = part(cause)
    elif context is not None and not error.__suppress_context__:
        outside = _is_handled_outside(context)
        state["context"] = True if outside else part(context)
    if isinstance(error, BaseExceptionGroup):
        members: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
        state["args"] = (error.message, [part(member) for member in members])


def restore(error: BaseException, state: dict[str, Any]) -> None:
    """Give an exception the traceback and the context of its stored state.

    Raises:
        TypeError, ValueError, IndexError: the state isn't what `add` made.
    """
    stored: list[list[Any]] = state.get("frames", [])
    frames = [_frame(*place) for place in stored]
    trace: TracebackType | None = None
    numbers: list[int] = state.get("trace", [])
    for number in reversed(numbers):
        frame = frames[number]
        if frame is not None:
            trace = TracebackType(trace, frame, 0, frame.f_code.co_firstlineno)
    error.__traceback__ = trace
    context = state.get("context")
    if context is True:
        error.__context__ = _OUTSIDE
    elif isinstance(context, BaseException):
        error.__context__ = context


def link(error: BaseException, outside: BaseException | None) -> None:
    """Say what is being handled where the crossing is: it is below what was handled inside."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        found = todo.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        if found.__context__ is _OUTSIDE:
            found.__context__ = outside
        else:
            todo.append(found.__context__)
        todo.append(found.__cause__)
        if isinstance(found, BaseExceptionGroup):
            todo += found.exceptions  # pyright: ignore[reportUnknownMemberType]


def _position(code: CodeType, at: int, line: int | None) -> tuple[int | None, int | None, int | None, int | None]:
    """Line (0 where there is none), last line, column, last column, as far as they are known."""
    found = next(islice(code.co_positions(), at // 2, None), None)
    if found is not None and found[0] is not None:
        return found
    return line or 0, None, None, None


def _is_handled_outside(error: BaseException) -> bool:
    """Whether a function that is still running caught it: then it isn't of the crossing."""
    trace = error.__traceback__
    frame: FrameType | None = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    while frame is not None and trace is not None:
        if frame is trace.tb_frame:
            return True
        frame = frame.f_back
    return trace is None


def _frame(file: Any, name: Any, line: Any, *rest: Any) -> FrameType | None:
    """A frame that seems to be at that place; None for one that nobody should look at."""
    end_line, column, end_column = rest
    if type(line) is not int or any(
        n is not None and (type(n) is not int or not 0 <= n < _LARGEST) for n in (line, *rest)
    ):
        raise ValueError("a place of other types")
    if _CONTROL.search(file + name) or not _is_source(file):
        return None
    units = len(_NEVER.co_code) // 2
    if end_line is None or column is None or end_column is None or end_line < line:
        where, kind = b"\0", _NO_COLUMNS
    else:
        where, kind = b"\0" + b"".join(map(_number, (end_line - line, column + 1, end_column + 1))), _LONG
    table = b"".join(bytes([0x80 | kind << 3 | min(units - at, 8) - 1]) + where for at in range(0, units, 8))
    code = _NEVER.replace(co_filename=file, co_name=name, co_qualname=name, co_firstlineno=line, co_linetable=table)
    made: Any = FunctionType(code, {})()
    frame: FrameType = made.gi_frame
    return frame


_NO_COLUMNS: Final = 13
_LONG: Final = 14
"""Kinds of entries in a code object's table of places, each for up to 8 units (CPython's `Objects/locations.md`)."""


def _number(value: int) -> bytes:
    digits = bytearray()
    while value >= 64:
        digits.append(0x40 | value & 63)
        value >>= 6
    digits.append(value)
    return bytes(digits)


def _is_source(file: str) -> bool:
    """Nobody's file (`<frozen …>`), or one that holds Python by its name or because it is what runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return file.endswith(".py") or (file.startswith("<") and file.endswith(">")) or file == main
