"""Child processes: how what a process is (a recording, a replay) comes to the Pythons that it starts.

A recorded process keeps two environments. `os.environ`, which the program sees, is its own. The C library's, which
every process that is started without an explicit environment inherits (`os.system`, native code), has our variables on
top. The narrow places through which Python starts programs with an environment of their own (`fork_exec`,
`posix_spawn`, `exec…`) add the variables there. So shells and other languages hand them on to the Pythons below.

`os.fork` is a crossing whose answer is the child's id. In the child it isn't: there a recording of its own begins. At
replay the same place is where the replay of a forked child leaves its parent's tape for its own.
"""

from __future__ import annotations

import functools
import os
import stat
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import crossing_call, crossing_of, running

INJECT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "inject")
"""The folder whose `sitecustomize` a Python finds first."""

_access, _stat = os.access, os.stat  # bound before anybody watches who looks at files
_RESTORED = ("PYTHONPATH", "PYTHONHASHSEED")
_installed = False


class Descent(ABC):
    """What this process is to the ones that it starts."""

    @abstractmethod
    def heirloom(self, environ: Mapping[str, str], how: str, event: int | None) -> dict[str, str]:
        """`environ` with what a Python that is started with it needs to know. `event`: the crossing it belongs to."""

    @abstractmethod
    def bequeath(self) -> None:
        """Put the same into the C library's environment; `os.environ` stays as it is."""

    @abstractmethod
    def born(self, event: int | None) -> None:
        """Called in a forked child, before its program goes on: who it is now, and in which lane."""

    @abstractmethod
    def replaced(self) -> None:
        """The program is about to replace itself by another one. A replay ends here."""

    def fork(self, real: Callable[[], int]) -> int:
        """Divide the process."""
        return real()


_descent: Descent | None = None
_pid: int | None = None


def be(pid: int | None) -> None:
    """At replay: the process id of the recording."""
    global _pid
    _pid = pid


def own_pid() -> int:
    """This process's id, as libraries compare it to find out whether they were forked; no input of the program."""
    return originals.getpid() if _pid is None else _pid


def use(descent: Descent) -> None:
    """This process's; before it none, and children are nobody's."""
    global _descent
    _descent = descent


def environment(
    variables: Mapping[str, str], hash_seed: str | None = None
) -> tuple[dict[str, str], dict[str, str | None]]:
    """A child's environment, with our hooks in its path, and what it has to put back before the program sees it."""
    environ = dict(variables)
    restore = {name: environ.get(name) for name in _RESTORED}
    inherited = environ.get("PYTHONPATH")
    environ["PYTHONPATH"] = INJECT if not inherited else INJECT + os.pathsep + inherited
    seed = hash_seed or environ.get("PYTHONHASHSEED", "random")
    if seed == "random":
        seed = str(originals.randbelow(1, 2**32))
    environ["PYTHONHASHSEED"] = seed
    return environ, restore


def install() -> None:
    """Wrap the places where processes begin; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    low_level: Any = sys.modules["_posixsubprocess"]
    low_level.fork_exec = _fork_exec(low_level.fork_exec)
    setattr(subprocess, "_fork_exec", low_level.fork_exec)  # noqa: B010 - its own name for it
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, _spawn(getattr(os, name)))
    setattr(os, "fork", _fork(os.fork))  # noqa: B010 - typeshed knows no assignment to it
    execve = os.execve
    setattr(os, "execve", _exec(execve))  # noqa: B010
    setattr(os, "execv", _execv)  # noqa: B010
    setattr(os, "system", _system(getattr(os, "system")))  # noqa: B009, B010 - deprecated, as checkers see it
    for name in ("wait", "waitpid", "wait3", "wait4"):
        if hasattr(os, name):
            setattr(os, name, _wait(name, getattr(os, name)))


def _fork_exec(real: Any) -> Any:
    def fork_exec(*args: Any) -> Any:
        if _descent is None:
            return real(*args)
        given: Sequence[bytes] | None = args[5]
        pairs = ((os.fsdecode(each).partition("=")) for each in given) if given is not None else ()
        environ = dict(os.environ) if given is None else {name: value for name, _, value in pairs}
        words = [os.fsdecode(word) for word in args[0]]
        ours = _descent.heirloom(environ, _how(words), event())
        _note_isolated(words)
        return real(*args[:5], [os.fsencode(f"{name}={value}") for name, value in ours.items()], *args[6:])

    return fork_exec


def _spawn(real: Any) -> Any:
    @functools.wraps(real)
    def spawn(path: Any, argv: Any, env: Any, **more: Any) -> Any:
        if _descent is None:
            return real(path, argv, env, **more)
        words = [os.fsdecode(word) for word in argv]
        _note_isolated(words)
        return real(path, argv, _descent.heirloom(_texts(env), _how(words), event()), **more)

    return spawn


def _exec(real: Any) -> Any:
    @functools.wraps(real)
    def execve(path: Any, argv: Any, env: Any) -> Any:
        if _descent is None or isinstance(path, int):
            return real(path, argv, env)

        def attempt() -> None:
            """Fail as it would, if it would; there is no way back from success."""
            if not _is_program(path):
                real(path, argv, env)

        during, lane = event(), running.lane
        if lane is None:
            attempt()
        else:
            words = [os.fsdecode(word) for word in argv]
            call: Call[None] = Call("process", "os.exec", "write", {"path": os.fsdecode(path), "argv": words})
            lane.door.cross(lane, call, attempt)
            during = call.event
        _descent.replaced()
        return real(path, argv, _descent.heirloom(_texts(env), "exec", during))

    return execve


def _is_program(path: Any) -> bool:
    try:
        return _access(path, os.X_OK) and stat.S_ISREG(_stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _execv(path: Any, argv: Any) -> Any:
    os.execve(path, argv, os.environ)


def _system(real: Callable[[str], int]) -> Callable[[str], int]:
    @functools.wraps(real)
    def system(command: str) -> int:
        if _descent is not None:
            _descent.bequeath()  # the program may have set its own since
        return real(command)

    return system


def _texts(env: Mapping[Any, Any] | None) -> dict[str, str]:
    """An environment in texts; None, which CPython 3.13 takes, is the process's own."""
    if env is None:
        return dict(os.environ)
    return {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}


def _how(words: Sequence[str]) -> str:
    return "spawn" if "--multiprocessing-fork" in words else "exec"


def event() -> int | None:
    """The event during which this happens."""
    call = crossing_call()
    return None if call is None or call.event is None or call.event < 0 else call.event


def _note_isolated(words: Sequence[str]) -> None:
    """A Python that is told to look neither at its environment nor for a `sitecustomize` can't be recorded."""
    if not words or not os.path.basename(words[0]).startswith(("python", "pypy")):
        return
    for word in words[1:]:
        if not word.startswith("-") or word in ("-c", "-m", "-"):
            return
        found = set("IES") & set(word[1:]) if not word.startswith("--") and word[1:2] not in "XW" else None
        if found:
            lane = running.lane or crossing_of()
            if lane is not None:
                flag = min(found)
                why = "a Python that ignores its environment isn't recorded; start it without that option"
                lane.door.blind("process", f"{words[0]} -{flag}: {why}")
            return


def _fork(real: Callable[[], int]) -> Callable[[], int]:
    def fork() -> int:
        descent = _descent
        if descent is None:
            return real()
        lane = running.lane
        during = None
        if lane is None:
            during = event()
            pid = descent.fork(real)
        else:
            call: Call[int] = Call("process", "os.fork", "write")
            pid = lane.door.cross(lane, call, lambda: descent.fork(real))
            during = call.event
        if pid == 0:
            descent.born(during)
        return pid

    fork.__doc__ = real.__doc__
    return fork


def _wait(name: str, real: Any) -> Any:
    """How a child ended: an answer of the world."""

    @functools.wraps(real)
    def wait(*args: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args)
        if name in ("wait", "waitpid"):
            call: Call[Any] = Call("process", f"os.{name}", "read", list(args))
        else:
            call = Call("process", f"os.{name}", "read", list(args), dump=_plain, load=_usage)
        return lane.door.cross(lane, call, lambda: real(*args))

    return wait


def _plain(found: Any) -> Any:
    return [*found[:2], list(found[2])]


def _usage(stored: Any) -> Any:
    import resource

    return (*stored[:2], resource.struct_rusage(stored[2]))


def before_hard_exit(finish: Callable[[int], None]) -> None:
    """`os._exit` skips `atexit`; a recording or a replay must not end without a word."""

    def leave(status: int) -> Any:
        finish(status)
        originals.os_exit(status)

    setattr(os, "_exit", leave)  # noqa: B010 - typeshed knows no assignment to it
