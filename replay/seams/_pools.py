"""Pools of processes: a job goes out in the lane that asked, and comes back in a lane of the pool's own.

In a recording, results arrive in a thread of the pool, which takes that lane for as long as it hands one over;
callbacks run there. At replay that lane is a thread which hands over what the recording says, in that order. The jobs
themselves run nowhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from replay.boundary import lanes, originals, turns
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, become, nobody, running
from replay.runtime import threads
from replay.seams._seam import aside, patch
from replay.seams._shown import function_name, shown

_DONE, _FAILED, _CANCELLED = "done", "failed", "cancelled"
Taker = Callable[[str, Any], None]


class Results:
    """What came back from a pool, in the order in which it came."""

    def __init__(self, asker: Lane, name: str) -> None:
        self.lane = asker.spawn("thread")
        self._name = f"{name}.result"
        self._takers: dict[int, Taker] = {}
        self._jobs = 0
        self._playing = False
        threads.outlives(self.lane)

    def expect(self, take: Taker) -> int:
        """Number of the job whose outcome is to be given to `take(how, value)`."""
        self._jobs += 1
        self._takers[self._jobs] = take
        return self._jobs

    def arrived(self, job: int, how: str, value: Any) -> None:
        """While recording: called by the pool, in whatever thread."""
        with _as_lane(self.lane):
            self._next(lambda: [job, how, value])

    def play(self, _: Any = None) -> None:
        """At replay: results come from now on."""
        if not self._playing:
            self._playing = True
            originals.start_thread(self._run, ())

    def _run(self) -> None:
        try:
            while True:
                with _as_lane(self.lane):
                    self._next(_never)
        except BaseException:  # the replay has ended, and its verdict says how
            return

    def _next(self, perform: Callable[[], list[Any]]) -> None:
        call: Call[list[Any]] = Call("process", self._name, "read")
        job, how, value = self.lane.door.cross(self.lane, call, perform)
        with _as_lane(self.lane.spawn("job")):  # what comes of it may go on in a loop, while the next one arrives
            self._takers.pop(job)(how, value)


def _never() -> list[Any]:
    raise AssertionError("nothing is performed at replay")


@contextmanager
def _as_lane(lane: Lane) -> Generator[None]:
    before, carried = running.lane, lanes.carrier.get()
    become(lane)
    try:
        with turns.acting(lane):
            yield
    finally:
        running.lane = before
        lanes.carrier.set(carried)


# -- concurrent.futures ----------------------------------------------------------------------------------------------


class _Job(Future[Any]):
    """A future of a pool's job, as the program has it. `real`: the pool's own, while recording."""

    real: Future[Any] | None = None
    _replay_job: Lane | None = None

    def cancel(self) -> bool:
        return (self.done() or self._ask("cancel", "write")) and super().cancel()

    def running(self) -> bool:
        return not self.done() and self._ask("running", "read")

    def _ask(self, name: str, effect: Any) -> bool:
        def perform() -> bool:
            return self.real is not None and bool(getattr(self.real, name)())

        lane = running.lane
        return perform() if lane is None else lane.door.cross(lane, Call("process", f"Future.{name}", effect), perform)

    def take(self, how: str, value: Any) -> None:
        """The outcome has come."""
        self._replay_job = running.lane
        if how == _CANCELLED:
            super().cancel()
        if self.cancelled():
            if self._state == "CANCELLED":  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
                self.set_running_or_notify_cancel()
            return
        self.set_running_or_notify_cancel()
        if how == _DONE:
            self.set_result(value)
        else:
            self.set_exception(value)


def executor(module: Any) -> None:
    """`concurrent.futures.process`."""
    kind = module.ProcessPoolExecutor
    patch(kind, "__init__", _create)
    patch(kind, "submit", _submit)
    patch(kind, "shutdown", _shutdown)
    patch(kind, "_spawn_process", _spawn)
    for method in ("wakeup", "clear", "close"):
        patch(module._ThreadWakeup, method, aside)
    patch(module, "_process_worker", _worker)


def _create(original: Callable[..., None]) -> Callable[..., None]:
    def create(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._shutdown_lock = originals.allocate_lock()  # its own thread takes it, too, which doesn't run at replay

    return create


def _submit(original: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        lane = running.lane
        if lane is None:
            return original(self, fn, *args, **kwargs)
        results = self.__dict__.get("_replay_results")
        if results is None:
            results = self._replay_results = Results(lane, "ProcessPoolExecutor")
        job = _Job()
        number = results.expect(job.take)
        job.__dict__["_replay_hash"] = hash((results.lane.hash, number))

        def perform() -> None:
            job.real = original(self, fn, *args, **kwargs)
            job.real.add_done_callback(lambda future: results.arrived(number, *_outcome(future)))

        request = {"function": function_name(fn), "args": shown(list(args)), "kwargs": shown(kwargs)}

        def begun(_: None) -> int | None:
            """How many workers it has started since it was last asked; None for none."""
            workers: int | None = self.__dict__.pop("_replay_begun", None)
            return workers

        def answered(workers: int | None) -> None:
            _skip(workers or 0)
            results.play()

        call: Call[Any] = Call("process", "ProcessPoolExecutor.submit", "write", request, dump=begun, load=answered)
        lane.door.cross(lane, call, perform)
        return job

    return submit


def _spawn(original: Callable[..., None]) -> Callable[..., None]:
    def spawn(self: Any) -> None:
        original(self)
        self._replay_begun = self.__dict__.get("_replay_begun", 0) + 1

    return spawn


def _skip(workers: int) -> None:
    """At replay: so many numbers of processes are taken, by workers that don't exist; the next name is the recorded."""
    from multiprocessing import process

    counter: Any = vars(process)["_process_counter"]
    for _ in range(workers):
        next(counter)


def _outcome(future: Future[Any]) -> tuple[str, Any]:
    try:
        error = future.exception()
    except CancelledError:
        return _CANCELLED, None
    return (_DONE, future.result()) if error is None else (_FAILED, error)


def _shutdown(original: Callable[..., None]) -> Callable[..., None]:
    def shutdown(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
        lane = running.lane
        if lane is None or "_replay_results" not in self.__dict__:
            with nobody():
                original(self, wait, cancel_futures=cancel_futures)
            return
        request = {"wait": wait, "cancel_futures": cancel_futures}
        call: Call[None] = Call("process", "ProcessPoolExecutor.shutdown", "write", request)
        lane.door.cross(lane, call, lambda: original(self, wait, cancel_futures=cancel_futures))

    return shutdown


def _worker(original: Callable[..., Any]) -> Callable[..., Any]:
    """In a worker: fetching jobs and handing in results is the pool's business."""

    @functools.wraps(original)
    def worker(one: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
        one._replay_aside = other._replay_aside = True
        return original(one, other, *args, **kwargs)

    return worker


# -- multiprocessing.Pool --------------------------------------------------------------------------------------------


def pool(module: Any) -> None:
    """`multiprocessing.pool`; its `ThreadPool` runs in this process, and is left alone."""
    kind = module.Pool

    def of_processes(wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[..., Any]:
        def choose(original: Callable[..., Any]) -> Callable[..., Any]:
            ours = wrap(original)

            def method(self: Any, *args: Any, **kwargs: Any) -> Any:
                mine = running.lane is not None and not isinstance(self, module.ThreadPool)
                return (ours if mine else original)(self, *args, **kwargs)

            return method

        return choose

    patch(kind, "__init__", of_processes(_begin))
    patch(kind, "apply_async", of_processes(functools.partial(_apply, module)))
    patch(kind, "_map_async", of_processes(functools.partial(_map, module)))
    for name in ("imap", "imap_unordered"):
        patch(kind, name, of_processes(functools.partial(_stream, name)))
    for name, state in (("close", module.CLOSE), ("terminate", module.TERMINATE), ("join", None)):
        patch(kind, name, of_processes(functools.partial(_end, name, state)))
    patch(module, "worker", _worker)


def _begin(original: Callable[..., None]) -> Callable[..., None]:
    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        lane = running.lane
        assert lane is not None
        self._replay_results = Results(lane, "Pool")

        def answered(processes: int) -> None:
            self._state, self._processes, self._pool, self._cache = "RUN", processes, [], {}
            self._change_notifier = SimpleNamespace(put=_nothing)
            _skip(processes)
            self._replay_results.play()

        call: Call[Any] = Call("process", "multiprocessing.Pool", "write")
        call.dump, call.load = functools.partial(_size, self), answered
        lane.door.cross(lane, call, lambda: original(self, *args, **kwargs))

    return begin


def _size(self: Any, _: Any) -> int:
    return int(self._processes)


def _taker(module: Any, callback: Any, error_callback: Any) -> tuple[Any, Taker]:
    """A result as the program has it, and what sets it."""
    result = module.ApplyResult(SimpleNamespace(_cache={}), callback, error_callback)
    return result, lambda how, value: result._set(0, (how == _DONE, value))


def _apply(module: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def apply_async(
        self: Any, func: Any, args: Any = (), kwds: Any = None, callback: Any = None, error_callback: Any = None
    ) -> Any:
        lane = running.lane
        assert lane is not None
        results = self._replay_results
        named: dict[str, Any] = dict(kwds or {})
        result, take = _taker(module, callback, error_callback)
        job = results.expect(take)

        def perform() -> None:
            done, failed = (functools.partial(results.arrived, job, how) for how in (_DONE, _FAILED))
            original(self, func, args, named, done, failed)

        request = {"function": function_name(func), "args": shown(list(args)), "kwargs": shown(named)}
        lane.door.cross(lane, Call("process", "Pool.apply_async", "write", request), perform)
        return result

    return apply_async


def _map(module: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def map_async(
        self: Any,
        func: Any,
        iterable: Any,
        mapper: Any,
        chunksize: Any = None,
        callback: Any = None,
        error_callback: Any = None,
    ) -> Any:
        lane = running.lane
        assert lane is not None
        results, items = self._replay_results, list(iterable)
        result, take = _taker(module, callback if items else None, error_callback)
        job = results.expect(take)

        def perform() -> None:
            done, failed = (functools.partial(results.arrived, job, how) for how in (_DONE, _FAILED))
            original(self, func, items, mapper, chunksize, done, failed)
            if not items:
                done([])  # it calls nobody then

        request = {"function": function_name(func), "items": shown(items)}
        lane.door.cross(lane, Call("process", "Pool.map", "write", request), perform)
        return result

    return map_async


class _Stream:
    """Results of `imap`, each a piece."""

    def __init__(self, call: Call[Any], real: Any) -> None:
        self._call = call
        self._real = real

    def __iter__(self) -> _Stream:
        return self

    def __next__(self, timeout: float | None = None) -> Any:
        lane = running.lane
        if lane is None:
            return self._real.next(timeout)
        return lane.door.pull(lane, self._call, lambda: self._real.next(timeout))

    next = __next__


def _stream(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def imap(self: Any, func: Any, iterable: Any, chunksize: int = 1) -> Any:
        lane = running.lane
        assert lane is not None
        call: Call[Any] = Call("process", f"Pool.{name}", "write", {"function": function_name(func)})
        call.streams, call.dump = True, _nothing
        return _Stream(call, lane.door.cross(lane, call, lambda: original(self, func, iterable, chunksize)))

    return imap


def _nothing(_: Any) -> None:
    """A stream's head is nothing; its values are the pieces."""


def _end(name: str, state: Any, original: Callable[..., None]) -> Callable[..., None]:
    def end(self: Any) -> None:
        lane = running.lane
        assert lane is not None

        def answered(_: Any) -> None:
            if state is not None:
                self._state = state

        call: Call[None] = Call("process", f"Pool.{name}", "write", load=answered)
        lane.door.cross(lane, call, lambda: original(self))

    return end
