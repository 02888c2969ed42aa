"""`replay import json`: the cassette that was exported, frame by frame, byte by byte.

What was altered in between isn't what was recorded: the cassette says so in a blind spot. Secrets that somebody put in
are taken out, as everywhere. Bodies that point at others are checked as in any cassette when they are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from replay.cassette import frame as f
from replay.cassette.codec import unpack
from replay.cassette.continued import Continued
from replay.cassette.header import entropy
from replay.cassette.layout import Record, is_gap
from replay.cassette.redact import Redactor
from replay.cassette.repairing import journal
from replay.cassette.salvage import sound
from replay.cassette.stopping import STOPPED
from replay.interop.formats import Run, data
from replay.interop.json.frames import BAD, FORMAT, frame
from replay.model.errors import NotImportable
from replay.semantics.loose import obj

_LATER = frozenset((f.RETURN, f.CHUNK, f.CONTENT))


def runs(file: Path) -> list[Run]:
    """The one cassette in a file.

    Raises:
        CassetteMissing, CassetteUnreadable: the file. NotImportable: it isn't such an export.
    """
    first = next(_documents(file), None)
    if obj(first).get("format") != FORMAT:
        raise NotImportable(f"{file} isn't what `replay export json` writes", hint=f'it begins with "{FORMAT}"')
    return [Run(file, 0, "json", partial(_write, file))]


def _documents(file: Path) -> Iterator[Any]:
    """Its objects; of a file whose lines aren't one each, all at once."""
    raw = data(file)
    array = raw.lstrip()[:1] == b"["
    at = 0
    try:
        for at, text in enumerate(raw.splitlines(), 1):  # noqa: B007 - for the message
            if text.strip() not in (b"", b"[", b"]"):
                yield json.loads(text.rstrip().rstrip(b",") if array else text)
    except (ValueError, RecursionError) as error:
        if not array or at > 2:  # another layout: nothing was given out yet
            raise NotImportable(f"{file}, line {at}: {error}", hint="it was cut or altered") from None
        try:
            yield from cast("list[Any]", json.loads(raw))
        except (ValueError, RecursionError) as whole:
            raise NotImportable(f"{file}: {whole}", hint="it was cut or altered") from None


class _Rebuilt(Continued):
    """Frames as they stand in the document; CHAIN only where it has one."""

    def _chain(self) -> None:
        """Not by itself."""

    def put(self, record: Record, place: str) -> None:
        """Any frame but HEADER."""
        type_, event, payload = record
        if type_ in (f.CALL, f.EVENT):
            if event != self.events:
                raise NotImportable(f"{place}: event {event} where {self.events} is due", hint="it was altered")
            self.events = event + 1
            if is_gap(type_, payload):
                self._gaps.append(event)
        elif type_ in _LATER:
            if event >= self.events:
                raise NotImportable(f"{place}: more of event {event}, which hasn't begun", hint="it was altered")
            if event < self._first:
                self._stray(event)
        elif type_ in (f.LANE, f.SITE, f.BLIND):
            tables: dict[int, list[Any]] = {f.LANE: self._lanes, f.SITE: self._sites, f.BLIND: self._blind}
            tables[type_].append(tuple(unpack(payload)))
        if type_ == f.CHAIN:
            super()._chain()
        elif type_ == f.END:
            self._cut()
            self._ended = True
            self._emit(f.END, f.NO_EVENT, payload)
            self._cut()
        else:
            self._emit(type_, event, payload)

    def chained(self) -> bytes:
        """The payload of the CHAIN that was added last."""
        return self._pending[-1][f.HEAD.size :]

    def bound(self) -> None:
        """To the disk, where much waits."""
        if len(self._pending) > 1000:
            self.flush()


def _write(file: Path, path: Path) -> int:
    """The cassette at `path`; how many events it has."""
    making = _Making(file, path)
    try:
        documents = _documents(file)
        next(documents)
        for number, each in enumerate(documents, 2):
            if not isinstance(each, dict):
                raise NotImportable(f"{file}, item {number} isn't an object", hint="it was altered")
            making.add(cast("dict[str, Any]", each), f"{file}, item {number}")
        return making.done()
    except BaseException:
        making.give_up()
        raise


class _Making:
    """A cassette out of objects, one after another."""

    def __init__(self, file: Path, path: Path) -> None:
        self._file = file
        self._path = path
        self._redact = Redactor(entropy(16)).packing(_itself)
        self._writer: _Rebuilt | None = None
        self._altered: dict[str, None] = {}
        self._ended = False

    def add(self, document: dict[str, Any], place: str) -> None:
        """The next object, which is at `place`."""
        writer = self._writer
        if writer is not None and "signature" in document:
            writer.signatures.append({name: bytes.fromhex(part) for name, part in document["signature"].items()})
        elif writer is not None and "damage" in document:
            if not writer.lanes:
                writer.lane(0, "m")
            request = {"kind": STOPPED, "reason": f"the original is damaged here: {document['damage']}"}
            writer.event(0, "gap", STOPPED, "read", 0, None, request, None, None, None, 0, 0, None)
        else:
            self._frame(_frame(document, place), place)

    def _frame(self, record: Record, place: str) -> None:
        type_, event, payload = record
        safe = self._redact(payload)
        if safe != payload:
            self._altered["secrets were taken out of it"] = None
        writer = self._writer
        if writer is None:
            self._begin(type_, safe, place)
            return
        if type_ == f.END and self._altered:
            for detail in self._altered:
                writer.blind("import", f"not as it was recorded: {detail}", None, 1)
            writer.put((f.CHAIN, f.NO_EVENT, b""), place)
        writer.put((type_, event, safe), place)
        self._ended = self._ended or type_ == f.END
        if type_ == f.CHAIN and writer.chained() != payload:
            self._altered["the document was altered since it was exported"] = None
        writer.bound()

    def _begin(self, type_: int, payload: bytes, place: str) -> None:
        head: Any = unpack(payload) if type_ == f.HEADER else None
        if not isinstance(head, dict):
            raise NotImportable(f"{place}: the first frame isn't HEADER", hint="it was altered")
        header = cast("dict[str, Any]", head)
        self._writer = cast("_Rebuilt", _Rebuilt.create(self._path, header, journal=journal(header.get("recipients"))))

    def done(self) -> int:
        """Nothing more comes; how many events there are."""
        writer = self._writer
        if writer is None:
            raise NotImportable(f"{self._file} has no frames", hint="it was cut")
        if self._ended:
            writer.seal()
        else:
            writer.flush()
        writer.close()
        return writer.events

    def give_up(self) -> None:
        """Leaves nothing."""
        if self._writer is not None:
            self._writer.discard()


def _itself(payload: object) -> bytes:
    return cast("bytes", payload)


def _frame(document: dict[str, Any], place: str) -> Record:
    try:
        record = frame(document)
    except BAD as error:
        raise NotImportable(f"{place}: {error}", hint="it was altered") from None
    if not sound(*record):
        raise NotImportable(f"{place}: no {document.get('frame')} frame looks like this", hint="it was altered")
    return record
