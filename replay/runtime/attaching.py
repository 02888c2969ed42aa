"""An editor's debugger inside of a replay (`replay run C --debugpy PORT`): debugpy listens in the replayed process.

Rules:
- It is there before the program's first line and waits for the editor. Whatever it does, in its own threads and where
  it traces the program's, is done in no lane: its sockets, clocks, locks and files are no part of the execution.
- What it imports is its own. The modules that came with it are taken out of `sys.modules` again, so that the program
  imports them itself, where the recorded one did.
- It listens on loopback, in this process: the sandbox lets nothing be started, and nothing be connected to.
- At event `at` it stops in the program's own frame, before the event; breakpoints and steps are the editor's.

debugpy's own adapter process isn't used: starting it is what a sandbox refuses. Its compiled tracing isn't, either:
what it calls couldn't be wrapped.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, Final

from replay.boundary import originals, sites
from replay.boundary.lanes import nobody
from replay.model.errors import NotReplayable
from replay.runtime import locks

_OWN: Final = ("debugpy", "pydevd", "_pydevd", "_pydev", "pydev_")
_VARIABLES: Final = {
    "PYDEVD_USE_CYTHON": "NO",
    "PYDEVD_USE_FRAME_EVAL": "NO",
    "PYDEVD_USE_SYS_MONITORING": "NO",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
_TRACING: Final = {
    "_pydevd_bundle.pydevd_trace_dispatch_regular": (
        "trace_dispatch",
        "ThreadTracer.__call__",
        "TopLevelThreadTracerOnlyUnhandledExceptions.trace_unhandled_exceptions",
        "TopLevelThreadTracerNoBackFrame.trace_dispatch_and_unhandled_exceptions",
    ),
    "_pydevd_bundle.pydevd_frame": ("PyDBFrame.trace_dispatch", "PyDBFrame.trace_exception"),
    "_pydev_bundle.pydev_monkey": ("_NewThreadStartupWithTrace.__init__",),
}
"""What the interpreter calls in the program's threads."""
_LEFT_OUT: Final = {
    "pydevd_tracing": "set_trace_to_threads",
    "_pydevd_bundle.pydevd_daemon_thread": "_patch_threading_to_hide_pydevd_threads",
}
"""Tracing by C, and what rewrites functions of `threading`, which are ours."""


class Attached:
    """Waits for an editor, and stops at an event.

    Args:
        host, port: where it listens; port 0 takes a free one. at: the event; None: only the editor's breakpoints stop.
    """

    def __init__(self, host: str, port: int, at: int | None) -> None:
        self._address = host, port
        self._at = at
        self._trace_by = sys.settrace
        self._debugpy = _imported()

    def wants(self, event: int) -> bool:
        """Whether it is to stop there."""
        return event == self._at

    def wait(self) -> None:
        """Until an editor has said what it wants. Raises NotReplayable."""
        with nobody(), locks.set_aside(), _ending_as_nobody():
            _, port = self._debugpy.listen(self._address, in_process_debug_adapter=True)
            debugger = sys.modules["pydevd"].get_global_debugger()
            api = sys.modules["_pydevd_bundle.pydevd_api"].PyDevdAPI()
            api.set_dont_trace_start_end_patterns(debugger, _ours(), ("debugpy_launcher.py",))
            said = f"replay: waiting for a debugger at {self._address[0]}:{port}\n"
            originals.os_write(2, said.encode())
            self._debugpy.wait_for_client()

    def stop(self, frame: FrameType | None, why: str, event: int | None, *, differs: bool) -> bool:
        """Let somebody look around. Who has seen enough disconnects: the replay goes on."""
        with nobody():
            program = sites.program_frame(frame)
            pydevd: Any = sys.modules["pydevd"]
            debugger = pydevd.get_global_debugger()
            if program is None or debugger is None:
                return False
            originals.os_write(2, f"replay: {why}\n".encode())
            tracing = sys.gettrace()
            self._trace_by(None)  # else it would stop in what it does itself
            try:
                thread = pydevd.threading.current_thread()
                debugger.set_suspend(thread, pydevd.CMD_SET_BREAK)
                debugger.do_wait_suspend(thread, program, "line", None)
            finally:
                self._trace_by(tracing)
        return False


def _ours() -> tuple[str, ...]:
    """Where nobody wants to step into: debugpy's code and this package's; but its demo is a program."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parts = (os.path.join(here, name) for name in originals.REAL_OS.listdir(here) if name != "demo")
    return (os.path.dirname(os.path.abspath(sys.modules["debugpy"].__file__ or "")), *parts)


def _imported() -> Any:
    """debugpy, and of what came with it nothing that the program could find."""
    before = set(sys.modules)
    there = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(_VARIABLES)
    try:
        debugpy = import_module("debugpy")
        import_module("debugpy.server.api")
        for module, names in _TRACING.items():
            for name in names:
                _wrap(import_module(module), name)
        for module, name in _LEFT_OUT.items():
            setattr(import_module(module), name, _cannot)
    except ImportError as error:
        hint = "pip install 'agent-replay[debugpy]' where the program runs"
        raise NotReplayable(f"debugpy can't be imported: {error}", hint=hint) from None
    finally:
        for name, value in there.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    for name in set(sys.modules) - before:
        if not name.startswith(_OWN):
            del sys.modules[name]
    return debugpy


@contextmanager
def _ending_as_nobody() -> Generator[None]:
    """What is registered in the block for the interpreter's end is done in no lane there."""
    import atexit

    register = atexit.register

    def outside(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return register(_by_nobody(function), *args, **more)

    setattr(atexit, "register", outside)  # noqa: B010
    try:
        yield
    finally:
        setattr(atexit, "register", register)  # noqa: B010


def _cannot(*_: Any, **__: Any) -> int:
    """In place of tracing by C: that didn't work, take the interpreter's."""
    return -1


def _wrap(module: Any, name: str) -> None:
    """A method where it is, a function wherever one of these modules has it."""
    owner, _, method = name.rpartition(".")
    if owner:
        kind = getattr(module, owner)
        setattr(kind, method, _by_nobody(getattr(kind, method)))
        return
    function = getattr(module, name)
    wrapped = _by_nobody(function)
    for each in [each for named, each in sys.modules.items() if named.startswith(_OWN)]:
        for attribute, value in list(vars(each).items()):
            if value is function:
                setattr(each, attribute, wrapped)


def _by_nobody(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def outside(*args: Any, **kwargs: Any) -> Any:
        with nobody():
            return function(*args, **kwargs)

    return outside
