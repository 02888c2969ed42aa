"""Sealed cassettes go to a URL: what is to be uploaded is noted first, in a spool that survives this process.

A note is a small file beside the cassettes (`.uploads/NAME.json`); it goes away when the store has all of the cassette.
Nothing at the URL is overwritten: what is there already has to be the same bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from replay.cassette import opening, remote
from replay.cassette.directory import default_directory
from replay.cassette.source import FileSource
from replay.model.errors import CassetteExists, CassetteMissing, CassetteUnreadable, ReplayError, UsageError

PAUSES = (1.0, 4.0, 15.0)
"""Seconds between attempts."""


def spool_of(directory: str | os.PathLike[str] | None = None) -> Path:
    """Where the notes are."""
    return (default_directory() if directory is None else Path(directory)) / ".uploads"


def note(paths: Sequence[str | os.PathLike[str]], url: str, spool: Path) -> None:
    """Note that those cassettes are to go to the folder at `url`. Raises UsageError, CassetteMissing, OSError."""
    folder = remote.url_of(url)
    if folder is None:
        raise UsageError(f"{url} is no URL", hint="s3://bucket/folder, file:///folder, …")
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in paths:
        where = Path(os.path.abspath(path))
        if not where.is_file():
            raise CassetteMissing(f"no such cassette: {where}")
        target = f"{folder.rstrip('/')}/{where.name}"
        name = sha256(f"{where}\n{target}".encode()).hexdigest()[:16]
        beside = spool / f"{name}.new"
        with open(beside, "w", encoding="utf-8") as file:
            json.dump({"path": str(where), "url": target}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, spool / f"{name}.json")


def in_background(path: str, url: str) -> None:
    """Note that cassette, and start a process that uploads what is noted and outlives this one. Raises as `note`."""
    spool = spool_of()
    note([path], url, spool)
    subprocess.Popen(
        [sys.executable, "-m", "replay_cli", "--quiet", "upload"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ).returncode = 0  # nobody waits for it  # fmt: skip


def upload(spool: Path, wait: Callable[[float], object]) -> Iterator[tuple[str, ReplayError | None]]:
    """Upload what is noted: (URL, what went wrong for good or for now). What went wrong stays noted.

    Args:
        wait: gets the seconds to wait before another attempt.
    """
    for file in sorted(spool.glob("*.json")):
        try:
            found: dict[str, str] = json.loads(file.read_text("utf-8"))
            path, url = found["path"], found["url"]
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
