"""multiprocessing: what a parent does with its children, by value, so that it replays without any of them.

Each call of a process, a connection, a queue or a lock is a crossing: what it gave back is recorded as a value, never
as the bytes that travelled, which would have to be unpickled. At replay no child runs and nothing is sent.

What the machinery does for itself (feeder threads, the resource tracker, exit handlers) is nobody's. Pools are in
`replay.seams._pools`.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.runtime import descent
from replay.runtime.files import world
from replay.seams import _pools
from replay.seams._seam import aside, patch
from replay.seams._shown import function_name, shown


def install(module: ModuleType) -> None:
    """Patch one of multiprocessing's modules."""
    _PATCHES[module.__name__](module)


def _process(module: Any) -> None:
    _own_pid(module)

    # Sets of processes (`active_children`) iterate alike in every execution.
    def by_number(self: Any) -> int:
        return hash(self._identity)

    module.BaseProcess.__hash__ = by_number


def _own_pid(module: Any) -> None:
    """Whether a process is still the one that made an object: no input of the program."""
    own: Any = originals.private_copy(os)
    own.getpid = descent.own_pid
    module.os = own


def _util(module: Any) -> None:
    _own_pid(module)
    atexit.unregister(module._exit_function)
    patch(module, "_exit_function", aside)
    atexit.register(module._exit_function)


def _popen(module: Any) -> None:
    kind: Any = module.Popen
    if "poll" in vars(kind):
        patch(kind, "poll", _of_child("poll", "read", "flag"))
    if module.__name__.endswith("popen_fork"):
        patch(kind, "__init__", _start)
        patch(kind, "wait", _of_child("wait", "read", "timeout"))
        patch(kind, "_send_signal", _of_child("signal", "write", "signal"))


def _start(original: Callable[..., None]) -> Callable[..., None]:
    def start(self: Any, process: Any) -> None:
        lane = running.lane
        if lane is None:
            original(self, process)
            return
        request = {"name": process._name, "target": function_name(process._target), "method": self.method}

        def answered(found: Any) -> None:
            """There is no child: whatever is done with this one later is answered, or does nothing."""
            self.returncode = None
            self.pid = found["pid"]
            self._replay_answered = True
            self.sentinel, other = os.pipe()
            util: Any = sys.modules["multiprocessing.util"]
            self.finalizer = util.Finalize(self, util.close_fds, (self.sentinel, other))

        call: Call[Any] = Call("process", "multiprocessing.start", "write", request)
        call.dump, call.load = functools.partial(_identity, self), answered
        lane.door.cross(lane, call, lambda: original(self, process))
        self._replay_started = True

    return start


def _identity(self: Any, _: None) -> dict[str, int]:
    return {"pid": self.pid}


def _of_child(name: str, effect: Any, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A method of what stands for a child that was started; how the child ended, where that is known."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            lane = running.lane
            if self.returncode is not None:
                return self.returncode
            if lane is None or not hasattr(self, "_replay_started"):
                if hasattr(self, "_replay_answered"):
                    return None
                with nobody():
                    return original(self, *args, **kwargs)
            request = {"pid": self.pid, **dict(zip(arguments, args, strict=False)), **kwargs}
            call: Call[Any] = Call("process", f"multiprocessing.{name}", effect, request)
            found = lane.door.cross(lane, call, lambda: original(self, *args, **kwargs))
            self.returncode = found
            return found

        return method

    return wrap


# -- connections and queues ------------------------------------------------------------------------------------------


def crossing(
    name: str, effect: Any, describe: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A method whose result is the world's answer. `describe(*args)`: its request; nothing by default."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            lane = running.lane
            if lane is None:
                return original(self, *args, **kwargs)
            if getattr(self, "_replay_aside", False):
                with nobody():
                    return original(self, *args, **kwargs)
            request = None if describe is None else describe(*args, **kwargs)
            call: Call[Any] = Call("process", name, effect, request)
            return lane.door.cross(lane, call, lambda: original(self, *args, **kwargs))

        return method

    return wrap


def _object(item: Any, *_: Any, **__: Any) -> Any:
    return {"object": shown(item)}


def _bytes(buffer: Any, offset: int = 0, size: int | None = None) -> Any:
    data = bytes(buffer)[offset:]
    return {"bytes": data if size is None else data[:size]}


def _timing(*args: Any, **kwargs: Any) -> Any:
    return {"args": list(args), **kwargs} if args or kwargs else None


def _connection(module: Any) -> None:
    kind = module._ConnectionBase
    patch(kind, "send", crossing("Connection.send", "write", _object))
    patch(kind, "send_bytes", crossing("Connection.send_bytes", "write", _bytes))
    patch(kind, "recv", crossing("Connection.recv", "read"))
    patch(kind, "recv_bytes", crossing("Connection.recv_bytes", "read", _timing))
    patch(kind, "poll", crossing("Connection.poll", "read", _timing))
    patch(kind, "recv_bytes_into", _receive_into)
    patch(module, "wait", _wait_for_any)


def _receive_into(original: Callable[..., int]) -> Callable[..., int]:
    def receive(self: Any, buffer: Any, offset: int = 0) -> int:
        lane = running.lane
        if lane is None:
            return original(self, buffer, offset)

        def perform() -> bytes:
            count = original(self, buffer, offset)
            return bytes(memoryview(buffer).cast("B")[offset : offset + count])

        call: Call[bytes] = Call("process", "Connection.recv_bytes", "read")
        data = lane.door.cross(lane, call, perform)
        memoryview(buffer).cast("B")[offset : offset + len(data)] = data
        return len(data)

    return receive


def _wait_for_any(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def wait(object_list: Any, timeout: float | None = None) -> list[Any]:
        lane = running.lane
        if lane is None:
            return original(object_list, timeout)
        objects = list(object_list)
        call: Call[Any] = Call("process", "connection.wait", "read", {"of": len(objects), "timeout": timeout})

        def numbers(ready: list[Any]) -> list[int]:
            return [number for number, each in enumerate(objects) if each in ready]

        def those(ready: list[int]) -> list[Any]:
            return [objects[number] for number in ready]

        call.dump, call.load = numbers, those
        return list(lane.door.cross(lane, call, lambda: original(objects, timeout)))

    return wait


def _queues(module: Any) -> None:
    _own_pid(module)
    for kind in (module.Queue, module.JoinableQueue, module.SimpleQueue):
        name = kind.__name__
        for method, effect, describe in (
            ("put", "write", _object),
            ("get", "read", _timing),
            ("empty", "read", None),
            ("full", "read", None),
            ("qsize", "read", None),
            ("task_done", "write", None),
            ("join", "read", None),
        ):
            if method in vars(kind):
                patch(kind, method, crossing(f"{name}.{method}", effect, describe))
        for method in ("close", "join_thread", "cancel_join_thread"):
            if method in vars(kind):
                patch(kind, method, aside)


# -- locks, shared values --------------------------------------------------------------------------------------------


def _synchronize(module: Any) -> None:
    kind: Any = module.SemLock
    make = kind._make_methods

    def make_methods(self: Any) -> None:
        make(self)
        name = type(self).__name__
        self.acquire = _bound(self, self._semlock.acquire, f"{name}.acquire", "read")
        self.release = _bound(self, self._semlock.release, f"{name}.release", "write")

    kind._make_methods = make_methods
    make_name, numbers = kind._make_name, itertools.count(1)

    def name_of_semaphore() -> str:
        """At replay another one than the recorded, which may still be there; `replay.launch` removes what is left."""
        recorded, scratch = make_name(), world.scratch()
        return recorded if scratch is None else f"/{os.path.basename(scratch)}-{originals.getpid()}-{next(numbers)}"

    kind._make_name = staticmethod(name_of_semaphore)

    def enter(self: Any) -> Any:
        return self.acquire()

    def leave(self: Any, *_: Any) -> None:
        self.release()

    kind.__enter__, kind.__exit__ = enter, leave
    for owner, methods in (
        (module.Condition, {"wait": "read", "notify": "write"}),
        (module.Event, {"is_set": "read", "set": "write", "clear": "write", "wait": "read"}),
    ):
        for method, effect in methods.items():
            patch(owner, method, crossing(f"{owner.__name__}.{method}", effect, _timing))


def _bound(self: Any, real: Callable[..., Any], name: str, effect: Any) -> Callable[..., Any]:
    def call(_: Any, *args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs)

    return functools.partial(crossing(name, effect, _timing)(call), self)


def _sharedctypes(module: Any) -> None:
    value: Any = module.Synchronized.value
    get = crossing("Value.get", "read")(value.fget)
    put = crossing("Value.set", "write", _object)(value.fset)
    module.Synchronized.value = property(get, put)
    array = module.SynchronizedArray
    patch(array, "__getitem__", crossing("Array.get", "read", _item))
    patch(array, "__setitem__", crossing("Array.set", "write", _item))


def _item(place: Any, *items: Any) -> Any:
    return {"at": repr(place), **({"object": shown(items[0])} if items else {})}


def _heap(module: Any) -> None:
    """Memory that processes share lies in a file; its name is nobody's business, and at replay nobody shares it."""
    _own_pid(module)
    kind: Any = module.Arena
    choose = kind._choose_dir

    def choose_dir(self: Any, size: int) -> str:
        return world.scratch() or str(choose(self, size))

    kind._choose_dir = choose_dir
    patch(kind, "__init__", aside)


# -- helpers ---------------------------------------------------------------------------------------------------------


def _tracker(module: Any) -> None:
    """The resource tracker is a process that cleans up behind others: at replay there is nothing to clean."""
    kind: Any = module.ResourceTracker

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def ensure_running(self: Any) -> None:
            lane = running.lane
            if lane is None or "_replay_asked" in self.__dict__:
                if "_replay_answered" not in self.__dict__:
                    with nobody():
                        original(self)
                return
            self._replay_asked = True

            def answered(_: Any) -> None:
                self._fd = os.open(os.devnull, os.O_WRONLY)
                self._replay_answered = True

            call: Call[None] = Call("process", "multiprocessing.resource_tracker", "write", load=answered)
            lane.door.cross(lane, call, lambda: original(self))

        return ensure_running

    patch(kind, "ensure_running", wrap)
    module.ensure_running = module._resource_tracker.ensure_running


def _managers(module: Any) -> None:
    """Not covered yet."""

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def start(self: Any, *args: Any, **kwargs: Any) -> None:
            lane = running.lane
            if lane is not None:
                lane.door.blind("process", "multiprocessing.Manager: what its server answers isn't recorded")
            original(self, *args, **kwargs)

        return start

    patch(module.BaseManager, "start", wrap)


_PATCHES: dict[str, Callable[[Any], None]] = {
    "multiprocessing.process": _process,
    "multiprocessing.util": _util,
    "multiprocessing.popen_fork": _popen,
    "multiprocessing.popen_forkserver": _popen,
    "multiprocessing.connection": _connection,
    "multiprocessing.queues": _queues,
    "multiprocessing.synchronize": _synchronize,
    "multiprocessing.sharedctypes": _sharedctypes,
    "multiprocessing.heap": _heap,
    "multiprocessing.resource_tracker": _tracker,
    "multiprocessing.managers": _managers,
    "multiprocessing.pool": _pools.pool,
    "concurrent.futures.process": _pools.executor,
}
