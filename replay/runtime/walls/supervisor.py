"""The launcher's side of the kernel's wall: says which calls of the replayed process may go on, and notes the others.

A call waits in the kernel until it is answered. What a file name or an address says is read from the memory of the
process that asks; it could be changed by another of its threads before the kernel reads it again, which is why Landlock
stands behind this.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import re
import select
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from replay.boundary import sites
from replay.boundary.lanes import nobody
from replay.runtime import places
from replay.runtime.holes import Hole, Holes
from replay.runtime.walls import frames, syscalls

_RECEIVE, _SEND, _STILL_THERE = 0xC0502100, 0xC0182101, 0x40082102
_QUESTION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_GO_ON = 1
_LONGEST_WAIT = 300
"""Milliseconds for a process to say where it is."""
_FRAME = re.compile(r'  File "(.*)", line (\d+) in ')
_DNS = 53
_RESOLVERS = ("/run/nscd/socket", "/var/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve")


@dataclass(frozen=True, slots=True)
class Noted:
    """A call that was refused, or that a hole let through (`hole`)."""

    what: str
    detail: str
    site: str | None
    hole: str | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    id: int
    thread: int
    name: str
    args: tuple[int, ...]


class Supervisor:
    """Answers from a thread of its own while the `with` block runs.

    Args:
        scratch: the directory that may change. holes: what else is allowed.

    Attributes:
        channel: descriptor that the process to be replayed inherits, to hand over its filter; None where the kernel
            has no such thing.
        noted: what was refused or let through, in order.
    """

    def __init__(self, scratch: str, holes: Holes) -> None:
        self.noted: list[Noted] = []
        self._scratch = os.path.realpath(scratch)
        self._holes = holes
        self._frames = os.path.join(scratch, frames.NAME)
        self._names = {number: name for name, number in syscalls.numbers().items()}
        self._ours: socket.socket | None = None
        self._theirs: socket.socket | None = None
        self._ended, self._end = -1, -1
        self._thread: threading.Thread | None = None
        self._later: list[_Question] = []

    @property
    def channel(self) -> int | None:
        return None if self._theirs is None else self._theirs.fileno()

    def __enter__(self) -> Self:
        if self._names and sys.platform == "linux":
            self._ours, self._theirs = socket.socketpair()
            self._ended, self._end = os.pipe()
            self._thread = threading.Thread(target=self._run, name="replay-supervisor", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is None or self._ours is None or self._theirs is None:
            return
        os.close(self._end)
        self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._ours.close()
        self._theirs.close()
        os.close(self._ended)

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._ours is not None
        with nobody():
            try:
                _, descriptors, _, _ = socket.recv_fds(self._ours, 1, 1)
            except OSError:
                return
            if not descriptors:
                return
            try:
                while (question := self._next(descriptors[0], None)) is not None:
                    self._answer(descriptors[0], question)
            finally:
                os.close(descriptors[0])

    def _next(self, listener: int, milliseconds: int | None) -> _Question | None:
        """The next call that waits; None at the end, or when none came in time."""
        if self._later and milliseconds is None:
            return self._later.pop(0)
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(self._ended, select.POLLIN)
        while True:
            ready = dict(poll.poll(milliseconds))
            if ready.get(listener, 0) & select.POLLIN:
                buffer = bytearray(_QUESTION.size)
                try:
                    fcntl.ioctl(listener, _RECEIVE, buffer)
                except OSError as error:
                    if error.errno in (errno.ENOENT, errno.EINTR):
                        continue  # it was killed meanwhile
                    return None
                id_, thread, _, number, _, _, *args = _QUESTION.unpack(buffer)
                return _Question(id_, thread, self._names.get(number, f"call {number}"), tuple(args))
            return None

    def _answer(self, listener: int, question: _Question) -> None:
        try:
            refused, hole = self._judge(question)
        except (OSError, ValueError):
            refused, hole = ("native call", f"{question.name}, of which nothing could be read"), None
        if refused is not None:
            question, site = self._where(listener, question)
            self._note(Noted(*refused, site, None if hole is None else str(hole)))
        go_on = refused is None or hole is not None
        answer = _ANSWER.pack(question.id, 0, 0 if go_on else -errno.EPERM, _GO_ON if go_on else 0)
        try:
            fcntl.ioctl(listener, _SEND, answer)
        except OSError:
            pass  # it is gone

    def _note(self, noted: Noted) -> None:
        if noted not in self.noted:
            self.noted.append(noted)

    def _where(self, listener: int, question: _Question) -> tuple[_Question, str | None]:
        """The line of the program that made a call, by asking its thread; that may make it call once more."""
        try:
            size = os.path.getsize(self._frames)
            process = _process_of(question.thread)
            if not _handles(process):
                return question, None
        except OSError:
            return question, None
        libc: Any = ctypes.CDLL(None, use_errno=True)
        libc.syscall(ctypes.c_long(_tgkill()), process, question.thread, int(frames.SIGNAL))
        while (again := self._next(listener, _LONGEST_WAIT)) is not None:
            if again.thread == question.thread:
                question = again
                break
            self._later.append(again)
        with open(self._frames, encoding="utf-8", errors="replace") as file:
            file.seek(size)
            found = _FRAME.findall(file.read())
        own = [f"{name}:{line}" for name, line in found if not sites.is_library(name)]
        return question, next(iter(own), None)

    # -- judging -----------------------------------------------------------------------------------------------

    def _judge(self, question: _Question) -> tuple[tuple[str, str] | None, Hole | None]:
        """What a call would do that it mayn't, in words, and the hole that lets it; (None, None) if it may."""
        name, args = question.name, question.args
        if name in syscalls.PATHS:
            return self._paths(question)
        if name in syscalls.FILES:
            real = os.readlink(f"/proc/{question.thread}/fd/{_int(args[0])}")
            return self._changes(name, real)
        if name in syscalls.SENDING:
            return self._sends(question)
        if name in syscalls.STARTING:
            at, position = syscalls.STARTING[name]
            program = self._path(question, None if at is None else args[at], args[position])
            return ("process", f"{name} {program}"), self._holes.process(program)
        if name in syscalls.SIGNALLING:
            target = _int(args[0])
            if target > 0 and _process_of(question.thread) == _process_of(target):
                return None, None
            return ("signal", f"{name} {target}"), self._holes.signal(target)
        return ("native call", name), None

    def _paths(self, question: _Question) -> tuple[tuple[str, str] | None, Hole | None]:
        name, args = question.name, question.args
        if name == "openat2" and not _word(question.thread, args[2]) & places.WRITING:
            return None, None
        used: tuple[tuple[str, str] | None, Hole | None] = (None, None)
        for directory, position in syscalls.PATHS[name]:
            path = self._path(question, None if directory is None else args[directory], args[position])
            refused, hole = self._changes(name, places.real(path, follow=name not in syscalls.KEEPS_LAST))
            if refused is not None:
                used = refused, hole
                if hole is None:
                    break
        return used

    def _changes(self, name: str, real: str) -> tuple[tuple[str, str] | None, Hole | None]:
        if places.may_change(real, self._scratch):
            return None, None
        what = "file write" if name in ("open", "openat", "openat2", "creat") else "file change"
        return (what, f"{name} {real}"), self._holes.write(real)

    def _path(self, question: _Question, directory: int | None, address: int) -> str:
        """The path at an address, absolute; of the descriptor itself where there is none."""
        text = os.fsdecode(_text(question.thread, address)) if address else ""
        process = question.thread
        if text.startswith("/proc/self/"):
            return f"/proc/{_process_of(process)}/{text[11:]}"
        if os.path.isabs(text):
            return text
        here = None if directory is None else _int(directory)
        base = "cwd" if here is None or here == _AT_CWD else f"fd/{here}"
        return (
            os.path.join(os.readlink(f"/proc/{process}/{base}"), text)
            if text
            else os.readlink(f"/proc/{process}/{base}")
        )

    def _sends(self, question: _Question) -> tuple[tuple[str, str] | None, Hole | None]:
        for address in self._addresses(question):
            if address is None:
                continue
            hole = self._holes.connect(address)
            if hole is None and not self._resolves(address):
                return ("connection", f"{question.name} {_shown(address)}"), None
            if hole is not None:
                return ("connection", f"{question.name} {_shown(address)}"), hole
        return None, None

    def _resolves(self, address: Any) -> bool:
        """Whether it is how names are looked up, where looking up is allowed."""
        if not self._holes.of("connect"):
            return False
        if isinstance(address, str):
            return address == "netlink" or address in _RESOLVERS
        return bool(address[1] == _DNS)

    def _addresses(self, question: _Question) -> list[Any]:
        thread, args = question.thread, question.args
        if question.name in ("connect", "sendto"):
            at = 1 if question.name == "connect" else 4
            return [_address(_memory(thread, args[at], min(_int(args[at + 1]), 128)))]
        count = min(_int(args[2]), 64) if question.name == "sendmmsg" else 1
        heads = [_memory(thread, args[1] + 64 * number, 12) for number in range(count)]
        named = [struct.unpack("=QI", head) for head in heads]
        return [_address(_memory(thread, where, min(length, 128))) for where, length in named if where and length]


_AT_CWD = -100


def _int(value: int) -> int:
    """The low 32 bits as the kernel takes them for an `int`."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


@functools.cache
def _tgkill() -> int:
    return syscalls.numbers()["tgkill"]


def _process_of(thread: int) -> int:
    with open(f"/proc/{thread}/status", encoding="ascii", errors="replace") as file:
        return next(int(line[5:]) for line in file if line.startswith("Tgid:"))


def _handles(process: int) -> bool:
    """Whether the process has its handler for frames.SIGNAL in place: a child that was only forked may not."""
    with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as file:
        caught = next(int(line[7:], 16) for line in file if line.startswith("SigCgt:"))
    return bool(caught >> (int(frames.SIGNAL) - 1) & 1)


def _memory(thread: int, address: int, length: int) -> bytes:
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as file:
        file.seek(address)
        return file.read(length)


def _word(thread: int, address: int) -> int:
    return int.from_bytes(_memory(thread, address, 8), "little")


def _text(thread: int, address: int) -> bytes:
    """The C string at an address, of at most a path's length."""
    found = b""
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as file:
        file.seek(address)
        while b"\0" not in found and len(found) < 4096:
            piece = file.read(256 - (address + len(found)) % 256)  # never past the page that it ends in
            if not piece:
                break
            found += piece
    return found.partition(b"\0")[0]


def _address(raw: bytes) -> Any:
    """(host, port), the path of a unix socket (an abstract one with its NUL), another family's name; None for none."""
    if len(raw) < 2:
        return None
    family = int.from_bytes(raw[:2], "little")
    if family == socket.AF_UNSPEC:
        return None
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), int.from_bytes(raw[2:4], "big")
    if family == socket.AF_UNIX:
        path = raw[2:]
        return os.fsdecode(path if path[:1] == b"\0" else path.partition(b"\0")[0])
    return "netlink" if family == getattr(socket, "AF_NETLINK", -1) else f"family {family}"


def _shown(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address).replace("\0", "@")
