"""What is known about code and environment: for the header of a recording, and for the likely cause of a divergence."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from replay.boundary import sites


@functools.cache
def environment() -> dict[str, Any]:
    """Interpreter, platform and installed distributions of this process.

    Example:
        >>> sorted(environment())
        ['distributions', 'hash_seed', 'implementation', 'platform', 'python']
    """
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": f"{sys.platform}-{platform.machine()}",
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        "distributions": distributions(sys.path),
    }


def distributions(paths: Iterable[str]) -> dict[str, str]:
    """Name → version of what is installed in these folders, by the names of their metadata folders.

    Reads directory listings only: `importlib.metadata` opens a file per distribution, 100 times slower.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            names = os.listdir(path or ".")
        except OSError:
            continue
        for entry in names:
            stem, dot, suffix = entry.rpartition(".")
            if dot and suffix in ("dist-info", "egg-info"):
                name, _, version = stem.partition("-")
                found.setdefault(name.replace("_", "-").lower(), version)
    return dict(sorted(found.items()))


_STARTUP = (
    "TZ",
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)


def startup_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """What the interpreter itself reads before any program runs: time zone, text encoding, bytecode."""
    return {name: environ.get(name) for name in _STARTUP}


def timezone() -> str | None:
    """The zone the system is in, as far as that can be told; `TZ` overrides it."""
    return os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2] or None


class Git:
    """The repository around a directory, asked while others do something else.

    Example:
        repository = Git(".")
        repository.commit()     # {"commit": hash, "root": path}, or None where there is none
        repository.dirty()      # whether tracked files differ from it; None where that can't be told
    """

    def __init__(self, directory: str) -> None:
        self._where = _ask(directory, "rev-parse", "HEAD", "--show-toplevel")
        self._status = _ask(directory, "status", "--porcelain", "--untracked-files=no")

    def commit(self) -> dict[str, Any] | None:
        """The commit that is checked out, and where."""
        said = _answer(self._where)
        if said is None:
            return None
        commit, _, root = said.partition("\n")
        return {"commit": commit, "root": root}

    def dirty(self) -> bool | None:
        """Whether tracked files have been changed."""
        said = _answer(self._status)
        return None if said is None else bool(said)


def _ask(directory: str, *words: str) -> subprocess.Popen[str] | None:
    try:
        return subprocess.Popen(
            ["git", "-C", directory, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return None


def _answer(asked: subprocess.Popen[str] | None) -> str | None:
    if asked is None:
        return None
    try:
        said, _ = asked.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        asked.kill()
        asked.communicate()
        return None
    return said.strip() if asked.returncode == 0 else None


def digest(path: str) -> str | None:
    """Digest of a source file; None where it can't be read."""
    try:
        return _digest(path, os.stat(path).st_mtime_ns)
    except OSError:
        return None


@functools.cache
def _digest(path: str, _changed: int) -> str | None:
    try:
        import hashlib

        with open(path, "rb") as file:
            return hashlib.blake2b(file.read(), digest_size=8).hexdigest()
    except OSError:
        return None


def program_sources(argv: Sequence[str]) -> dict[str, str]:
    """Path → digest of the script in `argv` and of the program's own modules that are imported now.

    `__main__` has lost its file when the interpreter is about to end, hence `argv`.
    """
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    found: dict[str, str] = {}
    for file in (*scripts(argv), *files):
        if isinstance(file, str) and file.endswith(".py") and not sites.is_library(file):
            path = os.path.abspath(file)
            known = digest(path)
            if known is not None:
                found[path] = known
    return found


def scripts(argv: Sequence[str]) -> list[str]:
    """The script that a command line runs, if it names one: at most one path."""
    return [os.path.abspath(word) for word in argv[1:] if word.endswith(".py") and os.path.exists(word)][:1]


def changed_sources(recorded: Mapping[str, str], argv: Sequence[str]) -> list[str]:
    """Those recorded source files that differ now or are gone, and the script in `argv` if it is another one."""
    others = [path for path in scripts(argv) if path not in recorded]
    return others + [path for path, known in recorded.items() if digest(path) != known]
