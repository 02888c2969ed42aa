"""Holes in the sandbox of a replay: what `--allow` opens, one by one. Pure, but for name look-ups.

    connect:HOST[:PORT]   connections and datagrams there, and looking that name up; `connect:/path` for a unix socket
    process:NAME          starting that program, by name or path; `process:fork` for a fork of the program itself
    write:PATH            changing that file, or what lies below that directory (a database file, too)
    signal:PID            sending signals to that process
    native:NAME           looking up that C function with ctypes

`*` stands for any host, port, program, path, process or function. Each use of a hole is told with the verdict.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from replay.model.errors import UsageError

KINDS = ("connect", "process", "write", "signal", "native")
ANY = "*"
Resolve = Callable[[str], Iterable[str]]
"""The addresses of a host name."""


@dataclass(frozen=True, slots=True)
class Hole:
    """One opening: `kind` is one of KINDS, `target` as in the module's text."""

    kind: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}"


def parse(text: str) -> Hole:
    """A hole as it is written on the command line.

    Raises:
        UsageError: it isn't of that form.

    Example:
        >>> parse("connect:127.0.0.1:8080")
        Hole(kind='connect', target='127.0.0.1:8080')
    """
    kind, colon, target = text.partition(":")
    if kind not in KINDS or not colon or not target:
        forms = ", ".join(f"{each}:…" for each in KINDS)
        raise UsageError(f"{text!r} isn't something to allow", hint=f"one of {forms}; such as connect:127.0.0.1:8080")
    if kind == "signal" and target != ANY and not target.isdigit():
        raise UsageError(f"{text!r}: a process id or * is needed")
    if kind == "write" and target != ANY:
        target = os.path.realpath(os.path.expanduser(target))
    return Hole(kind, target)


class Holes:
    """All that are open in one replay.

    Args:
        texts: as on the command line.
        resolve: asked for the addresses of a hole's host name when a connection to a number is to be judged.
    """

    def __init__(self, texts: Iterable[str], resolve: Resolve) -> None:
        self._holes = tuple(map(parse, texts))
        self._resolve = resolve

    def of(self, kind: str) -> tuple[Hole, ...]:
        """Those of one kind."""
        return tuple(hole for hole in self._holes if hole.kind == kind)

    def connect(self, address: Any) -> Hole | None:
        """The hole that a socket address fits: `(host, port, …)`, or the path of a unix socket."""
        if isinstance(address, (str, bytes)):
            path = os.fsdecode(address)
            return self._first("connect", lambda target: target == path)
        if not isinstance(address, tuple):
            return None
        host, port = str(address[0]), str(address[1])  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        return self._first("connect", lambda target: self._is_there(target, host, port))

    def look_up(self, name: Any) -> Hole | None:
        """The hole that looking up a host name fits."""
        host = os.fsdecode(name) if isinstance(name, (str, bytes)) else str(name)
        return self._first("connect", lambda target: _host_port(target)[0] == host)

    def process(self, program: Any) -> Hole | None:
        """The hole that starting a program fits, by its path or its name."""
        path = os.fsdecode(program)
        return self._first("process", lambda target: target in (path, os.path.basename(path)))

    def write(self, real: str) -> Hole | None:
        """The hole that changing a file fits; `real` is its real path."""
        return self._first("write", lambda target: real == target or real.startswith(target.rstrip(os.sep) + os.sep))

    def signal(self, pid: int) -> Hole | None:
        """The hole that a signal to a process fits."""
        return self._first("signal", lambda target: target == str(pid))

    def native(self, name: str) -> Hole | None:
        """The hole that a C function fits."""
        return self._first("native", lambda target: target == name)

    def _first(self, kind: str, fits: Callable[[str], bool]) -> Hole | None:
        return next(
            (hole for hole in self._holes if hole.kind == kind and (hole.target == ANY or fits(hole.target))), None
        )

    def _is_there(self, target: str, host: str, port: str) -> bool:
        wanted_host, wanted_port = _host_port(target)
        if wanted_port not in (ANY, port):
            return False
        return wanted_host in (ANY, host) or host in self._resolve(wanted_host)


def addresses(host: str) -> frozenset[str]:
    """The real addresses of a host name; none where it has none."""
    import socket

    try:
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(host, None))
    except OSError:
        return frozenset()


def _host_port(target: str) -> tuple[str, str]:
    """The two parts of a `connect` target; without a port it is any."""
    if target.startswith("["):
        host, _, rest = target[1:].partition("]")
        return host, rest.removeprefix(":") or ANY
    if target.count(":") == 1:
        host, _, port = target.partition(":")
        return host, port or ANY
    return target, ANY
