"""A cassette out of events that something else recorded. It can be read, not executed again: it has no program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from replay.cassette.header import entropy
from replay.cassette.redact import Redactor
from replay.cassette.writer import Writer
from replay.model.event import Event

ENTRY: Final = "import"
"""The type of `header["entry"]`: there is no program."""

Blind = tuple[str, str, int]
"""What, detail, how often."""

_HTTP: Final = frozenset(("http", "mcp", "grpc", "websocket"))


def head(format: str, name: str, original: bytes, part: int = 0, **more: Any) -> dict[str, Any]:  # noqa: A002 - its name
    """The header of what `original`, the bytes of a file, has at position `part`."""
    return {
        "name": name,
        "entry": {"type": ENTRY, "format": format},
        "imported": {"sha256": sha256(original).hexdigest(), "part": part},
        **more,
    }


def write(path: Path, header: Mapping[str, Any], events: Iterable[Event], blind: Iterable[Blind] = ()) -> int:
    """A sealed cassette at `path`; how many events it has. Ids are given anew; secrets are taken out.

    Args:
        blind: asked for when all events are written.

    Raises:
        CassetteExists and what else `Writer.create` raises; what iterating raises: then nothing is left.
    """
    redactor = Redactor(entropy(16))
    writer = Writer.create(path, header, redactor)
    lanes: dict[str, int] = {}
    try:
        for event in events:
            if event.lane not in lanes:
                lanes[event.lane] = len(lanes)
                writer.lane(lanes[event.lane], event.lane)
            _add(writer, redactor, lanes[event.lane], event)
            writer.flush()
        for what, detail, count in blind:
            writer.blind(what, detail, None, count)
        writer.end({})
        writer.seal()
    except BaseException:
        writer.discard()
        raise
    writer.close()
    return writer.events


def _add(writer: Writer, redactor: Redactor, lane: int, event: Event) -> None:
    messages = event.kind in _HTTP
    request = redactor.http_message(event.request) if messages else event.request
    response = redactor.http_message(event.response) if messages else event.response
    body = event.body
    if body is not None and messages:
        body = redactor.packed(request, body, lambda detail: writer.blind("redaction", detail, None, 1))
    meta = dict(event.meta) or None
    name = redactor.text(event.name)
    number = writer.call(lane, event.kind, name, event.effect, event.at, None, request, body, (lane, name), meta)
    if event.status == "open":
        return
    at = event.at + (event.took or 0)
    failed = event.error is not None
    streamed = event.status == "streamed"
    value = event.error.value if event.error is not None else response
    writer.ret(number, at, 1 if failed else 2 if streamed else 0, value, False)
    for piece in event.pieces:
        writer.chunk(number, lane, piece.at, _STATUS[piece.status], piece.value, False)


_STATUS: Final = {"piece": 0, "error": 1, "end": 3, "closed": 4}


def joined(event: Event) -> bytes:
    """The body of an http event's answer, however it came."""
    whole = event.response.get("body") if isinstance(event.response, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    if isinstance(whole, bytes):
        return whole
    return b"".join(_bytes(event.pieces))


def _bytes(pieces: Iterable[Any]) -> Iterator[bytes]:
    return (piece.value for piece in pieces if piece.status == "piece" and isinstance(piece.value, bytes))
