"""What `replay import` reads and `replay export` writes: one function for each format, found when it is asked for.

    importer(file) -> Iterable[Run]      what is in a file, or in a directory; writes nothing yet
    exporter(cassette, out) -> dict      writes `out`; says what is worth telling (docs/import.md)

Other packages add their own as entry points (docs/plugins.md); a name of ours stays ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

from replay.cassette.cassette import Cassette
from replay.model.errors import CassetteExists, CassetteMissing, CassetteUnreadable, UsageError
from replay.model.extensions import added


@dataclass(frozen=True, slots=True)
class Run:
    """Something in a file that makes a cassette.

    Attributes:
        file: where it is from. part: its position there, which may have several.
        format: what it was known as. write: makes the cassette at a path; how many events it has.
    """

    file: Path
    part: int
    format: str
    write: Callable[[Path], int]


Importer: TypeAlias = Callable[[Path], Iterable[Run]]
Exporter: TypeAlias = Callable[[Cassette, Path], Mapping[str, Any]]

IMPORTERS: Final[Mapping[str, str]] = {
    "chat": "replay.interop.importing:runs",
    "json": "replay.interop.json.reading:runs",
    "vcr": "replay.interop.vcr.importing:runs",
    "otel": "replay.interop.importing:otel",
}

_FORMS: Final = frozenset(
    "openai anthropic langsmith langchain langfuse openinference phoenix openllmetry otlp inspect inspect-ai atif "
    "agentdojo tau-bench swe-agent mini-swe-agent who-and-when messages transcript".split()
)
"""What somebody may call a form of `chat`."""

EXPORTERS: Final[Mapping[str, str]] = {
    "json": "replay.interop.json.writing:export",
    "vcr": "replay.interop.vcr.exporting:export",
    "har": "replay.interop.har:export",
    "otel": "replay.interop.otel:export",
}


def importer(name: str) -> Importer:
    """Raises UsageError where there is none of that name."""
    if name in _FORMS and name not in added("importers"):
        raise UsageError(f"no such format: {name}", hint="`replay import chat` knows its files by what is in them")
    found: Importer = _found(name, IMPORTERS, "importers")
    return found


def exporter(name: str) -> Exporter:
    """Raises UsageError where there is none of that name."""
    found: Exporter = _found(name, EXPORTERS, "exporters")
    return found


def _found(name: str, table: Mapping[str, str], group: str) -> Any:
    if name in table:
        module, _, attribute = table[name].partition(":")
        return getattr(import_module(module), attribute)
    others = added(group)
    if name not in others:
        known = ", ".join(sorted({*table, *others}))
        raise UsageError(f"no such format: {name}", hint=f"there are {known}")
    try:
        return others[name]()
    except Exception as error:  # another package's code
        raise UsageError(f"format {name}: {type(error).__name__}: {error}", hint="its package is broken") from None


def data(file: Path) -> bytes:
    """What is in a file.

    Raises:
        CassetteMissing, CassetteUnreadable: by those names.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise CassetteMissing(f"no such file: {file}") from None
    except OSError as error:
        raise CassetteUnreadable(f"can't read {file}: {error.strerror}") from None


def room(packed: int, most: int) -> int:
    """How many bytes what is packed in that many may unpack to: a hundred times as many, or 16 MB; text of the kinds
    that are imported unpacks to twenty times at most.

    Args:
        most: more than this never.
    """
    return min(most, max(16 << 20, 100 * packed))


def created(out: Path) -> int:
    """A new file that nobody else can read; its descriptor.

    Raises:
        CassetteExists, CassetteMissing, CassetteUnreadable: by those names.
    """
    try:
        return os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CassetteExists(f"{out} exists already", hint="choose another -o") from None
    except FileNotFoundError:
        raise CassetteMissing(f"no directory for {out}", hint="create it first") from None
    except OSError as error:
        raise CassetteUnreadable(f"can't create {out}: {error.strerror}") from None
