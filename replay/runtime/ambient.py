"""Clock and chance: every function that reads them asks the door.

- Names in `time`, `os` and `random` are replaced before the program binds them (`from time import time` included).
- `datetime.datetime.now` and `utcnow` live in a C type: they are replaced in the type's own dict, so that callers in C
  and early-bound classes get them too.
- asyncio, selectors and ssl keep private copies of the real functions: they compute timeouts with them, and nothing
  else. `threading`, `queue` and `concurrent.futures` read the clock to decide whether a wait has timed out, which the
  program sees; their reads are recorded.
- `random` is seeded anew when recording begins; the seed is in the header, so its stream needs no record.
  `random.Random()` without a seed draws one through `os.urandom`.
"""

from __future__ import annotations

import ctypes
import datetime
import functools
import gc
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from replay.boundary import originals
from replay.boundary.door import LOG_LIMIT
from replay.boundary.imports import on_import
from replay.boundary.interrupts import pending
from replay.boundary.lanes import nobody, running
from replay.boundary.originals import frame as frame_at
from replay.boundary.schedule import DRAW
from replay.boundary.sources import NUMBER

_CLOCKS = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "thread_time_ns",
)
_PRIVATE_TIME = ("selectors", "ssl", "socketserver", "multiprocessing.connection")
_BOUND_EARLY = (("threading", "_time"), ("queue", "time"))
_installed = False


def install() -> None:
    """Replace the functions; idempotent. Without a lane each costs one attribute look-up more than before."""
    global _installed
    if _installed:
        return
    _installed = True
    for name in _CLOCKS:
        setattr(time, name, _reader(f"time.{name}", getattr(time, name)))
    for name in ("clock_gettime", "clock_gettime_ns"):
        setattr(time, name, _reader_with_arguments(f"time.{name}", getattr(time, name)))
    for name in ("localtime", "gmtime", "ctime", "asctime"):
        setattr(time, name, _now_by_default(name, getattr(time, name)))
    setattr(time, "strftime", _strftime(time.strftime))  # noqa: B010 - typeshed knows no assignment to it
    setattr(time, "sleep", _sleep(time.sleep))  # noqa: B010
    urandom = _reader_with_arguments("os.urandom", os.urandom)
    setattr(os, "urandom", urandom)  # noqa: B010
    setattr(random, "_urandom", urandom)  # noqa: B010
    if hasattr(os, "getrandom"):
        setattr(os, "getrandom", _reader_with_arguments("os.getrandom", os.getrandom))  # noqa: B010
    setattr(os, "getpid", _reader("os.getpid", os.getpid))  # noqa: B010
    setattr(os, "times", _times(os.times))  # noqa: B010
    setattr(random.Random, "seed", _seed(random.Random.seed))  # noqa: B010
    _patch_datetime()
    for module in _PRIVATE_TIME:
        on_import(module, _keep_real_time)
    for module, name in _BOUND_EARLY:
        if module in sys.modules:
            setattr(sys.modules[module], name, time.monotonic)
    on_import("uuid", _patch_uuid)
    on_import("platform", _patch_platform)
    on_import("socket", _patch_hostname)
    on_import("ctypes.util", _patch_find_library)
    on_import("ssl", _patch_openssl)
    for name in ("getppid", "getloadavg"):
        if hasattr(os, name):
            setattr(os, name, _reader(f"os.{name}", getattr(os, name)))


def _reader(source: str, real: Callable[[], Any], above: int = 1) -> Callable[[], Any]:
    """The hot path of a recording: it leaves what it reads in the door's log itself. `above`: frames to the reader."""
    number = NUMBER[source]

    def read() -> Any:
        lane = running.lane
        if lane is None:
            return real()
        log = lane.log
        if log is None:
            return lane.door.draw(lane, source, real)
        if pending or len(log) > LOG_LIMIT:
            lane.door.before_read(lane)
        value = real()
        try:
            frame = frame_at(above)
        except ValueError:  # the interpreter itself reads: an exit handler, a finaliser
            frame = frame_at(0)
        log.append((DRAW, lane.number, number, value, frame.f_code, frame.f_lasti))
        return value

    return _dress(read, real)


def _reader_with_arguments(source: str, real: Callable[..., Any]) -> Callable[..., Any]:
    number = NUMBER[source]

    def read(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args, **kwargs)
        log = lane.log
        if log is None:
            return lane.door.draw(lane, source, lambda: real(*args, **kwargs))
        if pending or len(log) > LOG_LIMIT:
            lane.door.before_read(lane)
        value = real(*args, **kwargs)
        try:
            frame = frame_at(1)
        except ValueError:
            frame = frame_at(0)
        log.append((DRAW, lane.number, number, value, frame.f_code, frame.f_lasti))
        return value

    return _dress(read, real)


def _dress(read: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    read.__name__ = real.__name__
    read.__qualname__ = getattr(real, "__qualname__", real.__name__)
    read.__doc__ = real.__doc__
    read.__module__ = real.__module__ or "time"
    setattr(read, "__wrapped__", real)  # noqa: B010 - the way back, as functools.wraps leaves it
    return read


def _now_by_default(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """`localtime()` reads the clock itself when it is given none."""
    if name == "asctime":

        def asctime(*args: Any) -> Any:
            return real(*args) if args else real(time.localtime())

        return _dress(asctime, real)

    def read(*args: Any) -> Any:
        lane = running.lane
        if lane is None or (args and args[0] is not None):
            return real(*args)
        return real(lane.door.draw(lane, "time.time", originals.REAL_TIME.time))

    return _dress(read, real)


def _strftime(real: Callable[..., str]) -> Callable[..., str]:
    def strftime(*args: Any) -> str:
        return real(*args) if len(args) != 1 else real(args[0], time.localtime())

    return _dress(strftime, real)


def _sleep(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        lane = running.lane
        if lane is None:
            real(seconds)
        else:
            lane.door.pause(lane, lambda: real(seconds))

    return _dress(sleep, real)


def _times(real: Callable[[], Any]) -> Callable[[], Any]:
    def times() -> Any:
        lane = running.lane
        if lane is None:
            return real()
        return os.times_result(lane.door.draw(lane, "os.times", lambda: tuple(real())))

    return _dress(times, real)


def _seed(real: Callable[..., None]) -> Callable[..., None]:
    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        if a is None and running.lane is not None:
            a = int.from_bytes(os.urandom(32), "big")
        real(self, a, version)

    return _dress(seed, real)


def _patch_datetime() -> None:
    kind: Any = datetime.datetime
    wall = _reader("datetime.now", originals.wall_ns, above=2)

    def now(cls: Any, tz: datetime.tzinfo | None = None) -> Any:
        seconds, rest = divmod(wall(), 1_000_000_000)
        return cls.fromtimestamp(seconds, tz).replace(microsecond=rest // 1000)

    def utcnow(cls: Any) -> Any:
        seconds, rest = divmod(wall(), 1_000_000_000)
        return cls.fromtimestamp(seconds, datetime.UTC).replace(microsecond=rest // 1000, tzinfo=None)

    def today(cls: Any) -> Any:
        seconds, rest = divmod(wall(), 1_000_000_000)
        return cls.fromtimestamp(seconds).replace(microsecond=rest // 1000)

    own = gc.get_referents(kind.__dict__)[0]  # the dict behind the read-only view
    for name, function in (("now", now), ("utcnow", utcnow), ("today", today)):
        function.__doc__ = getattr(kind, name).__doc__
        function.__qualname__ = f"datetime.{name}"
        own[name] = classmethod(function)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _keep_real_time(module: Any) -> None:
    """Give an interpreter module the real clock back, however it imported it."""
    names: dict[str, Any] = module.__dict__
    for name, value in list(names.items()):
        if value is time:
            names[name] = originals.REAL_TIME
        elif hasattr(value, "__wrapped__") and value is getattr(time, name.lstrip("_"), None):
            names[name] = getattr(value, "__wrapped__")  # noqa: B009 - the way back that `_dress` left


def _patch_uuid(module: Any) -> None:
    """uuid1 and uuid6 ask a C library and the network card; made from clock and chance instead, they are draws."""
    module._generate_time_safe = None
    module._UuidCreate = None
    real = module.getnode

    def getnode() -> int:
        lane = running.lane
        return real() if lane is None else lane.door.draw(lane, "uuid.getnode", ask)  # type: ignore[no-any-return]

    def ask() -> int:
        with nobody():  # the first time it may start a process
            return real()  # type: ignore[no-any-return]

    module.getnode = _dress(getnode, real)


def _patch_platform(module: Any) -> None:
    """`platform.processor()`, which every SDK asks for its user agent, starts a process to find out."""
    kind: Any = getattr(module, "_Processor", None)
    if kind is None or not hasattr(kind, "from_subprocess"):
        return
    kind.from_subprocess = staticmethod(_asker("platform.processor", functools.cache(kind.from_subprocess)))
    if sys.version_info >= (3, 12):  # its cache has no lock any more: which threads find it empty is chance
        module.uname_result.processor = property(lambda _self: module._unknown_as_blank(kind.get()))


def _patch_hostname(module: Any) -> None:
    module.gethostname = _reader("socket.gethostname", module.gethostname)


def _patch_find_library(module: Any) -> None:
    """It starts `ldconfig` and a compiler to find out; libraries ask at import."""
    module.find_library = _asker("ctypes.find_library", module.find_library)


def _patch_openssl(module: Any) -> None:
    module.RAND_bytes = _reader_with_arguments("ssl.RAND_bytes", module.RAND_bytes)


def _asker(source: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """A draw whose real function does more than read: what it does, it does as nobody."""

    def read(*args: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args)

        def ask() -> Any:
            with nobody():
                return real(*args)

        return lane.door.draw(lane, source, ask)

    return _dress(read, real)


def early_bound() -> tuple[tuple[str, str], ...]:
    """(module, name) of program modules that had bound a real clock before recording began: reads nobody sees."""
    return _early_bound(len(sys.modules))


@functools.lru_cache(maxsize=1)
def _early_bound(_modules: int) -> tuple[tuple[str, str], ...]:
    """It takes 10 ms where a thousand modules are: a server asks at the end of each request."""
    real = {id(getattr(originals.REAL_TIME, name)): name for name in _CLOCKS}
    found: list[tuple[str, str]] = []
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] in sys.stdlib_module_names or module_name.startswith("replay"):
            continue
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if id(value) in real:
                found.append((module_name, name))
    return tuple(found)
