"""Questions to the file system: crossings whose answer is all there is. At replay the tape gives it.

What the program's own code asks is an event. What an installed library asks for itself (is there a `.netrc`?) is an
entry of the track, which costs a tenth and doesn't show.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, Self

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.imports import on_import
from replay.boundary.lanes import Lane, nobody, running
from replay.runtime.files import scope, world
from replay.runtime.files.opened import handles
from replay.runtime.files.opening import wanted

_REAL = originals.REAL_OS
_frame = originals.frame

Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _dump_fields(found: Any) -> Any:
    """Of a result with named fields, some of which aren't items."""
    fields, more = found.__reduce__()[1]
    return [list(fields), dict(more)]


def _load_stat(value: Any) -> Any:
    return _stat_result(tuple(value[0]), value[1])


_stat_result: Any = os.stat_result

_QUESTIONS: dict[str, tuple[Convert, Convert]] = {
    "stat": (_dump_fields, _load_stat),
    "lstat": (_dump_fields, _load_stat),
    "access": (_same, _same),
    "listdir": (_same, _same),
    "readlink": (_same, _same),
    "getxattr": (_same, _same),
    "listxattr": (_same, _same),
}
_STANDARD = {"follow_symlinks": True, "effective_ids": False}


def install() -> None:
    """Replace the functions in `os`, and `os.path.realpath`."""
    for name, (dump, load) in _QUESTIONS.items():
        real = getattr(os, name, None)
        if real is not None:
            function = _question(name, real, dump, load)
            setattr(os, name, function)
            for group in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if real in group:
                    group.add(function)
    real_scandir, real_fstat, real_realpath = os.scandir, os.fstat, os.path.realpath

    def scandir(path: Any = None) -> Any:
        lane = running.lane
        found = None if lane is None else _asked(path, None, _frame(0).f_back)
        if lane is None or found is None:
            return real_scandir(path)

        def performed() -> list[list[Any]]:
            return _scan(real_scandir, path) if world.view is None else world.view.scan(found[1])

        return Listing(found[0], ask(lane, "scandir", found, {}, performed, _same, _same))

    def fstat(fd: int) -> Any:
        lane = running.lane
        handle = handles.get(fd)
        if lane is None or handle is None:
            return real_fstat(fd)
        found = (handle.path, handle.absolute, scope.asker(_frame(0).f_back))
        return ask(lane, "stat", found, {"open": True}, lambda: real_fstat(fd), _dump_fields, _load_stat)

    def realpath(filename: Any, *, strict: bool = False) -> Any:
        lane = running.lane
        found = None if lane is None else _asked(filename, None, _frame(0).f_back)
        if lane is None:
            return real_realpath(filename, strict=strict)
        if found is None:  # nor are its looks at the directories on the way
            with nobody():
                return real_realpath(filename, strict=strict)
        more = {"strict": True} if strict else {}
        return ask(lane, "realpath", found, more, lambda: real_realpath(filename, strict=strict), _same, _same)

    functions: list[tuple[Any, Any]] = [(scandir, real_scandir), (fstat, real_fstat), (realpath, real_realpath)]
    for function, real in functions:
        functools.update_wrapper(function, real)
    setattr(os, "scandir", scandir)  # noqa: B010
    setattr(os, "fstat", fstat)  # noqa: B010
    setattr(os.path, "realpath", realpath)  # noqa: B010
    os.supports_fd.add(scandir)
    on_import("tempfile", _patch_tempfile)


def _question(name: str, real: Any, dump: Convert, load: Convert) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args, **kwargs)
        path = args[0] if args else kwargs.get("path")
        found = _asked(path, kwargs.get("dir_fd"), _frame(0).f_back)
        if found is None:
            return real(*args, **kwargs)
        more = {
            key: value for key, value in kwargs.items() if key not in ("path", "dir_fd") and _STANDARD.get(key) != value
        }
        if args[1:]:
            more["args"] = list(args[1:])

        def performed() -> Any:
            view = world.view
            if view is None or (isinstance(path, int) and handles[path].kind != "directory"):
                return real(*args, **kwargs)
            options = {key: value for key, value in kwargs.items() if key not in ("path", "dir_fd")}
            return view.ask(name, real, found[1], *args[1:], **options)

        return ask(lane, name, found, more, performed, dump, load)

    return functools.update_wrapper(function, real)


def _asked(path: Any, dir_fd: int | None, frame: Any) -> tuple[Any, str, int] | None:
    if isinstance(path, int):
        handle = handles.get(path)
        return None if handle is None else (handle.path, handle.absolute, scope.asker(frame))
    return wanted("." if path is None else path, dir_fd, frame, writes=False)


def ask(
    lane: Lane,
    name: str,
    found: tuple[Any, str, int],
    more: dict[str, Any],
    real: Callable[[], Any],
    dump: Convert,
    load: Convert,
) -> Any:
    """The answer to a question about `found` (see `wanted`): an event of the program's, a draw of a library's."""
    path, _, asker = found
    if asker == scope.PROGRAM:
        call: Call[Any] = Call("file", name, "read", {"path": path, **more}, dump=dump, load=load)
        return lane.door.cross(lane, call, real)

    def answer() -> Any:
        running.lane = None
        try:
            return ["", dump(real())]
        except OSError as error:
            return [error.strerror, error.errno]
        finally:
            running.lane = lane

    problem, value = _draw(lane, answer)
    if problem:
        raise OSError(value, problem, path)
    return load(value)


def _draw(lane: Lane, real: Callable[[], Any]) -> Any:
    return lane.door.draw(lane, "file.asked", real)


def _scan(real: Any, path: Any) -> list[list[Any]]:
    """What a directory holds: [name, inode, is a directory, a file, a link] of each entry."""
    with real(path) as entries:
        return [[e.name, e.inode(), e.is_dir(), e.is_file(), e.is_symlink()] for e in entries]


class Entry:
    """An `os.DirEntry` whose answers are known."""

    __slots__ = ("_directory", "_file", "_inode", "_link", "name", "path")

    def __init__(self, folder: Any, facts: list[Any]) -> None:
        self.name, self._inode, self._directory, self._file, self._link = facts
        self.path: Any = self.name if isinstance(folder, int) else os.path.join(folder, self.name)

    def inode(self) -> int:
        return int(self._inode)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return bool(self._directory) and (follow_symlinks or not self._link)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return bool(self._file) and (follow_symlinks or not self._link)

    def is_symlink(self) -> bool:
        return bool(self._link)

    def stat(self, *, follow_symlinks: bool = True) -> Any:
        return os.stat(self.path, follow_symlinks=follow_symlinks)

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"


Entry.__name__ = Entry.__qualname__ = "DirEntry"


class Listing:
    """What `os.scandir` returns."""

    def __init__(self, folder: Any, found: list[list[Any]]) -> None:
        self._entries = iter([Entry(folder, facts) for facts in found])

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As the real one: nothing more comes."""
        self._entries = iter(())


def _patch_tempfile(module: Any) -> None:
    """Where temporary files go, and what they are called, is drawn like chance.

    How `tempfile` finds out (it writes a file to see whether it can) is the interpreter's business. Outside of every
    lane a replay keeps to its scratch directory.
    """
    real_directory, real_name = module._gettempdir, module._RandomNameSequence.__next__

    def directory() -> Any:
        lane = running.lane
        if lane is None:
            return world.scratch() or real_directory()
        return _draw(lane, lambda: _as_nobody(real_directory) if world.view is None else "/tmp")

    def name(self: Any) -> str:
        lane = running.lane
        if lane is None:
            return str(real_name(self))
        return str(_draw(lane, lambda: _as_nobody(lambda: real_name(self))))

    module._gettempdir = directory
    module._RandomNameSequence.__next__ = name


def _as_nobody(ask: Callable[[], Any]) -> Any:
    with nobody():
        return ask()
