"""Secrets in recordings that exist: what would be replaced today, and is still there. Reads only.

A recording of an older version, of one without the rules that hold now, or of another tool: what isn't a cassette is
searched as the text that it is.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast

from replay.cassette import frame as f
from replay.cassette import records
from replay.cassette._msgpack import BAD_INPUT
from replay.cassette.directory import SUFFIX
from replay.cassette.reader import Reader
from replay.cassette.redact.detectors import Finding
from replay.cassette.redact.messages import Redactor
from replay.cassette.redact.pseudonyms import Pseudonyms, stands_in
from replay.cassette.redact.rules import Rules
from replay.cassette.redact.texts import Texts
from replay.model.errors import CassetteDamaged, CassetteForeign, CassetteUnreadable
from replay.model.event import Event

_SHOWN: Final = 4
_MOST: Final = 64 << 20
"""Bytes that are unpacked of one compressed body."""


class Leak(NamedTuple):
    """A secret in a file.

    Attributes:
        event: in which; None: in the header, the outcome, or a file that is no cassette.
        where: which part of it. detector: what it looks like; `place`: it stands where secrets stand.
        shown: its beginning. size: of all of it, in bytes.
    """

    event: int | None
    where: str
    detector: str
    shown: str
    size: int


def scan(path: str | os.PathLike[str], rules: Rules | None = None) -> Iterator[Leak]:
    """What secrets a file has, each once for every event that it is in.

    Raises:
        CassetteMissing, CassetteUnreadable, CassetteEmpty, CassetteForeign, CassetteNewer: the file.
        CassetteDamaged: its end can't be read; after what was found before.
    """
    notes = _Notes(rules or Rules())
    try:
        reader = Reader.open(path)
    except CassetteForeign:
        if os.fspath(path).endswith(SUFFIX):
            raise
        yield from notes.text(None, "text", _text(path))
        return
    with reader:
        for type_, event, payload in reader.frames():
            name = _NAMES.get(type_, "frame")
            number = None if event == f.NO_EVENT else event
            try:
                found = list(notes.packed(number, name, payload))
            except BAD_INPUT:  # of a later format, or damage, which is told below
                found = list(notes.text(number, name, payload))
            yield from found
            if type_ in (f.CALL, f.EVENT):
                yield from _in_places(
                    notes, event, records.call(payload) if type_ == f.CALL else records.whole(payload)
                )
        for number in range(len(reader)):
            event_ = reader.event(number)
            for where, data in _joined(event_):
                yield from notes.text(number, where, data)
        if reader.damage is not None:
            raise CassetteDamaged(
                f"{os.fspath(path)}: {reader.damage.reason}", offset=reader.damage.offset, good_events=len(reader)
            )


_NAMES: Final = {
    f.HEADER: "header",
    f.CALL: "request",
    f.EVENT: "event",
    f.RETURN: "outcome",
    f.CHUNK: "stream",
    f.CONTENT: "content",
    f.END: "end",
}


class _Noting(Texts):
    """Notes what it finds."""

    noted: dict[bytes, str]

    def findings(self, text: bytes) -> list[Finding]:
        found = super().findings(text)
        for start, end, detector, _ in found:
            self.noted.setdefault(text[start:end], detector)
        return found


class _Placed(Pseudonyms):
    """Notes what it is asked to replace: also what is a secret only by its place."""

    noted: dict[bytes, str]

    def secret(self, value: bytes) -> bytes:
        if not stands_in(value):
            self.noted.setdefault(value, "place")
        return super().secret(value)


def _packed(payload: object) -> bytes:
    return cast("bytes", payload)


class _Notes:
    def __init__(self, rules: Rules) -> None:
        noted: dict[bytes, str] = {}
        pseudonyms = _Placed(bytes(16))
        texts = _Noting(pseudonyms, off=rules.off, rules=rules.found)
        pseudonyms.noted = texts.noted = self._noted = noted
        self.redactor = Redactor(b"", rules, texts)
        self._pack = self.redactor.packing(_packed)
        self._seen: set[tuple[int | None, bytes]] = set()

    def packed(self, event: int | None, where: str, payload: bytes) -> Iterator[Leak]:
        self._pack(payload)
        return self.taken(event, where)

    def text(self, event: int | None, where: str, data: bytes) -> Iterator[Leak]:
        self.redactor.body(data)
        return self.taken(event, where)

    def taken(self, event: int | None, where: str) -> Iterator[Leak]:
        """What was noted since."""
        noted = dict(self._noted)
        self._noted.clear()
        for value, detector in noted.items():
            if (event, value) not in self._seen:
                self._seen.add((event, value))
                yield Leak(event, where, detector, _shown(value), len(value))


def _shown(secret: bytes) -> str:
    """A beginning of it, a quarter at most."""
    return secret[: min(_SHOWN, len(secret) // 4)].decode("latin-1").encode("ascii", "replace").decode() + "…"


def _in_places(notes: _Notes, event: int, call: records.Call | records.Whole) -> Iterator[Leak]:
    """Headers, query keys, variables: what is a secret by its place."""
    redactor, request = notes.redactor, call.request
    with suppress(TypeError, ValueError, AttributeError):  # somebody else's shape of a request
        if call.kind == "http":
            redactor.http_message(request)
        elif call.kind in ("process", "mcp", "grpc"):
            redactor.mcp(request)
        elif call.kind == "env" and isinstance(call, records.Whole) and isinstance(call.value, str):
            redactor.env(call.name, call.value)
    yield from notes.taken(event, "request")


def _joined(event: Event) -> Iterator[tuple[str, bytes]]:
    """What is stored in parts: as a difference to another body, or in pieces."""
    for where, data in (("body", event.body), ("content", event.content)):
        if data is not None:
            yield where, data
    pieces = [_bytes(piece.value) for piece in event.pieces]
    stream = b"".join(pieces)
    if any(one and other for one, other in pairwise(pieces)):
        yield "stream", stream
    for data in (stream, event.body or b""):
        if data[:2] in (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
            with suppress(zlib.error):
                yield "compressed", zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, _MOST)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _text(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        data = file.read()
    try:
        data.decode()
    except UnicodeDecodeError:
        raise CassetteUnreadable(f"{os.fspath(path)} is no cassette, and no text") from None
    return data
