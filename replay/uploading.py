"""Sealed cassettes go to a URL: what is to be uploaded is noted first, in a spool that survives this process.

A note is a small file beside the cassettes (`.uploads/NAME.json`); it goes away when the store has all of the cassette.
Nothing at the URL is overwritten: what is there already has to be the same bytes.

What a program records from within (`replay.record`, entry points, servers) is noted as it is sealed, and sent by a
process beside it: one at a time, and a last one at the program's end. Only that process imports what talks to stores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from replay.boundary import originals
from replay.boundary.lanes import nobody
from replay.cassette import frame as f
from replay.cassette.directory import default_directory
from replay.cassette.urls import url_of
from replay.model.errors import CassetteExists, CassetteMissing, CassetteUnreadable, ReplayError, UsageError

PAUSES = (1.0, 4.0, 15.0)
"""Seconds between attempts."""


def spool_of(directory: str | os.PathLike[str] | None = None) -> Path:
    """Where the notes are."""
    return (default_directory() if directory is None else Path(directory)) / ".uploads"


def note(
    paths: Sequence[str | os.PathLike[str]], url: str, spool: Path, below: str | os.PathLike[str] | None = None
) -> None:
    """Note that those cassettes are to go to the folder at `url`.

    Args:
        below: a directory: they keep their place in it. By default all lie side by side.

    Raises:
        UsageError, CassetteMissing, OSError.
    """
    folder = url_of(url)
    if folder is None:
        raise UsageError(f"{url} is no URL", hint="s3://bucket/folder, file:///folder, …")
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in paths:
        where = Path(os.path.abspath(path))
        if not where.is_file():
            raise CassetteMissing(f"no such cassette: {where}")
        place = where.name if below is None else where.relative_to(os.path.abspath(below)).as_posix()
        target = f"{folder.rstrip('/')}/{place}"
        name = sha256(f"{where}\n{target}".encode()).hexdigest()[:16]
        beside = spool / f"{name}.new"
        with open(beside, "w", encoding="utf-8") as file:
            json.dump({"path": str(where), "url": target}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, spool / f"{name}.json")


def in_background(path: str, url: str, children: Iterable[Path] = ()) -> None:
    """Note that cassette and its children's, and start a process that uploads what is noted and outlives this one.

    Raises as `note`.
    """
    sealed = [child for child in children if is_sealed(child)]
    note([path, *sealed], url, spool_of(), os.path.dirname(os.path.abspath(path)))
    _start()


def _start() -> int:
    """The id of a process that uploads what is noted."""
    started = subprocess.Popen(
        [sys.executable, "-m", "replay_cli", "--quiet", "upload"],
        env={**os.environ, "REPLAY": "off"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    started.returncode = 0  # nobody waits for it, whenever it ends
    return started.pid


def _runs(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:  # somebody else has waited for it, or is its parent
        return False


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Whether it has a footer, or is encrypted as a whole; reads its ends only."""
    try:
        with open(path, "rb") as file:
            begins = file.read(len(_AGE))
            file.seek(-f.TRAILER.size, os.SEEK_END)
            return begins == _AGE or file.read().endswith(f.TRAILER_MARK)
    except OSError:
        return False


_AGE: Final = b"age-encryption.org/v1"


class Beside:
    """Uploads what this process records from within.

    Args:
        url: the folder they go to. warn: gets what goes wrong, once.
    """

    def __init__(self, url: str, warn: Callable[[str], None]) -> None:
        self._url = url
        self._warn = warn
        self._lock = originals.allocate_lock()
        self._running: int | None = None
        self._noted = False
        self._pid = os.getpid()

    def sealed(self, path: str) -> None:
        """That one may have been: it is noted, and sent soon."""
        if not is_sealed(path):
            return
        with self._lock, nobody():
            try:
                note([path], self._url, spool_of())
                self._noted = True
                self._look()
            except (ReplayError, OSError) as error:
                self._failed(f"{path}: not uploaded: {error}")

    def end(self) -> None:
        """The process ends: what is left is sent by one that outlives it."""
        with self._lock, nobody():
            if self._noted and os.getpid() == self._pid:
                self._noted = False
                try:
                    _start()
                except OSError as error:
                    self._failed(f"not uploaded: {error}")

    def _look(self) -> None:
        if self._running is None or not _runs(self._running):
            self._running = _start()

    def _failed(self, what: str) -> None:
        self._warn(what)
        self._warn = _nothing


def _nothing(_: str) -> None:
    """It was said before."""


def upload(spool: Path, wait: Callable[[float], object]) -> Iterator[tuple[str, ReplayError | None]]:
    """Upload what is noted: (URL, what went wrong for good or for now). What went wrong stays noted.

    Args:
        wait: gets the seconds to wait before another attempt.
    """
    seen: set[Path] = set()
    while files := sorted(set(spool.glob("*.json")) - seen):  # some are noted meanwhile
        seen.update(files)
        for file in files:
            try:
                found: dict[str, str] = json.loads(file.read_text("utf-8"))
                path, url = found["path"], found["url"]
            except FileNotFoundError:  # another process has done it
                continue
            except (OSError, ValueError, KeyError, TypeError):
                yield str(file), CassetteUnreadable(f"{file} is no note of an upload")
                continue
            problem = _attempts(path, url, wait)
            if problem is None:
                file.unlink(missing_ok=True)
            yield url, problem


def _attempts(path: str, url: str, wait: Callable[[float], object]) -> ReplayError | None:
    problem: ReplayError | None = None
    for pause in (*PAUSES, None):
        try:
            _put(path, url)
            return None
        except CassetteUnreadable as error:  # it may be the network
            problem = error
        except ReplayError as error:
            return error
        if pause is not None:
            wait(pause)
    return problem


def _put(path: str, url: str) -> None:
    """Raises CassetteMissing, CassetteExists; CassetteUnreadable, which may be over soon."""
    from replay.cassette import opening, remote
    from replay.cassette.source import FileSource

    if remote.put(path, url):
        return
    mine, there = FileSource(path), remote.source(url)
    try:
        same = mine.size == there.size and all(
            mine.read_at(at, opening.PIECE) == there.read_at(at, opening.PIECE)
            for at in range(0, mine.size, opening.PIECE)
        )
    finally:
        mine.close()
        there.close()
    if not same:
        raise CassetteExists(f"{url} exists already, and is another file", hint="nothing is overwritten")
