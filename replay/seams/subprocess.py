"""Processes the program starts: `subprocess` and the functions of `os` beneath and beside it.

`Popen.__init__` runs as it is, in both modes; what starts the child (`_execute_child`) is a crossing, and so is each
`wait`, `poll`, `communicate` and signal. Its pipes are real ones, read and written through `Pipe`, whose reads and
writes are crossings below the buffer: pieces and their order are the recorded ones. At replay nobody sits at the other
end.

What a child reads and writes past these pipes (inherited descriptors, files) isn't seen: a blind spot.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, nobody, running
from replay.boundary.traceparent import outgoing
from replay.model.effect import Effect
from replay.seams._process import described, program_of
from replay.seams._seam import aside, patch

_STARTS = ("system", "posix_spawn", "posix_spawnp", "spawnv", "spawnve", "spawnvp", "spawnvpe")


def install(module: ModuleType) -> None:
    """Patch `subprocess` or `os`."""
    if module.__name__ == "os":
        _install_os(module)
        return
    popen: Any = getattr(module, "Popen")  # noqa: B009
    own: Any = originals.private_copy(io)
    own.open = _open_pipe
    setattr(module, "io", own)  # noqa: B010 - only `Popen.__init__` uses it
    patch(module, "_cleanup", aside)  # it looks after children that were collected: whenever that is
    patch(popen, "_execute_child", _wrap_start)
    patch(popen, "wait", _wrap_wait)
    patch(popen, "poll", _wrap_poll)
    patch(popen, "communicate", _wrap_communicate)
    patch(popen, "send_signal", _wrap_signal)


# -- Popen -----------------------------------------------------------------------------------------------------------


def _wrap_start(original: Callable[..., None]) -> Callable[..., None]:
    def execute_child(self: Any, args: Any, executable: Any, *rest: Any) -> None:
        lane = running.lane
        if lane is None:
            original(self, args, executable, *rest)
            return
        (_, _, _, cwd, env, _, _, shell, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *_) = rest
        name = program_of(args)
        ends = ((p2cread, p2cwrite), (c2pwrite, c2pread), (errwrite, errread))
        streams = {label: _kind_of(*pair) for label, pair in zip(("stdin", "stdout", "stderr"), ends, strict=True)}
        for label in ("stdout", "stderr"):
            if streams[label] not in ("pipe", "null"):
                lane.door.blind("process output", f"{name} writes to its {streams[label]} {label}")
        request = {**described(args, cwd, env), "shell": bool(shell), **streams}
        if executable is not None:
            request["executable"] = os.fsdecode(executable)
        for label, stream in (("stdin", self.stdin), ("stdout", self.stdout), ("stderr", self.stderr)):
            pipe = _raw(stream)
            if pipe is not None:
                pipe.label = f"{name} {label}"

        def load(pid: int) -> int:
            self.pid, self._child_created = pid, True
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
            return pid

        told = outgoing(lane)
        if told is not None:
            request["traceparent"] = told

        def perform() -> int:
            original(self, args, executable, *rest[:4], _telling(env, told), *rest[5:])
            return int(self.pid)

        call: Call[int] = Call("process", name, "write", request, load=load)
        _children.add(lane.door.cross(lane, call, perform))

    return execute_child


def _telling(env: Any, told: str | None) -> Any:
    """The child's environment; the program's own `TRACEPARENT` in one that it made itself stays."""
    if told is None:
        return env
    return {**os.environ, "TRACEPARENT": told} if env is None else {"TRACEPARENT": told, **env}


_children: set[int] = set()
"""Process ids that this process has started through a crossing; at replay, those of the recording."""


def _kind_of(child: int, ours: int) -> str:
    if ours != -1:
        return "pipe"
    if child == -1:
        return "inherited"
    try:
        target = os.readlink(f"/proc/self/fd/{child}")
    except OSError:
        return "own"
    return "null" if target == os.devnull else "pipe" if target.startswith("pipe:") else "own"


def _ask(process: Any, what: str, effect: Effect, request: Any, perform: Callable[[], Any], lane: Lane) -> Any:
    """A crossing about a child; the outcome carries its exit code."""

    def load(value: Any) -> Any:
        result, process.returncode = value
        return result

    def dump(result: Any) -> Any:
        return (result, process.returncode)

    call: Call[Any] = Call("process", f"{program_of(process.args)} {what}", effect, request, dump=dump, load=load)
    return lane.door.cross(lane, call, perform)


def _wrap_wait(original: Callable[..., int]) -> Callable[..., int]:
    def wait(self: Any, timeout: float | None = None) -> int:
        lane = running.lane
        if lane is None:
            return original(self, timeout)
        request = {"pid": self.pid, "timeout": timeout}
        return _ask(self, "wait", "read", request, lambda: original(self, timeout), lane)  # type: ignore[no-any-return]

    return wait


def _wrap_poll(original: Callable[[Any], int | None]) -> Callable[[Any], int | None]:
    def poll(self: Any) -> int | None:
        lane = running.lane
        if lane is None:
            return original(self)
        return _ask(self, "poll", "read", {"pid": self.pid}, lambda: original(self), lane)  # type: ignore[no-any-return]

    return poll


def _wrap_communicate(original: Callable[..., Any]) -> Callable[..., Any]:
    def communicate(self: Any, input: Any = None, timeout: float | None = None) -> Any:  # noqa: A002
        lane = running.lane
        if lane is None:
            return original(self, input, timeout)
        sent = input if input is None or isinstance(input, str) else bytes(input)
        request = {"pid": self.pid, "input": sent, "timeout": timeout}
        effect: Effect = "write" if input else "read"
        found = _ask(self, "communicate", effect, request, lambda: original(self, input, timeout), lane)
        with nobody():  # nobody is at the other end of a replay's pipes
            for stream in (self.stdin, self.stdout, self.stderr):
                if stream is not None and not stream.closed:
                    stream.close()
        return found

    return communicate


def _wrap_signal(original: Callable[[Any, int], None]) -> Callable[[Any, int], None]:
    def send_signal(self: Any, sig: int) -> None:
        lane = running.lane
        if lane is None:
            original(self, sig)
        else:
            request = {"pid": self.pid, "signal": int(sig)}
            _ask(self, "signal", "write", request, lambda: original(self, sig), lane)

    return send_signal


# -- its pipes -------------------------------------------------------------------------------------------------------


class Pipe(io.FileIO):
    """Our end of a child's pipe, below the buffer."""

    label = "a child's pipe"

    def read(self, size: int | None = -1, /) -> bytes | None:  # type: ignore[override]
        if size is None or size < 0:
            return self.readall()
        return self._ask(size, lambda: io.FileIO.read(self, size))

    def readall(self) -> bytes:
        return self._ask(-1, lambda: io.FileIO.readall(self)) or b""

    def readinto(self, buffer: Any, /) -> int | None:
        room = memoryview(buffer).cast("B")
        if running.lane is None:
            return super().readinto(room)
        piece = self._ask(len(room), lambda: io.FileIO.read(self, len(room)))
        if piece is None:
            return None
        room[: len(piece)] = piece
        return len(piece)

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]
        lane = running.lane
        if lane is None:
            return super().write(data)
        piece = bytes(data)
        call: Call[int | None] = Call("process", self.label, "write", None, piece, chain=(lane.path, self.label))
        return lane.door.cross(lane, call, lambda: io.FileIO.write(self, piece))

    def _ask(self, size: int, perform: Callable[[], bytes | None]) -> bytes | None:
        lane = running.lane
        if lane is None:
            return perform()
        call: Call[bytes | None] = Call("process", self.label, "read", {"size": size})
        return lane.door.cross(lane, call, perform)


def _open_pipe(fd: int, mode: str, buffering: int = -1) -> Any:
    """As `io.open` does it for `Popen`."""
    if running.lane is None:
        return open(fd, mode, buffering)
    raw: Any = Pipe(fd, mode)
    if buffering == 0:
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering in (-1, 1) else buffering
    return io.BufferedWriter(raw, size) if "w" in mode else io.BufferedReader(raw, size)


def _raw(stream: Any) -> Pipe | None:
    for _ in range(3):
        if stream is None or isinstance(stream, Pipe):
            return stream
        stream = getattr(stream, "buffer", None) or getattr(stream, "raw", None)
    return None


# -- os --------------------------------------------------------------------------------------------------------------


def _install_os(module: ModuleType) -> None:
    for name in _STARTS:
        if hasattr(module, name):
            patch(module, name, partial(_starting, name))
    if hasattr(module, "fork"):
        patch(module, "fork", _wrap_fork)
    patch(module, "kill", _wrap_kill)
    patch(module, "killpg", _wrap_kill)


def _starting(name: str, original: Callable[..., int]) -> Callable[..., int]:
    def start(*args: Any, **kwargs: Any) -> int:
        lane = running.lane
        if lane is None:
            return original(*args, **kwargs)
        given = list(args)
        mode = given.pop(0) if name.startswith("spawn") else None
        env = given[2] if len(given) > 2 else None
        path = given[0] if given else kwargs.get("command", kwargs.get("path", ""))
        words = given[1] if len(given) > 1 else path
        program = program_of(path)
        request = {**described(words, None, env), "executable": os.fsdecode(path), "mode": mode}
        lane.door.blind("process output", f"{program} (os.{name}) writes to its inherited stdout and stderr")
        call: Call[int] = Call("process", program, "write", request)
        found = lane.door.cross(lane, call, lambda: original(*args, **kwargs))
        if name != "system" and mode != os.P_WAIT:
            _children.add(found)
        return found

    return start


def _wrap_fork(original: Callable[[], int]) -> Callable[[], int]:
    """Forking is `runtime.descent`'s business; who was forked, ours."""

    def fork() -> int:
        pid = original()
        if pid and running.lane is not None:
            _children.add(pid)
        return pid

    return fork


def _wrap_kill(original: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Signals to children are crossings; those to oneself and to others are not this seam's."""

    def kill(pid: int, sig: int, /) -> None:
        lane = running.lane
        if lane is None or abs(pid) not in _children:
            original(pid, sig)
            return
        call: Call[None] = Call("process", f"{original.__name__} {pid}", "write", {"pid": pid, "signal": int(sig)})
        lane.door.cross(lane, call, lambda: original(pid, sig))

    return kill
