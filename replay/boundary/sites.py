"""Call sites: which line of the program's own code crossed the boundary.

A file is *library* code when it lies in the standard library, in a `site-packages`/`dist-packages` folder, or is ours;
everything else is the program. Where the whole stack is library code (a console script whose logic is installed), the
outermost frame that isn't ours is the site.
"""

from __future__ import annotations

import os
import sysconfig
from functools import cache
from types import CodeType, FrameType

from replay.boundary import originals

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OURS_TO_PROGRAMS = os.path.join(_OURS, "demo") + os.sep  # the demo agent is a program, not the recorder
_STDLIB = tuple(
    {
        os.path.realpath(path) + os.sep
        for name in ("stdlib", "platstdlib")
        if (path := sysconfig.get_paths().get(name)) is not None
    }
    | {path + os.sep for name in ("stdlib", "platstdlib") if (path := sysconfig.get_paths().get(name)) is not None}
)


@cache
def is_ours(filename: str) -> bool:
    """Whether a code object's file belongs to this package."""
    return filename.startswith(_OURS) and not filename.startswith(_OURS_TO_PROGRAMS)


@cache
def is_library(filename: str) -> bool:
    """Whether a code object's file is library code (standard library, installed package, ours)."""
    if filename.startswith("<"):
        return filename not in ("<string>", "<stdin>")
    if is_ours(filename):
        return True
    parts = filename.split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts or filename.startswith(_STDLIB)


class _Known(dict[str, bool]):
    """`is_library` for loops: three times as fast as a cached function."""

    def __missing__(self, filename: str) -> bool:
        known = self[filename] = is_library(filename)
        return known


LIBRARY = _Known()


@cache
def _rank(filename: str) -> int:
    """0 the program, 1 a library, 2 nobody's: ours or made up by the interpreter."""
    if not is_library(filename):
        return 0
    return 2 if is_ours(filename) or filename.startswith("<") else 1


def program_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the program at or above `frame`, else the outermost that isn't ours."""
    outermost = None
    while frame is not None:
        rank = _rank(frame.f_code.co_filename)
        if not rank:
            return frame
        if rank == 1:
            outermost = frame
        frame = frame.f_back
    return outermost


def caller() -> FrameType | None:
    """The program's frame that led to the function that calls this."""
    return program_frame(originals.frame(2))


def caller_site() -> str | None:
    """The same as `file:line`."""
    frame = program_frame(originals.frame(2))
    return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def line_of(code: CodeType, lasti: int) -> int:
    """Line of a bytecode offset: draws keep only (code, offset) in the hot path."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            return number
        if number is not None and start <= lasti:
            line = number
    return line
