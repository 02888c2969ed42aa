"""One execution of a recorded program, and the processes of it: each stands at an event, and can go on or fork.

It is an ordinary replay (`replay.launch.run`) whose process is told where to stop (`replay.runtime.stepping`). It is in
a process group of its own, so that Ctrl-C is the session's; the group is ended with the execution.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

from replay.bootstrap import Spec
from replay.launch.replaying import run
from replay.launch.result import Run, read_verdict
from replay.limits import Limits, resident
from replay.process import Output, found
from replay.runtime.stepping import HEAD
from replay.timeline import files as disk

_PIECE: Final = 1 << 16


class Gone(Exception):
    """That process has ended."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a process stands.

    Attributes:
        event: which it is about to do; None: nothing of the recording is left there.
        why: in words. differs: it is about to do something else than was recorded. alone: it can be forked as a whole.
    """

    event: int | None
    why: str
    differs: bool
    alone: bool


class Process:
    """One that stands at an event.

    Attributes:
        stop: where. files: what its files held; None where that is too much to keep.
    """

    def __init__(self, execution: Execution, channel: socket.socket, pid: int) -> None:
        self.execution = execution
        self.pid = pid
        self.stop: Stop | None = None
        self.files: disk.Files | None = {}
        self._channel = channel
        execution.processes.append(self)

    @property
    def can_fork(self) -> bool:
        """A fork of it is the whole of it."""
        return self.stop is not None and self.stop.alone and self.files is not None

    def go(self, to: int) -> Stop | None:
        """Until it stops at event `to` or the next one behind; None: it has ended without."""
        if self.files is not None:
            disk.put_back(self.execution.scratch, self.files)
        self._send({"do": "go", "to": to})
        return self.arrive()

    def arrive(self) -> Stop | None:
        """Wait for it to stop."""
        try:
            self.stop = Stop(**self._receive())
        except Gone:
            return None
        before = self.execution.files
        self.files = disk.look(self.execution.scratch, before)
        self.execution.files = before if self.files is None else self.files
        return self.stop

    @property
    def memory(self) -> int:
        """Bytes that it has in memory, shared ones included."""
        return resident(self.pid)

    def fork(self) -> Process | None:
        """Another one that stands at the same event; None where the system doesn't want to. Raises Gone."""
        if self.files is not None:
            disk.put_back(self.execution.scratch, self.files)
        ours, theirs = socket.socketpair()
        with theirs:
            self._send({"do": "fork"}, theirs.fileno())
        pid = self._receive()["pid"]
        if pid < 0:
            ours.close()
            return None
        twin = Process(self.execution, ours, pid)
        twin.stop, twin.files = self.stop, self.files
        return twin

    def ask(self, limits: Limits | None = None, **message: Any) -> dict[str, Any]:
        """A question. Raises Gone, LimitReached."""
        self._send(message)
        with (limits or Limits()).watch(self.pid):
            try:
                answer: dict[str, Any] = self._receive()
            except Gone:
                answer = {}
        if not answer:
            raise Gone
        return answer

    def end(self) -> None:
        """It isn't needed any more."""
        self._channel.close()
        if self in self.execution.processes:
            self.execution.processes.remove(self)

    def kill(self) -> None:
        """At once, whatever it does."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        self.end()

    def _send(self, message: Mapping[str, Any], *descriptors: int) -> None:
        data = json.dumps(message).encode()
        try:
            if descriptors:
                socket.send_fds(self._channel, [HEAD.pack(len(data))], list(descriptors))
                self._channel.sendall(data)
            else:
                self._channel.sendall(HEAD.pack(len(data)) + data)
        except OSError:
            raise Gone from None

    def _receive(self) -> Any:
        head = self._read(HEAD.size)
        return json.loads(self._read(HEAD.unpack(head)[0]))

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            try:
                piece = self._channel.recv(min(_PIECE, length - len(data)))
            except OSError:
                raise Gone from None
            if not piece:
                raise Gone
            data += piece
        return bytes(data)


class Execution:
    """Of that recording, up to its first stop at event `at` or behind; a context.

    Attributes:
        first: the process, standing there. None: it ended without; `verdict` says how.
        scratch: the directory of its files. files: what they held when a process last stopped.
        processes: that haven't been ended. result: what came of it in the end.

    Raises:
        NotReplayable and all else that `replay.launch.run` raises before a program begins.
    """

    def __init__(self, cassette: str, command: Sequence[str] | None, at: int, *, run_tools: bool) -> None:
        self.scratch = ""
        self.files: disk.Files = {}
        self.first: Process | None = None
        self.processes: list[Process] = []
        self.result: Run | None = None
        self._at = at
        self._begun: queue.SimpleQueue[Process | Exception] = queue.SimpleQueue()
        self._over = threading.Event()
        self._verdict = ""
        self._thread = threading.Thread(target=self._run, args=(cassette, command, run_tools), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        begun = self._begun.get()
        if isinstance(begun, Exception):
            raise begun
        try:
            self.first = begun if begun.arrive() is not None else None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all of its processes."""
        self._over.set()
        self._thread.join()
        for process in list(self.processes):
            process.end()

    def verdict(self) -> dict[str, Any] | None:
        """What the process that ended last said of itself, once."""
        found = read_verdict(self._verdict)
        with suppress(OSError):
            os.unlink(self._verdict)
        return found

    def _run(self, cassette: str, command: Sequence[str] | None, run_tools: bool) -> None:
        try:
            self.result = run(cassette, command=command, output="discard", run_tools=run_tools, start=self._start)
        except Exception as error:
            self._begun.put(error)  # nobody listens any more where it had begun

    def _start(
        self, command: Sequence[str], environ: Mapping[str, str], spec: Spec, output: Output, directory: str
    ) -> tuple[int, int, bytes, bytes]:
        """See `replay.launch.starting.Start`."""
        self.scratch, self._verdict = spec["scratch"], spec["verdict"]
        ours, theirs = socket.socketpair()
        channel = spec.get("channel")
        with theirs:
            whole: Spec = {**spec, "stepping": {"channel": theirs.fileno(), "at": self._at}}
            process = subprocess.Popen(
                [found(command[0]) or command[0], *command[1:]],
                env={**environ, "REPLAY_BOOT": json.dumps(whole)},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *(() if channel is None else (channel,))),
                process_group=0,
            )
        self._begun.put(Process(self, ours, process.pid))
        self._over.wait()
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        return process.pid, (128 - code if code < 0 else code), b"", b""
