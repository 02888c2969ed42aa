"""Where trials run: on this machine, on a cluster that is there already, or where another package runs them
(docs/plugins.md). The trial is the same.

| engine | address | what a lost worker means |
|---|---|---|
| `local` | | its cassette is tried once more, by another |
| `ray` | `ray.init(address=…)`; `$RAY_ADDRESS`, or the cluster of this machine | Ray runs the task again, elsewhere |
| `dask` | `Client(address)`; `$DASK_SCHEDULER_ADDRESS` | the scheduler runs the task again, elsewhere |

Workers of a cluster read the cassettes themselves, and run the code that lies where they are: a corpus is at a URL, or
in a directory that all of them see under the same name. One outcome per cassette is taken, the first.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Final, TypeAlias

from replay.corpus import local
from replay.corpus.trial import Trial, Trials
from replay.limits import Limits
from replay.model.errors import UsageError
from replay.model.extensions import added

Engine: TypeAlias = Callable[[Sequence[str], str | None, Limits], Iterator[Trial]]
"""Absolute paths and URLs, the address that was given, limits of each trial -> each of them once, as it is done.

A worker calls `attempt(path, limits.seconds, limits.memory)`; of what comes back `outcome` makes the trial.
"""

ENGINES: Final = ("local", "ray", "dask")
_AGAIN: Final = 3
"""How often a cluster tries a cassette again whose worker was lost."""
_AHEAD: Final = 4
"""Tasks given to a cluster ahead of time, for each of its processors."""


def tried(
    paths: Sequence[str], *, engine: str = "local", address: str | None = None, workers: int = 1, limits: Limits
) -> Iterator[Trial]:
    """Each of `paths` once, in the order in which they are done.

    Args:
        engine: one of ENGINES, or one that another package adds. address: of the cluster.
        workers: how many, where they are local.

    Raises:
        UsageError: there is no such engine, it isn't installed, or no cluster answers.
    """
    if engine == "local":
        return local.tried(paths, workers, limits)
    wanted = [path if "://" in path else os.path.abspath(path) for path in dict.fromkeys(paths)]
    return _engine(engine)(wanted, address, limits)


def _engine(name: str) -> Engine:
    if name in ENGINES:
        return _ray if name == "ray" else _dask
    others = added("engines")
    if name not in others:
        raise UsageError(f"no such engine: {name}", hint=f"there are {', '.join(sorted({*ENGINES, *others}))}")
    try:
        found: Engine = others[name]()
    except Exception as error:  # another package's code
        raise UsageError(f"engine {name}: {type(error).__name__}: {error}", hint="its package is broken") from None
    return found


_here = threading.local()


def attempt(path: str, seconds: float | None, memory: int | None) -> dict[str, Any]:
    """One trial in a worker of a cluster; what is ready for the next one stays with its thread."""
    limits = Limits(seconds, memory)
    known: tuple[Limits, Trials] | None = getattr(_here, "trials", None)
    if known is None or known[0] != limits:
        _here.trials = known = limits, Trials(limits)
    return known[1](path).to_json()


def _ray(paths: Sequence[str], address: str | None, limits: Limits) -> Iterator[Trial]:
    ray = _library("ray")
    mine = not ray.is_initialized()
    if mine:
        where = address or os.environ.get("RAY_ADDRESS") or "auto"
        try:
            _reach(where)
            ray.init(address=where, log_to_driver=False, configure_logging=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"no Ray cluster answers at {where}: {error}", hint="--address HOST:PORT, or `ray start`"
            ) from None
    task = ray.remote(attempt).options(max_retries=_AGAIN)
    try:
        ahead = max(1, int(ray.cluster_resources().get("CPU", 1))) * _AHEAD
        waiting = iter(paths)
        going: dict[Any, str] = {}
        while True:
            for path in waiting:
                going[task.remote(path, limits.seconds, limits.memory)] = path
                if len(going) >= ahead:
                    break
            if not going:
                return
            ready, _ = ray.wait(list(going), num_returns=1)
            for each in ready:
                yield outcome(going.pop(each), partial(ray.get, each))
    finally:
        if mine:
            ray.shutdown()


def _reach(address: str) -> None:
    """Raises OSError where nobody listens: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _dask(paths: Sequence[str], address: str | None, limits: Limits) -> Iterator[Trial]:
    distributed = _library("distributed")
    where = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if where is None:
        raise UsageError("no Dask cluster is named", hint="--address HOST:PORT, or DASK_SCHEDULER_ADDRESS")
    try:
        client = distributed.Client(where, timeout=10, set_as_default=False)
    except OSError as error:
        raise UsageError(f"no Dask cluster answers at {where}: {error}", hint="`dask scheduler`") from None
    with client:
        tasks = client.map(attempt, paths, seconds=limits.seconds, memory=limits.memory, pure=False, retries=_AGAIN)
        of = {task.key: path for task, path in zip(tasks, paths, strict=True)}
        for task in distributed.as_completed(tasks, loop=client.loop):
            yield outcome(of.pop(task.key), task.result)
            task.release()


def outcome(path: str, result: Callable[[], dict[str, Any]]) -> Trial:
    """The trial of which `result` gets what `attempt` returned; where it raises, its worker was lost."""
    try:
        return Trial(**result())
    except Exception as error:  # of the cluster: a trial raises nothing
        said = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        return Trial(path, "unjudged", f"its worker was lost {_AGAIN + 1} times: {said}")


def _library(name: str) -> Any:  # without types
    try:
        return import_module(name)
    except ImportError:
        extra = {"distributed": "dask"}.get(name, name)
        raise UsageError(f"--engine {extra} needs {name}", hint=f"pip install 'agent-replay[{extra}]'") from None
