"""Opening files: `open`, `io.open`, `os.open`.

Each is one crossing at the level of `os.open`; `open` puts the layers of `io` on the descriptor, as the interpreter
does.
"""

from __future__ import annotations

import builtins
import io
import os
import stat
import sys
import warnings
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from replay.boundary import originals
from replay.boundary.door import Call, Door
from replay.boundary.lanes import Lane, running
from replay.runtime.files import opened, scope, world
from replay.runtime.files.opened import Handle, Raw, handles

_REAL = originals.REAL_OS
_real_open = io.open
_frame = originals.frame
_fspath: Any = os.fspath

LIMIT = 64 << 20
"""Bytes of a file's content that are recorded; a larger one is read at replay as it is then, and is a blind spot."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MADE_UP = ("/proc/", "/sys/")
_TEMPORARY = getattr(os, "O_TMPFILE", 0)
_MODES = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}
_FLAGS = {os.O_RDONLY: "read", os.O_WRONLY: "write", os.O_RDWR: "read, write"}
_MORE = {"create": os.O_CREAT, "exclusive": os.O_EXCL, "truncate": os.O_TRUNC, "append": os.O_APPEND}


class _Opened:
    """What came of opening: the descriptor and what is known of the file."""

    __slots__ = ("facts", "fd")

    def __init__(self, fd: int, facts: dict[str, Any]) -> None:
        self.fd = fd
        self.facts = facts


def install() -> None:
    """Replace `open` everywhere it is looked up, and `os.open`."""
    _patched.__doc__ = _real_open.__doc__
    _patched.__name__ = _patched.__qualname__ = "open"
    _patched.__module__ = "io"
    setattr(io, "open", _patched)  # noqa: B010 - pathlib looks it up there
    setattr(builtins, "open", _patched)  # noqa: B010
    for module, name in (("tokenize", "_builtin_open"), ("tarfile", "bltn_open")):
        if module in sys.modules:  # it has bound it by now
            setattr(sys.modules[module], name, _patched)
    real_os_open = os.open

    def os_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        lane = running.lane
        if lane is not None:
            found = wanted(path, dir_fd, _frame(0).f_back, writes=bool(flags & _WRITES))
            if found is not None:
                return cross(lane, path, found, flags, mode, dir_fd)
        return real_os_open(path, flags, mode, dir_fd=dir_fd)

    os_open.__name__ = os_open.__qualname__ = "open"
    os_open.__doc__ = real_os_open.__doc__
    setattr(os, "open", os_open)  # noqa: B010
    os.supports_dir_fd.add(os_open)


def wanted(path: Any, dir_fd: int | None, frame: FrameType | None, *, writes: bool) -> tuple[Any, str, int] | None:
    """(name to record, absolute path, who asks) where that access counts; None where it is the installation's."""
    try:
        name: Any = _fspath(path)
        if b"\0" in os.fsencode(name):
            return None
    except (TypeError, ValueError):
        return None  # no path: the real function is going to say so
    if dir_fd is not None and not os.fsdecode(name).startswith("/"):
        place = handles.get(dir_fd)
        if place is None:
            return None
        name = _REAL.path.join(os.fsdecode(place.path), os.fsdecode(name))
    name = world.named(name)
    absolute = world.absolute(name)
    if not writes and scope.installed(absolute):
        return None
    asker = scope.asker(frame)
    if asker == scope.NOBODY and not writes and absolute in scope.written:
        asker = scope.LIBRARY  # `linecache` and the like, looking at what the program has written
    if asker == scope.NOBODY or (asker == scope.LIBRARY and not writes and scope.is_code(absolute)):
        return None
    if writes:
        if absolute in scope.HARMLESS:
            return None
        scope.written.add(absolute)
    return name, absolute, asker


def cross(lane: Lane, path: Any, found: tuple[Any, str, int], flags: int, mode: int, dir_fd: int | None) -> int:
    """Open `path` as `os.open` does; `found` as `wanted` returned it. Returns the descriptor, in `handles`."""
    name, absolute, _ = found
    request = {"path": name, "mode": _readable(flags)}
    call: Call[_Opened] = Call(
        "file", "open", "write" if flags & _WRITES else "read", request, chain=("file", absolute), dump=_facts
    )

    def load(facts: Any) -> _Opened:
        return _open_overlay(lane, call, absolute, flags, facts)

    known = _seen.setdefault(lane.door, {})

    def perform() -> _Opened:
        view = world.view
        fd = _REAL.open(path, flags, mode, dir_fd=dir_fd) if view is None else view.open(absolute, flags, mode)
        facts, call.content = _look(fd, flags, absolute, known)
        return _Opened(fd, facts)

    call.load = load
    done = lane.door.cross(lane, call, perform)
    handles[done.fd] = Handle(name, absolute, flags, done.facts)
    if isinstance(call.content, bytes) and call.event is not None:
        _remember(known, done.fd, call.event, len(call.content))
    if "unread" in done.facts:
        lane.door.blind("file read", f"{os.fsdecode(name)}: {done.facts['unread']}")
    return done.fd


def _facts(result: _Opened) -> dict[str, Any]:
    return result.facts


def _readable(flags: int) -> str:
    words = [_FLAGS[flags & (os.O_WRONLY | os.O_RDWR)]]
    if _TEMPORARY and flags & _TEMPORARY == _TEMPORARY:
        words.append("temporary")
    return ", ".join(words + [word for word, bit in _MORE.items() if flags & bit])


_seen: WeakKeyDictionary[Door, dict[tuple[int, ...], int]] = WeakKeyDictionary()
"""By recording: files that were read, by what tells that they are unchanged, and the event that has their content."""

_SMALL = 4096  # to read and hash it takes less than to look it up
_SETTLED = 2_000_000_000  # nanoseconds after which a change can't have the same time stamp any more


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _remember(known: dict[tuple[int, ...], int], fd: int, event: int, size: int) -> None:
    """What was read stays that as long as its time stamps do, if they are old enough to tell."""
    found = _REAL.fstat(fd)
    changed = max(found.st_mtime_ns, found.st_ctime_ns)
    if size == found.st_size > _SMALL and originals.wall_ns() - changed > _SETTLED:
        known[_identity(found)] = event


def _look(
    fd: int, flags: int, absolute: str, known: dict[tuple[int, ...], int]
) -> tuple[dict[str, Any], bytes | int | None]:
    """What is known of the file that was just opened, and what is in it."""
    found = _REAL.fstat(fd)
    block = found.st_blksize if found.st_blksize > 1 else io.DEFAULT_BUFFER_SIZE
    if stat.S_ISDIR(found.st_mode):
        return {"type": "directory", "size": 0, "block": block}, None
    made_up = absolute.startswith(_MADE_UP)  # by the kernel, anew with each read
    if not stat.S_ISREG(found.st_mode) or made_up:
        return {"type": "device", "size": 0, "block": block, "terminal": _REAL.isatty(fd)}, None
    facts: dict[str, Any] = {"type": "file", "size": found.st_size, "block": block}
    if flags & os.O_WRONLY or (_TEMPORARY and flags & _TEMPORARY == _TEMPORARY):
        return facts, None
    event = known.get(_identity(found)) if known else None
    if event is not None:
        return facts, event
    if found.st_size > LIMIT:
        return {**facts, "unread": f"{found.st_size >> 20} MB, more than is recorded"}, None
    try:
        content = world.read_all(fd, LIMIT)
    except OSError as error:
        return {**facts, "unread": str(error)}, None
    return {**facts, "size": len(content)}, content


def _open_overlay(lane: Lane, call: Call[_Opened], absolute: str, flags: int, facts: dict[str, Any]) -> _Opened:
    """At replay."""
    if facts["type"] == "directory":
        return _Opened(originals.os_open(world.folder(absolute), os.O_RDONLY), facts)
    if facts["type"] == "device":
        return _Opened(originals.os_open("/dev/null", os.O_RDWR), facts)
    if _TEMPORARY and flags & _TEMPORARY == _TEMPORARY:
        return _Opened(world.anonymous(), facts)
    if "unread" in facts and not flags & _WRITES:
        return _Opened(originals.os_open(absolute, flags), facts)
    digest: str | None = facts.get("sha256")
    if digest is not None and world.laid(absolute, digest):
        target = world.inside(absolute)
    else:
        content = None if digest is None else lane.door.content(call)
        target = world.lay(absolute, facts["size"], digest, content)
    fd = originals.os_open(target, flags & ~os.O_EXCL | os.O_CREAT, 0o600)
    if digest is not None:  # what was redacted may be shorter
        facts["size"] = _REAL.fstat(fd).st_size
    return _Opened(fd, facts)


def _patched(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    lane = running.lane
    if lane is None:
        return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    flags = _flags(mode)
    fd = -1
    if flags is not None:
        if isinstance(file, int):
            fd = file if file in handles else -1
        elif opener is not None:
            fd = _from(opener, file, flags)
            if fd not in handles:
                return _named_file(_real_open(fd, mode, buffering, encoding, errors, newline), file)
        elif closefd:
            found = wanted(file, None, _frame(0).f_back, writes=bool(flags & _WRITES))
            if found is not None:
                _check(mode, buffering, encoding, errors, newline)
                fd = cross(lane, os.fspath(file), found, flags | os.O_CLOEXEC, 0o666, None)
    if fd < 0:
        return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    handle = handles[fd]
    try:
        made = _layers(fd, handle, file, mode, buffering, encoding, errors, newline, closefd)
    except BaseException as error:
        if not isinstance(file, int):
            if fd in handles:
                os.close(fd)
            if isinstance(error, OSError):
                error.filename = file
        raise
    opened.remember(made, handle)
    return made


def _flags(mode: Any) -> int | None:
    """As `os.open` wants them; None for a mode that `open` refuses."""
    if not isinstance(mode, str) or len(set(mode)) != len(mode) or set(mode) - set("rwxabt+"):
        return None
    main = [letter for letter in mode if letter in _MODES]
    if len(main) != 1 or ("t" in mode and "b" in mode):
        return None
    flags = _MODES[main[0]]
    return flags & ~os.O_WRONLY | os.O_RDWR if "+" in mode else flags


def _check(mode: str, buffering: int, encoding: Any, errors: Any, newline: Any) -> None:
    """What `open` refuses before it opens: let it say so, on a descriptor that is no file."""
    if "b" in mode and (encoding is not None or errors is not None or newline is not None):
        _real_open(-1, mode, buffering, encoding, errors, newline)


def _from(opener: Any, file: Any, flags: int) -> int:
    fd = opener(file, flags | os.O_CLOEXEC)
    if not isinstance(fd, int):
        raise TypeError("expected integer from opener")
    if fd < 0:
        raise ValueError(f"opener returned {fd}")
    return fd


def _named_file(made: Any, name: Any) -> Any:
    raw = made
    while hasattr(raw, "buffer") or hasattr(raw, "raw"):
        raw = raw.buffer if hasattr(raw, "buffer") else raw.raw
    raw.name = name
    return made


def _layers(
    fd: int,
    handle: Handle,
    name: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
) -> Any:
    """What `io.open` builds on a raw file."""
    binary = "b" in mode
    if handle.kind == "directory":
        raise IsADirectoryError(21, "Is a directory", name)
    raw: Any = Raw(fd, mode.replace("b", "").replace("t", "") + "b", closefd, handle)
    raw.name = name
    try:
        if binary and buffering == 1:
            warnings.warn(
                "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used",
                RuntimeWarning,
                stacklevel=3,
            )
        lines = buffering == 1 or (buffering < 0 and handle.terminal)
        if buffering == 0:
            if not binary:
                raise ValueError("can't have unbuffered text I/O")
            return raw
        size = handle.block if buffering < 0 or buffering == 1 else buffering
        layer = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
        buffer = layer(raw, size)
        if binary:
            return buffer
        text: Any = io.TextIOWrapper(buffer, encoding, errors, newline, lines)
        text.mode = mode
    except BaseException:
        if closefd:
            raw.close()
        raise
    return text
