"""Who and where the program is, as far as it asks: threads' ids and names, users, processors, disks, use of
resources.

The thread that a pool's job runs on is chance, and so is its name; an id is an address or the kernel's next number.
`threading` and asyncio themselves keep the real ids: they look threads up by them. What a flag said when a thread
looked at it without waiting (`Event.is_set`, `Lock.locked`) is an input, too: no lock orders such a look.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from replay.boundary import originals
from replay.boundary.imports import on_import
from replay.boundary.lanes import nobody, running

_installed = False


def install() -> None:
    """Replace the functions; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    module: Any = threading
    for name in ("get_ident", "get_native_id"):
        setattr(module, name, _drawn(f"threading.{name}", getattr(module, name)))
    module.active_count = module.activeCount = _drawn("threading.active_count", module.active_count)
    kind: Any = threading.Thread
    kind.ident = property(_drawn("thread.ident", kind.ident.fget), doc=kind.ident.__doc__)
    kind.native_id = property(_drawn("thread.ident", kind.native_id.fget), doc=kind.native_id.__doc__)
    kind.name = property(_of_worker(kind.name.fget), kind.name.fset, doc=kind.name.__doc__)
    kind.__repr__ = _drawn("thread.name", kind.__repr__)
    event: Any = threading.Event
    event.is_set = event.isSet = _drawn("thread.polled", event.is_set)
    _patch_machine()
    on_import("logging", _patch_logging)


def _patch_logging(module: Any) -> None:
    """Who finds the cache of levels empty takes a lock; who that is, nothing orders, and it makes no difference."""
    kind: Any = module.Logger
    real = kind.isEnabledFor

    def is_enabled_for(self: Any, level: int) -> bool:
        if running.lane is None or level in self._cache:
            return bool(real(self, level))
        with nobody():
            return bool(real(self, level))

    kind.isEnabledFor = _dressed(is_enabled_for, real)


def _patch_machine() -> None:
    where: Any = os
    for name in ("cpu_count", "getlogin"):
        setattr(where, name, _drawn(f"os.{name}", getattr(where, name)))
    for name in ("getuid", "geteuid", "getgid", "getegid"):
        setattr(where, name, _drawn("os.ids", getattr(where, name)))
    if hasattr(where, "sched_getaffinity"):
        affinity = _drawn("os.sched_getaffinity", _sorted(where.sched_getaffinity))
        where.sched_getaffinity = _dressed(lambda *args: set(affinity(*args)), where.sched_getaffinity)
    for name in ("statvfs", "fstatvfs"):
        if hasattr(where, name):
            setattr(where, name, _volume(getattr(where, name), where.statvfs_result))
    where.uname = _rebuilt("os.uname", where.uname, where.uname_result)
    if "platform" in sys.modules:  # what is cached by now is ours, and was asked past the recording
        platform: Any = sys.modules["platform"]
        platform._uname_cache = None
        platform._platform_cache.clear()
    on_import("resource", _patch_resource)
    on_import("getpass", _patch_getpass)
    on_import("pwd", functools.partial(_patch_entries, ("getpwuid", "getpwnam", "getpwall"), "struct_passwd"))
    on_import("grp", functools.partial(_patch_entries, ("getgrgid", "getgrnam", "getgrall"), "struct_group"))
    where.getgroups = _drawn("os.ids", where.getgroups)
    where.getgrouplist = _drawn("os.ids", where.getgrouplist)


def _patch_entries(names: tuple[str, ...], kind: str, module: Any) -> None:
    """Users and groups: looked up in C, at a service maybe, which a replay must not ask."""
    for name in names:
        setattr(module, name, _entry(getattr(module, name), getattr(module, kind)))


def _entry(real: Callable[..., Any], kind: Callable[[Any], Any]) -> Callable[..., Any]:
    """What isn't there is an answer, too: [what `KeyError` says, or None; the entry, or entries]."""

    def look(*args: Any) -> list[Any]:
        try:
            found = real(*args)
        except KeyError as error:
            return [error.args[0], None]
        return [None, list(found) if args else [list(entry) for entry in found]]

    drawn = _drawn("pwd.entry", look)

    def entry(*args: Any) -> Any:
        if running.lane is None:
            return real(*args)
        problem, found = drawn(*args)
        if problem is not None:
            raise KeyError(problem)
        return kind(found) if args else [kind(one) for one in found]

    return _dressed(entry, real)


def _volume(real: Callable[..., Any], kind: Callable[[Any], Any]) -> Callable[..., Any]:
    """Free space, of the installation's disk as well: [number of the error, or None; its text or the fields]."""

    def look(path: Any) -> list[Any]:
        try:
            found = real(path)
        except OSError as error:
            return [error.errno, error.strerror]
        return [None, [*found, found.f_fsid]]

    drawn = _drawn("os.statvfs", look)

    def volume(path: Any) -> Any:
        if running.lane is None:
            return real(path)
        if not isinstance(path, int):
            os.fspath(path)  # what isn't a path is refused before anything is asked
        problem, found = drawn(path)
        if problem is not None:
            raise OSError(problem, found, *(() if isinstance(path, int) else (path,)))
        return kind(found)

    if real in os.supports_fd:
        os.supports_fd.add(volume)
    return _dressed(volume, real)


def _patch_resource(module: Any) -> None:
    module.getrusage = _rebuilt("resource.getrusage", module.getrusage, module.struct_rusage)


def _patch_getpass(module: Any) -> None:
    module.getuser = _drawn("getpass.getuser", module.getuser)


def _drawn(source: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, as a draw of whoever isn't the interpreter itself."""

    def read(*args: Any) -> Any:
        lane = running.lane
        if lane is None or _is_threading(originals.frame(1)):
            return real(*args)

        def ask() -> Any:
            with nobody():
                return real(*args)

        return lane.door.draw(lane, source, ask)

    return _dressed(read, real)


def _of_worker(real: Callable[..., Any]) -> Callable[..., Any]:
    """Which worker of a pool runs a job is chance; threads in lanes are named by their program."""
    drawn = _drawn("thread.name", real)

    def name(self: Any) -> Any:
        return real(self) if self is _main or hasattr(self, "_replay_lane") else drawn(self)

    return _dressed(name, real)


_main = threading.main_thread()


def _rebuilt(source: str, real: Callable[..., Any], kind: Callable[[Any], Any]) -> Callable[..., Any]:
    """For results that are tuples with names."""
    drawn = _drawn(source, lambda *args: tuple(real(*args)))
    return _dressed(lambda *args: kind(drawn(*args)), real)


def _sorted(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: sorted(real(*args))


def _dressed(function: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = real.__name__
    function.__doc__ = real.__doc__
    return function


def _is_threading(frame: FrameType) -> bool:
    return frame.f_globals is _OWN


_OWN = threading.__dict__
