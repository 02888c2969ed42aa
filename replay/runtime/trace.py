"""What values the lines of a program produced, for `replay doctor`: written while recording, and again at replay.

After each line of the program's own code, the values of its names are put in words that depend on contents, never on
addresses, except that a set is told in the order it iterates. Arguments and results of the program's functions, too. A
line of the file is a JSON array:

    ["L", number, file, line, function, [names it reads]]   a line of the source, before it is spoken of
    ["V", lane, number, name, value]     what the name was after the line
    ["A", lane, number, name, value]     an argument that the line passed to a function of the program
    ["R", lane, number, caller, value]   what the line returned; `caller`: number of the line that called, or null

Nothing of the program is called, not even a `__repr__`.
"""

from __future__ import annotations

import dis
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any, cast
from zlib import crc32

from replay.boundary import originals, sites
from replay.boundary.lanes import Lane, running

MOST = 400_000
"""Entries; what comes after isn't traced."""
_LOADS = frozenset({"LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FAST_CHECK"})
_STORES = frozenset({"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"})
_MANY_OF = frozenset({list, tuple, set, frozenset})
_ITERATE: Any = getattr(tuple, "__iter__")  # noqa: B009 - not one that a class of the program has made
_PLAIN = frozenset({int, float, bool, complex, type(None)})
_TELLING = frozenset({"datetime", "decimal", "uuid", "fractions", "pathlib"})
_GENERATES = 0x20 | 0x80 | 0x100 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR
_MANY, _LONG, _DEEP = 24, 160, 3

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""What a line reads; what it reads or sets."""


class Trace:
    """Traces this process into a file, which must not exist."""

    def __init__(self, path: str) -> None:
        self._file = originals.os_open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._lines: dict[tuple[CodeType, int], int] = {}
        self._names: dict[CodeType, dict[int, Names]] = {}
        self._held: list[str] = []
        self._lock = originals.allocate_lock()
        self._count = 0

    def install(self) -> None:
        """For the frames and threads that begin from now on."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def flush(self) -> None:
        """Everything so far is in the file."""
        with self._lock:
            held, self._held = self._held, []
        if held:
            originals.os_write(self._file, "".join(held).encode("utf-8", "backslashreplace"))

    def _enter(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        if not _outside(running.lane) or self._count > MOST or not _is_program(frame):
            return None
        self._arguments(frame)
        return _Frame(self, frame).step

    def _arguments(self, frame: FrameType) -> None:
        code, caller = frame.f_code, frame.f_back
        lane = running.lane
        if frame.f_lasti > 8 or lane is None or caller is None or not _is_program(caller):
            return  # it goes on after a pause; or a library calls
        number = self.number(caller.f_code, caller.f_lineno)
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            self.add("A", lane.path, number, name, show(frame.f_locals.get(name)))

    def add(self, kind: str, lane: str, number: int, about: str | int | None, value: str | None) -> None:
        if value is None:
            return
        self._count += 1
        self._hold([kind, lane, number, about, value])

    def number(self, code: CodeType, line: int) -> int:
        """Of a line of the source."""
        found = self._lines.get((code, line))
        if found is None:
            found = self._lines[code, line] = len(self._lines)
            reads = list(self.names(code).get(line, ((), ()))[0])
            self._hold(["L", found, code.co_filename, line, code.co_name, reads])
        return found

    def names(self, code: CodeType) -> dict[int, Names]:
        """By line."""
        found = self._names.get(code)
        if found is None:
            found = self._names[code] = _names(code)
        return found

    def _hold(self, entry: list[Any]) -> None:
        self._held.append(json.dumps(entry) + "\n")
        if len(self._held) > 2000:
            self.flush()


class _Frame:
    """One call of a function: where it is."""

    def __init__(self, trace: Trace, frame: FrameType) -> None:
        self._trace = trace
        self._names = trace.names(frame.f_code)
        self._line = 0

    def step(self, frame: FrameType, event: str, arg: Any) -> Any:
        lane = running.lane
        if lane is not None and _outside(lane) and event in ("line", "return"):
            self._after(frame, lane.path)
            if event == "return" and not frame.f_code.co_flags & _GENERATES and frame.f_code.co_name != "<module>":
                caller = frame.f_back
                program = caller is not None and _is_program(caller)
                called = self._trace.number(caller.f_code, caller.f_lineno) if caller is not None and program else None
                number = self._trace.number(frame.f_code, self._line or frame.f_lineno)
                self._trace.add("R", lane.path, number, called, show(arg))
        self._line = frame.f_lineno
        return self.step

    def _after(self, frame: FrameType, lane: str) -> None:
        """The line before has ended."""
        found = self._names.get(self._line)
        if found is None:
            return
        values = frame.f_locals
        for name in found[1]:
            value = values[name] if name in values else frame.f_globals.get(name, _is_program)
            told = show(value)
            if told is not None:
                self._trace.add("V", lane, self._trace.number(frame.f_code, self._line), name, told)


def _outside(lane: Lane | None) -> bool:
    """Whether a replay comes by here in any case: the bodies of tools may not run."""
    return lane is not None and lane.outer is None


def _is_program(frame: FrameType) -> bool:
    """Whether it is a line of the program's source; classes are made of code without any, also where `-c` has some."""
    name = frame.f_code.co_filename
    return not sites.LIBRARY[name] and (name != "<string>" or frame.f_globals.get("__name__") == "__main__")


def _names(code: CodeType) -> dict[int, Names]:
    reads: dict[int, dict[str, None]] = {}
    every: dict[int, dict[str, None]] = {}
    line = code.co_firstlineno
    for instruction in dis.get_instructions(code):
        if instruction.starts_line is not None:
            line = int(instruction.starts_line)
        if instruction.opname in _LOADS:
            reads.setdefault(line, {})[str(instruction.argval)] = None
        if instruction.opname in _LOADS or instruction.opname in _STORES:
            every.setdefault(line, {})[str(instruction.argval)] = None
    return {line: (tuple(reads.get(line, ())), tuple(names)) for line, names in every.items()}


def show(value: Any, depth: int = _DEEP) -> str | None:
    """A value in words; None where it has none that could differ (functions, classes, modules)."""
    kind = _kind(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is str or kind is bytes:
        return _short(repr(value))
    if isinstance(value, (type, ModuleType)) or (callable(value) and kind.__module__ in ("builtins", "functools")):
        return None
    if not depth:
        return "…"
    try:
        return _short(_deep(value, kind, depth - 1))
    except (RuntimeError, AttributeError, TypeError):
        return f"<{kind.__qualname__}>"  # it changes while we look


def _kind(value: Any) -> Any:
    return cast("Any", type(value))  # nothing of it is asked that a checker knows


def _deep(value: Any, kind: Any, depth: int) -> str:
    if kind is dict:
        words = [f"{show(key, depth)}: {show(each, depth)}" for key, each in list(value.items())]
        return f"{{{_some(words)}}}"
    if kind in _MANY_OF or issubclass(kind, tuple):
        iterate: Callable[[Any], Iterator[Any]] = _ITERATE if issubclass(kind, tuple) else iter
        words = [show(each, depth) or "-" for each in list(iterate(value))]
        return f"{kind.__name__}[{len(words)}]({_some(words)})"
    if kind.__module__ in _TELLING:
        return repr(value)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None or sites.LIBRARY[file]:
        return f"<{kind.__qualname__}>"
    state: dict[str, Any] = object.__getattribute__(value, "__dict__")
    words = [f"{name}={show(each, depth)}" for name, each in list(state.items())]
    return f"{kind.__qualname__}({_some(words)})"


def _some(words: list[str]) -> str:
    rest = words[_MANY:]
    more = [f"… {len(rest)} more #{crc32(chr(0).join(rest).encode('utf-8', 'replace')):08x}"] if rest else []
    return ", ".join([*words[:_MANY], *more])


def _short(text: str) -> str:
    if len(text) <= _LONG:
        return text
    return f"{text[:_LONG]}… #{crc32(text.encode('utf-8', 'replace')):08x}"
