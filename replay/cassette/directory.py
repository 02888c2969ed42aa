"""Finding cassettes by name: a path, the first characters of an id, or `latest`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from replay import options
from replay.model.errors import CassetteMissing, ReplayError, UsageError

SUFFIX: Final = ".cassette"


def default_directory() -> Path:
    """`$REPLAY_DIR`, or what pyproject.toml says, or `.replay`."""
    return Path(options.current().directory)


def cassettes(directory: str | os.PathLike[str] | None = None) -> list[Path]:
    """All cassette files in `directory` (not below it), oldest first."""
    where = default_directory() if directory is None else Path(directory)
    if not where.is_dir():
        return []
    return sorted((p for p in where.iterdir() if p.suffix == SUFFIX and p.is_file()), key=_age)


def children_of(path: str | os.PathLike[str]) -> Path:
    """The folder of the cassettes of a recorded process's children: `X.d` beside `X.cassette`. It need not exist."""
    return Path(os.fspath(path).removesuffix(SUFFIX) + ".d")


def ring_of(path: str) -> str:
    """Where the parts are of the flight recorder that is saved as `path`."""
    return path.removesuffix(SUFFIX) + ".ring"


def parent_of(path: str | os.PathLike[str]) -> Path | None:
    """The cassette whose child that one is, by where it lies; None where it is nobody's."""
    folder = Path(os.path.abspath(path)).parent
    parent = folder.with_suffix(SUFFIX)
    return parent if folder.suffix == ".d" and parent.is_file() else None


def children(path: str | os.PathLike[str]) -> list[Path]:
    """The cassettes of a recorded process's children, in the order in which they began."""

    def number(child: Path) -> tuple[int, str]:
        return (int(child.stem) if child.stem.isdecimal() else 1 << 60), child.name

    return sorted(cassettes(children_of(path)), key=number)


def descendants(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The cassettes of all processes below a recorded one."""
    for child in children(path):
        yield child
        yield from descendants(child)


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:  # gone since
        return 0, path.name


def resolve(name: str | os.PathLike[str], directory: str | os.PathLike[str] | None = None) -> Path:
    """The file that `name` means: an existing path, `latest`, a file name (with or without `.cassette`), the name it
    was given (`--name`; the newest of those), or the beginning of a file name or an id in the cassette directory.

    Raises:
        CassetteMissing: nothing fits; names what is near.
        UsageError: more than one fits.

    Example:
        >>> resolve("01HF7", ".replay")
        PosixPath('.replay/01HF7YAT000000000000000000.cassette')
    """
    text = os.fspath(name)
    if text != "latest" and (os.path.exists(text) or "://" in text):
        return Path(text)  # of a URL, too: `replay.cassette.remote` gives it back the slash that it loses here
    found = cassettes(directory)
    where = default_directory() if directory is None else Path(directory)
    if text == "latest":
        if not found:
            raise CassetteMissing(f"there is no cassette in {where}", hint="record one: `replay record -- python x.py`")
        return found[-1]
    exact = [path for path in found if text in (path.name, path.stem)]
    if len(exact) == 1:
        return exact[0]
    headers = {path: _header(path) for path in found}
    named = [path for path in found if text and headers[path].get("name") == text]
    fits = exact or [
        path
        for path in found
        if text and (path.stem.startswith(text) or str(headers[path].get("id", "")).upper().startswith(text.upper()))
    ]
    if named or len(fits) == 1:
        return (named or fits)[-1]
    if fits:
        names = ", ".join(path.name for path in fits[:5])
        raise UsageError(f"{text!r} fits {len(fits)} cassettes: {names}", hint="give more of the name")
    raise CassetteMissing(f"no such cassette: {text}", hint=_near(text, found) or "`replay ls` lists what there is")


def _header(path: Path) -> dict[str, Any]:
    """What it begins with; empty if it can't be read."""
    from replay.cassette import layout, opening  # a recording begins sooner without a reader

    try:
        source = opening.source(path)
        try:
            return layout.header(source)
        finally:
            source.close()
    except ReplayError:
        return {}


def _near(text: str, found: list[Path]) -> str:
    import difflib  # only for the message

    wanted = Path(text).name.removesuffix(SUFFIX)
    near = difflib.get_close_matches(wanted, [path.stem for path in found], n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""
