"""Replays in forks of processes that are ready (`replay.zygote`): which can be, and how one is asked.

A zygote fits a replay that would start the interpreter with the same words, in the same directory, with the same
variables that the interpreter reads. All else (arguments, the environment, the recording) comes with the request.

| what can't be forked | why |
|---|---|
| a child that the recorded program forked or spawned | its parent is replayed up to there, and starts it |
| a replay that lets processes be started | they would outlive their parent's request |
| output to a terminal | the interpreter looked at its streams when it began |
| where there is no `fork`, or no such socket | |

The hash seed is the interpreter's, too, and each recording has one of its own unless `PYTHONHASHSEED` was set. A zygote
has that of the recording it was made for. In another recording's replay sets of texts come in another order, which most
programs never show: so a replay that came out identical is identical, and one that didn't is nothing but a reason to
look again, in a process with its own seed. `exact` says which it was; who asks (`replay.corpus.trial`) looks again.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from replay import process
from replay.bootstrap import Spec
from replay.launch.starting import alone
from replay.limits import Limits
from replay.process import Output
from replay.zygote import BORN, ENDED, HEAD

_MOST: Final = 8
"""Zygotes at a time; the one that was used least lately makes room. Each has some 30 MB."""
_READ_AT_START: Final = ("PYTHON", "LC_", "LANG", "LD_", "COVERAGE")
_NAMES_READ: Final = frozenset(("TZ", "HOME", "PATH"))
_SEED: Final = "PYTHONHASHSEED"
_PIECE: Final = 1 << 16

Kind = tuple[tuple[str, ...], str, tuple[tuple[str, str], ...], bool]


@dataclass(frozen=True, slots=True)
class Way:
    """How a replay began.

    Attributes:
        forked: in a fork of a zygote. why_not: the reason, where it wasn't.
        exact: with the hash seed that it asked for.
    """

    forked: bool
    exact: bool = True
    why_not: str = ""


class Zygotes:
    """Starts replays (`replay.launch.starting.Start`), in forks where it can. For one thread at a time; a context.

    Args:
        limits: of each replay.

    Attributes:
        last: how the last replay began.

    Example:
        with Zygotes() as zygotes:
            runs = [replay.launch.run(path, start=zygotes.start) for path in paths]
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._alone = alone(self._limits)
        self._all: dict[Kind, _Zygote] = {}
        self.last = Way(forked=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End them all."""
        while self._all:
            self._all.popitem()[1].close()

    def start(
        self, command: Sequence[str], environ: Mapping[str, str], spec: Spec, output: Output, directory: str
    ) -> tuple[int, int, bytes, bytes]:
        """See `replay.launch.starting.Start`."""
        why_not = _why_not(spec, output)
        words, arguments = ([], []) if why_not else process.divided(command)
        why_not = why_not or ("" if words else "no program that is named on its command line")
        if not why_not:
            zygote = self._of(words, environ, directory, part=spec.get("part", False))
            self.last = Way(forked=True, exact=zygote.seed == environ.get(_SEED))
            try:
                return zygote.run(arguments, environ, spec, self._limits)
            except _Gone:
                self._drop(zygote)
                why_not = "the process that it was to be forked from is gone"
        self.last = Way(forked=False, why_not=why_not)
        return self._alone(command, environ, spec, output, directory)

    def _of(self, words: Sequence[str], environ: Mapping[str, str], directory: str, *, part: bool) -> _Zygote:
        names = [name for name in environ if name.startswith(_READ_AT_START) or name in _NAMES_READ]
        read = {name: environ[name] for name in names}
        seed = read.pop(_SEED, "")
        kind: Kind = (tuple(words), directory, tuple(sorted(read.items())), part)
        found = self._all.pop(kind, None)
        if found is None:
            while len(self._all) >= _MOST:
                self._all.pop(next(iter(self._all))).close()
            found = _Zygote(words, environ, directory, seed, part=part)
        self._all[kind] = found
        return found

    def _drop(self, zygote: _Zygote) -> None:
        for kind, each in list(self._all.items()):
            if each is zygote:
                del self._all[kind]
        zygote.close()


def _why_not(spec: Spec, output: Output) -> str:
    if not hasattr(os, "fork") or not hasattr(socket, "recv_fds") or not hasattr(os, "pidfd_open"):
        return "this system can't fork what is ready"
    if spec.get("descend"):
        return "a child of a recorded program, that its parent has to start"
    if any(hole.startswith("process:") for hole in spec.get("allow", ())):
        return "it may start processes"
    return "its output goes to a terminal" if output not in ("capture", "discard") else ""


class _Gone(Exception):
    """The zygote doesn't answer any more."""


class _Zygote:
    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], directory: str, seed: str, *, part: bool
    ) -> None:
        self.seed = seed
        self._ours, theirs = socket.socketpair()
        with theirs:
            spec = {"mode": "zygote", "part": part, "channel": theirs.fileno()}
            self._process = subprocess.Popen(
                words,
                env={**environ, "REPLAY_BOOT": json.dumps(spec)},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # the interpreter looks at what its streams are; nothing comes
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
            )

    def close(self) -> None:
        self._ours.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._process.wait()

    def run(
        self, arguments: Sequence[str], environ: Mapping[str, str], spec: Spec, limits: Limits
    ) -> tuple[int, int, bytes, bytes]:
        """Raises _Gone, LimitReached."""
        request = json.dumps({"arguments": list(arguments), "environ": dict(environ), "spec": spec}).encode()
        channel = spec.get("channel")
        pipes = os.pipe(), os.pipe()
        try:
            theirs = [pipes[0][1], pipes[1][1], *(() if channel is None else (channel,))]
            try:
                socket.send_fds(self._ours, [HEAD.pack(len(request))], theirs)
                self._ours.sendall(request)
                pid = self._answer(BORN)[0]
            except OSError:
                raise _Gone from None
        except BaseException:
            os.close(pipes[0][0])
            os.close(pipes[1][0])
            raise
        finally:
            os.close(pipes[0][1])
            os.close(pipes[1][1])
        try:
            with limits.watch(pid):
                out, err = _read(pipes[0][0], pipes[1][0])
                status = self._answer(ENDED)[0]
        except BaseException:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            raise
        finally:
            os.close(pipes[0][0])
            os.close(pipes[1][0])
        code = os.waitstatus_to_exitcode(status)
        return pid, (128 - code if code < 0 else code), out, err

    def _answer(self, form: Any) -> tuple[int, ...]:
        data = b""
        while len(data) < form.size:
            piece = self._ours.recv(form.size - len(data))
            if not piece:
                raise _Gone
            data += piece
        return tuple(form.unpack(data))


def _read(*descriptors: int) -> list[bytes]:
    """All that comes from each, until its end."""
    found = {descriptor: bytearray() for descriptor in descriptors}
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    left = len(found)
    while left:
        for descriptor, _ in poll.poll():
            piece = os.read(descriptor, _PIECE)
            found[descriptor] += piece
            if not piece:
                poll.unregister(descriptor)
                left -= 1
    return [bytes(each) for each in found.values()]
