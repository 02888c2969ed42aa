"""Changes to the file system: effects. At replay their outcome is the recorded one, and the overlay is changed.

Also here: the working directory, which the program changes like anything else; at replay it is what was recorded.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.runtime.files import world
from replay.runtime.files.opened import handles
from replay.runtime.files.opening import wanted

_frame = originals.frame
_ONE = (
    "mkdir rmdir remove unlink truncate chmod lchmod chown lchown utime setxattr removexattr mkfifo mknod chflags"
).split()
_TWO = "rename replace link symlink".split()
_PLACES = frozenset(("path", "src", "dst", "dir_fd", "src_dir_fd", "dst_dir_fd"))
_STANDARD = {"follow_symlinks": True, "target_is_directory": False}


def install() -> None:
    """Replace the functions in `os`."""
    for name in (*_ONE, *_TWO):
        real = getattr(os, name, None)
        if real is not None:
            function = _change(name, real, two=name in _TWO)
            setattr(os, name, function)
            for group in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if real in group:
                    group.add(function)
    _install_directory()


def _change(name: str, real: Any, *, two: bool) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args, **kwargs)
        request = _request(name, args, kwargs, _frame(0).f_back, two=two)
        if request is None:
            return real(*args, **kwargs)
        absolute, other = request.pop("absolute"), request.pop("other", None)
        call: Call[Any] = Call("file", name, "write", request)

        def load(_: Any) -> None:
            _apply(name, absolute, other, request)

        call.load = load

        def perform() -> Any:
            view = world.view
            if view is None:
                return real(*args, **kwargs)
            options = {key: value for key, value in kwargs.items() if key not in _PLACES}
            return view.change(name, absolute, other, args[1 + two :], options)

        return lane.door.cross(lane, call, perform)

    return functools.update_wrapper(function, real)


def _request(name: str, args: Any, kwargs: dict[str, Any], frame: Any, *, two: bool) -> dict[str, Any] | None:
    """What is asked, by the names that `replay show` prints; None where it isn't the program's."""
    rest = dict(kwargs)
    path = args[0] if args else rest.pop("src" if two else "path", None)
    place = rest.pop("src_dir_fd" if two else "dir_fd", None)
    request: dict[str, Any] = {}
    if name == "symlink":  # what it says needn't be there
        request["target"], path, place = (
            os.fspath(path),
            args[1] if len(args) > 1 else rest.pop("dst", None),
            rest.pop("dir_fd", None),
        )
    if isinstance(path, int):
        handle = handles.get(path)
        found = None if handle is None else (handle.path, handle.absolute, 0)
    else:
        found = wanted(path, place, frame, writes=True)
    if found is None:
        return None
    request["path"], request["absolute"] = found[0], found[1]
    taken = 1
    if two:
        taken = 2
        if name != "symlink":
            to = args[1] if len(args) > 1 else rest.pop("dst", None)
            there = wanted(to, rest.pop("dst_dir_fd", None), frame, writes=True)
            if there is None:
                return None
            request["to"], request["other"] = there[0], there[1]
    more = list(args[taken:])
    if more:
        request["args"] = more
    request.update((key, value) for key, value in rest.items() if _STANDARD.get(key) != value)
    return request


def _apply(name: str, absolute: str, other: str | None, request: dict[str, Any]) -> None:
    """At replay, in the turn that the change had."""
    if name == "truncate":
        length = request["args"][0] if "args" in request else request["length"]
        world.truncate(absolute, length)
    else:
        world.change(name, absolute, other)


def _install_directory() -> None:
    real_getcwd, real_chdir, real_fchdir = os.getcwd, os.chdir, os.fchdir

    def getcwd() -> str:
        return world.cwd()

    def getcwdb() -> bytes:
        return os.fsencode(world.cwd())

    def chdir(path: Any) -> None:
        lane = running.lane
        if lane is None:
            real_chdir(path)
            return
        handle = handles.get(path) if isinstance(path, int) else None
        if isinstance(path, int):
            name: Any = path if handle is None else handle.path
        else:
            name = world.named(os.fspath(path))
        call: Call[str] = Call("file", "chdir", "read", {"path": name}, load=_enter)

        def perform() -> str:
            if world.view is not None:
                return world.view.enter(world.absolute(name if handle is None else handle.absolute))
            real_chdir(path)
            return real_getcwd()

        found = lane.door.cross(lane, call, perform)
        if world.view is not None:
            _enter(found)

    def fchdir(fd: int) -> None:
        if fd in handles:
            chdir(fd)
        else:
            real_fchdir(fd)

    functions: list[tuple[Any, Any]] = [
        (getcwd, real_getcwd),
        (getcwdb, os.getcwdb),
        (chdir, real_chdir),
        (fchdir, real_fchdir),
    ]
    for function, real in functions:
        setattr(os, real.__name__, functools.update_wrapper(function, real))
    os.supports_fd.add(chdir)


def _enter(directory: str) -> str:
    world.set_cwd(directory)
    return directory
