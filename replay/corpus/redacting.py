"""A recording without what is a secret by today's detectors and rules, though it wasn't when it was recorded.

Equal secrets get equal stand-ins, as long as they are themselves, in requests, answers, bodies and output alike: a
replay whose program passes on what it was answered asks the same again, and what it has from elsewhere (its own
configuration) matches the stand-in that is recorded in its place (`replay.matching`). Secrets that are cut over pieces
of a stream, or lie in a packed answer, aren't found here; `replay.cassette.redact.scanning` finds them afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, cast

from replay.cassette import _msgpack as msgpack
from replay.cassette import frame as f
from replay.cassette.layout import Record
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.repeats import Repeats

_LANE, _KIND, _NAME, _REQUEST, _BODY, _VALUE = 0, 1, 2, 6, 7, 11
_OF_RETURN: Final = 2
_MESSAGES: Final = frozenset(("http", "mcp", "grpc", "websocket"))
_SEARCHED: Final = frozenset((f.RETURN, f.CHUNK, f.BLIND, f.END))


def redacted(reader: Reader, frames: Iterable[Record], redactor: Redactor) -> Iterator[Record]:
    """The frames of a recording without their secrets; events, lanes, sites and schedule stay what they are.

    Raises:
        CassetteDamaged: of the recording.
    """
    safe = redactor.packing(lambda payload: cast("bytes", payload))
    repeats = Repeats(redactor.texts)
    messages: set[int] = set()
    for type_, event, payload in frames:
        if type_ in (f.CALL, f.EVENT):
            fields = msgpack.a_list(msgpack.unpack(payload, msgpack.ext))
            if fields[_KIND] in _MESSAGES:
                messages.add(event)
            _without_secrets(redactor, fields)
            stored: object = None
            raw = reader.asked(event)
            if raw is not None:  # stored as it was, or as a difference to what isn't there any more
                chain = (fields[_LANE], fields[_NAME])
                stored, body = repeats.body(chain, raw)
                repeats.put(chain, event, body)
            fields[_BODY] = None
            packed = safe(msgpack.plain(fields))
            if stored is not None:
                fields = msgpack.a_list(msgpack.unpack(packed, msgpack.ext))
                fields[_BODY] = stored
                packed = msgpack.plain(fields)
            yield type_, event, packed
        elif type_ == f.CONTENT:
            content = redactor.body(reader.content(event) or b"").safe
            stored = repeats.content(event, content, hashlib.sha256(content).digest(), "content")
            yield type_, event, msgpack.plain([stored])
        elif type_ == f.RETURN and event in messages:
            outcome = msgpack.a_list(msgpack.unpack(payload, msgpack.ext))
            outcome[_OF_RETURN] = _message(redactor, outcome[_OF_RETURN])
            yield type_, event, safe(msgpack.plain(outcome))
        else:
            yield type_, event, safe(payload) if type_ in _SEARCHED else payload


def _without_secrets(redactor: Redactor, fields: list[Any]) -> None:
    """Takes out of an event what is a secret by its place: a header, a key of a query, a variable's name."""
    kind, whole = fields[_KIND], len(fields) > _VALUE
    if kind in _MESSAGES or kind == "process":
        fields[_REQUEST] = _message(redactor, fields[_REQUEST])
        if whole:
            fields[_VALUE] = _message(redactor, fields[_VALUE])
    elif kind == "env" and whole and isinstance(fields[_VALUE], str):
        fields[_VALUE] = redactor.env(str(fields[_NAME]), fields[_VALUE])


def _message(redactor: Redactor, message: Any) -> Any:
    with suppress(TypeError, ValueError, AttributeError):  # another shape than a message's
        return redactor.mcp(message)
    return message
