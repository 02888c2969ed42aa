"""The events of one cassette as columns, in one pass over its frames.

Only what may be a model's answer is rebuilt whole and read for its meaning; everything else is read from its frame as
it stands. A damaged cassette gives the events before the damage.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from replay.boundary import originals
from replay.cassette import frame, records
from replay.cassette.codec import unpack
from replay.cassette.named import Named, text_of
from replay.cassette.reader import Reader
from replay.corpus.columns import OF_EVENT
from replay.model.errors import CassetteDamaged
from replay.semantics.links import Sessions

Columns = dict[str, list[Any]]
"""Name of a column of `OF_EVENT` -> its value in each row."""

CHUNK: Final = 2000
"""Rows that are taken apart at a time: more don't stay in the processor's cache, and take a fifth longer."""
_MAY_BE_LLM: Final = frozenset(("http", "grpc", "llm", "connection", "websocket"))
_BEGIN: Final = (frame.EVENT, frame.CALL)
_OF_CALL: Final = len(records.Call._fields)
_STATUS: Final = {None: "open", 0: "done", 1: "failed", 2: "streamed"}


def of_cassette(reader: Reader) -> dict[str, Any]:
    """What all rows of a cassette have in common: the columns of `OF_CASSETTE` but `path`."""
    header = reader.header
    return {
        "cassette": str(header.get("id", "")),
        "recorded": _microseconds(header.get("created")),
        "program": _program(header),
        "outcome": _outcome(reader.outcome),
    }


def of_events(reader: Reader, size: int = CHUNK) -> Iterator[Columns]:
    """The columns of `OF_EVENT`, of `size` events at a time, in order; the last one may have fewer.

    Raises:
        CassetteDamaged: after the rows before the damage.
    """
    sessions = Sessions()
    first = 0
    begun: list[bytes] = []
    ended: dict[int, bytes] = {}
    try:
        for type_, event, payload in reader.frames():
            if type_ in _BEGIN:
                if len(begun) >= size:
                    yield _columns(reader, sessions, first, begun, ended)
                    first, begun, ended = event, [], {}
                begun.append(payload)
            elif type_ == frame.RETURN and event >= first:
                ended[event - first] = payload
    except CassetteDamaged:
        if begun:
            yield _columns(reader, sessions, first, begun, ended)
        raise
    if begun:
        yield _columns(reader, sessions, first, begun, ended)


def _rows(reader: Reader, first: int, begun: list[bytes], ended: Mapping[int, bytes]) -> list[list[Any]]:
    """The fields of an EVENT frame, for each event."""
    rows = unpacked(begun)
    for number, row in enumerate(rows):
        if len(row) == _OF_CALL:  # its outcome comes later in the file, or never
            payload = ended.get(number) or next(
                (late for type_, _, late in reader.frames_of(first + number) if type_ == frame.RETURN), None
            )
            if payload is None:
                row += (None, None, None)
            else:
                outcome = records.ret(payload)
                row += (outcome.at - row[4], outcome.status, outcome.value)
    return rows


def _columns(reader: Reader, sessions: Sessions, first: int, begun: list[bytes], ended: Mapping[int, bytes]) -> Columns:
    try:
        return _by_column(reader, sessions, first, _rows(reader, first, begun, ended))
    except (TypeError, ValueError, AttributeError, RecursionError, OverflowError):  # nothing of ours wrote it
        raise CassetteDamaged("a frame has another shape", offset=0, good_events=first) from None


def _by_column(reader: Reader, sessions: Sessions, first: int, rows: list[list[Any]]) -> Columns:
    """Events by column: a list at a time costs a quarter of a row at a time."""
    lane, kind, name, effect, at, site, request, _body, meta, took, status, value = zip(*rows, strict=True)
    sites = {number: str(place) for number, place in reader.sites.items()}
    nothing = [None] * len(rows)
    columns: Columns = {
        **{column.name: nothing for column in OF_EVENT},
        "event": list(range(first, first + len(rows))),
        "kind": list(kind),
        "name": list(name),
        "effect": list(effect),
        "lane": list(map(reader.lanes.get, lane)),
        "agent": [each and each.get("agent") for each in meta],
        "at_us": list(at),
        "took_us": list(took),
        "status": list(map(_STATUS.get, status)),
        "site": list(map(sites.get, site)),
        "arguments": [_json(asked) if each == "tool" else None for each, asked in zip(kind, request, strict=True)],
    }
    failed = [number for number, each in enumerate(status) if each == 1]
    if failed:
        columns["error"], columns["message"] = list(nothing), list(nothing)
        for number in failed:
            columns["error"][number], columns["message"][number] = _error(value[number])
    _read_models(reader, sessions, columns)
    return columns


def unpacked(payloads: Sequence[bytes]) -> list[Any]:
    """`[unpack(each) for each in payloads]`, in one call into C: half the time for small ones.

    Behind each stands a mark that nobody knew when it was packed. None comes to stand at its place where a payload is
    less or more than one value: so each value is that of its own payload.

    Raises:
        CassetteDamaged: one of them isn't one value.

    Example:
        >>> unpacked([pack(1), pack("x")])
        [1, 'x']
    """
    mark = originals.urandom(8)
    stop = b"\xcf" + mark
    found = unpack(b"\xdd" + (2 * len(payloads)).to_bytes(4, "big") + stop.join((*payloads, b"")))
    if found[1::2].count(int.from_bytes(mark, "big")) != len(payloads):
        raise CassetteDamaged("a value can't be decoded: it isn't one", offset=0, good_events=0)
    values: list[Any] = found[::2]
    return values


def _read_models(reader: Reader, sessions: Sessions, columns: Columns) -> None:
    """What calls of models mean, in their rows."""
    own = False
    for row, kind in enumerate(columns["kind"]):
        if kind not in _MAY_BE_LLM:
            continue
        event = reader.event(columns["event"][row])
        call = sessions.read(event)
        if call is None:
            continue
        told = {
            "kind": "llm",
            "name": call.response_model or call.request_model or event.name,
            "provider": call.provider,
            "input_tokens": call.usage.input,
            "output_tokens": call.usage.output,
            "cached_tokens": call.usage.cached,
            "finish": call.finish_reason,
            "asked": [asked.name for asked in call.tool_calls],
        }
        if call.error is not None:
            told |= {"error": call.error.type, "message": call.error.message}
        if not own:
            own = True
            for name in (*told, "error", "message"):
                columns[name] = list(columns[name])
        for name, value in told.items():
            columns[name][row] = value


def _error(value: Any) -> tuple[str, str]:
    """Type of an exception, and what it says."""
    return (value.type_name, text_of(value)) if isinstance(value, Named) else (type(value).__name__, str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Named):
        return {"$type": value.type_name}
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return sorted(map(str, cast("Sequence[Any]", value))) if isinstance(value, (set, frozenset)) else str(value)


_in_c: Any = json.encoder  # without types
_encode = _in_c.c_make_encoder(  # what `JSONEncoder.encode` makes anew for each value
    None, _plain, _in_c.encode_basestring, None, ": ", ", ", False, True, True
)


def _json(value: Any) -> str:
    return "".join(_encode(value, 0))


def _program(header: Mapping[str, Any]) -> str | None:
    argv = header.get("argv")
    if isinstance(argv, (list, tuple)):
        return shlex.join(map(str, cast("Sequence[Any]", argv)))
    return header.get("name")


def _outcome(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return "unfinished"
    raised = outcome.get("exception")
    if isinstance(raised, Mapping):
        return str(cast("Mapping[str, Any]", raised).get("type"))
    if isinstance(raised, Named):
        return raised.type_name
    code = outcome.get("exit_code")
    return "ended" if code is None else f"exit {code}"


def _microseconds(created: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(created).timestamp() * 1e6)
    except (TypeError, ValueError, OverflowError):
        return None
