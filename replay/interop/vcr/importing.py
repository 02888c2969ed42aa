"""`replay import vcr`: a file of vcr as a cassette. What vcr doesn't write down is a blind spot."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from replay.interop import writing
from replay.interop.formats import Run
from replay.interop.vcr.document import unpacked
from replay.interop.vcr.reading import recordings
from replay.model.errors import NotImportable, ReplayError
from replay.model.event import Event, Piece
from replay.seams._http import effect_of, label
from replay.semantics.loose import obj

_MARK: Final = re.compile(rb'^interactions:|\A\s*\{\s*"(?:version|interactions)"\s*:', re.MULTILINE)

_MISSING: Final = (
    ("clock", "vcr writes down no times: exchanges have their order, and no time of their own", 1),
    ("order", "exchanges are in the order in which they ended; what ran at the same time isn't known", 1),
    ("program", "only HTTP is in vcr's files: not tools, clock, chance, files, processes, nor the program", 1),
    ("pieces", "answers are whole: how a streamed one was cut, and when its pieces came, isn't known", 1),
)


def runs(path: Path) -> list[Run]:
    """The file, or of a directory all in and below it that vcr wrote, whatever they are called.

    Raises:
        CassetteMissing, CassetteUnreadable: it can't be read. NotImportable: no file in the directory is vcr's.
    """
    if not path.is_dir():
        return [_run(path)]
    found = [_run(file) for file in sorted(path.rglob("*")) if file.is_file() and _is_vcr(file)]
    if not found:
        raise NotImportable(f"no file in {path} is vcr's", hint="those have `interactions`")
    return found


def _run(file: Path) -> Run:
    return Run(file, 0, "vcr", partial(_write, file))


def _is_vcr(file: Path) -> bool:
    try:
        return _MARK.search(unpacked(file)) is not None
    except ReplayError:
        return os.fspath(file).endswith((".yaml.gz", ".yml.gz"))  # it is to be said


def _write(file: Path, path: Path) -> int:
    name = file.name.removesuffix(".gz").removesuffix(".yaml").removesuffix(".yml").removesuffix(".json")
    return writing.write(path, writing.head("vcr", name, unpacked(file)), _events(file), _MISSING)


def _events(file: Path) -> Iterator[Event]:
    """As our own seams have them, each with its place in the original."""
    for number, recorded in enumerate(recordings(file)):
        event = replace(recorded.event, meta={"source": {"message": number, "call": None}})
        yield _http(event) if event.kind == "http" else event


def _http(event: Event) -> Event:
    method, url = str(event.request["method"]), str(event.request["url"])
    body = writing.joined(event)
    head: dict[str, Any] = {name: value for name, value in obj(event.response).items() if name != "body"}
    pieces = (*((Piece(0, "piece", body),) if body else ()), Piece(0, "end", None))
    return replace(
        event,
        name=label(method, url),
        effect=effect_of(method),
        response=head,
        status="streamed",
        pieces=pieces,
        took=0,
    )
