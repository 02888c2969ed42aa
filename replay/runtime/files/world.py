"""The overlay: where a replay keeps the files that the program believes to see, below its scratch directory.

The file `/a/b` lies at `<scratch>/files/a/b`. The tape answers every question about files, so the overlay needn't be a
whole file system: it holds the contents of what was opened and what was written, with renames and removals, for
whatever is opened again. Links aren't made in it, since one could lead out.

Nothing here is used while recording, except for names.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from replay.boundary import originals
from replay.boundary.lanes import running

if TYPE_CHECKING:
    from replay.runtime.files.view import View

_REAL = originals.REAL_OS
view: View | None = None
"""Behind a fork point, what performs operations on files; None: the system does."""

_scratch: str | None = None
_cwd: str | None = None
_moved: tuple[str, str] | None = None
_laid: dict[str, tuple[str, tuple[int, int, int]]] = {}  # overlay path: digest and state of what was laid there


def use(scratch: str, directory: str) -> None:
    """This process replays, with its files below `scratch`; `directory` is where the recorded program was started.

    Where the replay runs in another place, absolute paths below the one are named as if they were below the other.
    """
    global _scratch, _cwd, _moved
    _scratch = _REAL.path.join(_REAL.path.realpath(scratch), "files")
    _cwd = directory
    here = _REAL.getcwd()
    _moved = (here, directory) if here != directory else None


def scratch() -> str | None:
    """The directory that a replay may write to; None while recording."""
    return None if _scratch is None else _REAL.path.dirname(_scratch)


def cwd() -> str:
    """The program's working directory."""
    return _REAL.getcwd() if _cwd is None or running.lane is None else _cwd


def set_cwd(directory: str) -> None:
    """At replay: the program has changed it."""
    global _cwd
    _cwd = directory
    try:  # for what C code opens by a relative name
        _REAL.chdir(directory)
    except OSError:
        _REAL.chdir(folder(directory))


def named(path: Any) -> Any:
    """A path as it is recorded: as the program gave it, str or bytes."""
    if _moved is not None and isinstance(path, str):
        here, then = _moved
        if path == here or path.startswith(here + os.sep):
            return then + path[len(here) :]
    return path


def absolute(path: str | bytes) -> str:
    """The absolute path, by its text alone: links aren't followed."""
    text = os.fsdecode(path)
    if text[:1] != "/":
        text = f"{cwd()}/{text}"
    return str(_REAL.path.normpath(text))


def inside(path: str) -> str:
    """Where the file of that absolute path lies in the overlay."""
    assert _scratch is not None
    return _scratch + path


def lay(path: str, size: int, digest: str | None, content: bytes | None) -> str:
    """Make the overlay's file have the content that was recorded; returns where it lies.

    Args:
        size: of the file then; all that is known of one that was opened for writing only.
        digest: of the content; what is there already isn't written again.
        content: None where it isn't known.
    """
    target = inside(path)
    _make(_REAL.path.dirname(target))
    state = _state(target)
    if content is None:
        if state is None or state[1] != size:
            with _opened(target, os.O_RDWR | os.O_CREAT) as fd:
                _REAL.ftruncate(fd, size)
        return target
    if state is not None:
        if digest is not None and _laid.get(target) == (digest, state):
            return target
        with _opened(target, os.O_RDONLY) as fd:
            there = read_all(fd)
        from replay.matching.redacted import fits_bytes  # of a replay only: a recording begins sooner without it

        if there == content or fits_bytes(content, there):
            return target
        _REAL.unlink(target)  # who has it open keeps what it had
    with _opened(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
        rest = memoryview(content)
        while rest:
            rest = rest[originals.os_write(fd, rest) :]
    state = _state(target)
    if digest is not None and state is not None:
        _laid[target] = (digest, state)
    return target


def laid(path: str, digest: str) -> bool:
    """Whether that content is there, untouched since it was laid."""
    target = inside(path)
    return target in _laid and _laid[target] == (digest, _state(target))


def folder(path: str) -> str:
    """The overlay's directory for that absolute path, made if need be."""
    target = inside(path)
    _make(target)
    return target


def anonymous() -> int:
    """A descriptor of a file without a name."""
    assert _scratch is not None
    _make(_scratch)
    target = f"{_scratch}/.{originals.urandom(8).hex()}"
    fd = originals.os_open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    _REAL.unlink(target)
    return fd


def change(operation: str, path: str, other: str | None) -> None:
    """Do in the overlay what the program did; what isn't there needs no change."""
    target = inside(path)
    try:
        if operation in ("remove", "unlink"):
            _REAL.unlink(target)
        elif operation == "rmdir":
            _REAL.rmdir(target)
        elif operation == "mkdir":
            _make(target)
        elif operation in ("rename", "replace", "link") and other is not None:
            there = inside(other)
            _make(_REAL.path.dirname(there))
            if operation == "link":
                _REAL.link(target, there)
            else:
                _REAL.replace(target, there)
    except OSError:
        pass


def truncate(path: str, size: int) -> None:
    """`os.truncate` in the overlay."""
    try:
        _REAL.truncate(inside(path), size)
    except OSError:
        pass


def read_all(fd: int, limit: int | None = None) -> bytes:
    """What is in an open file, from its beginning, without moving its position.

    Args:
        limit: bytes at most, and some more.
    """
    pieces: list[bytes] = []
    at = 0
    while True:
        piece = _REAL.pread(fd, max(1 << 16, _REAL.fstat(fd).st_size - at + 1), at)
        pieces.append(piece)
        at += len(piece)
        if not piece or (limit is not None and at > limit):
            return pieces[0] if len(pieces) == 2 else b"".join(pieces)


class _opened:  # noqa: N801 - reads as a verb
    def __init__(self, path: str, flags: int) -> None:
        self._fd = originals.os_open(path, flags, 0o600)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        originals.os_close(self._fd)


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        found = _REAL.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(_REAL.stat(path).st_mode)
    except OSError:
        return False


def _make(directory: str) -> None:
    """`makedirs`; a file that the program had in the place of a directory gives way."""
    if _is_directory(directory):
        return
    parent = _REAL.path.dirname(directory)
    if parent != directory:
        _make(parent)
    try:
        _REAL.mkdir(directory, 0o700)
    except FileExistsError:
        if not _is_directory(directory):
            _REAL.unlink(directory)
            _REAL.mkdir(directory, 0o700)
