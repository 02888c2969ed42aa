"""An http event as dialects see it: the URL in parts, the request's JSON, the response's bytes decoded."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from replay.model import encodings
from replay.model.event import Event
from replay.semantics import eventstream, protobuf, sse, websocket
from replay.semantics.loose import arr, loads, obj, string


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a streamed answer: the event's name where the stream names it, and its JSON."""

    event: str
    data: Any


class Exchange(NamedTuple):
    """One request and its answer.

    Attributes:
        host, path: of the URL; the host in lower case, the path percent-decoded and without a trailing slash.
        request: the request body's JSON, {} when it isn't a JSON object.
        status: None when no answer came.
        body: the answer's bytes, content-decoded.
        whole: the JSON of a whole answer; None when it is none, or streamed.
        frames: the messages of a streamed answer, None for a whole one.
        stream: do the frames show that it was streamed? A JSON array of them looks the same either way.
        cut: the recording or the stream ended early.
        failure: type and message of the exception instead of an answer.
    """

    host: str
    path: str
    request: dict[str, Any]
    status: int | None
    body: bytes
    whole: Any
    frames: tuple[Frame, ...] | None
    stream: bool
    cut: bool
    failure: tuple[str, str] | None
    warnings: tuple[str, ...]


def header(headers: Any, name: str) -> str:
    """The values of a header, joined by commas; empty when it is missing. `headers` = [[name, value], …].

    Example:
        >>> header([["Content-Type", "text/plain"]], "content-type")
        'text/plain'
    """
    found: list[str] = []
    for pair in cast("Sequence[Any]", headers) if isinstance(headers, (list, tuple)) else ():
        if isinstance(pair, (list, tuple)) and len(cast("Sequence[Any]", pair)) == 2:
            key, value = cast("Sequence[Any]", pair)
            if isinstance(key, str) and isinstance(value, str) and key.lower() == name:
                found.append(value)
    return ", ".join(found)


def address(event: Event) -> tuple[str, str] | None:
    """(host, path) of an http or gRPC event, None when it has no readable URL. An `llm` event is one of no address:
    a transcript had it, and it is kept as a chat completion.
    """
    if event.kind == "llm":
        return "", "/chat/completions"
    return _address(obj(event.request).get("url")) if event.kind in ("http", "grpc") else None


@lru_cache(maxsize=256)
def _parts(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        return (parts.hostname or ""), unquote(parts.path).rstrip("/")
    except ValueError:
        return None  # such as an unclosed [ of an IPv6 address


def _address(url: Any) -> tuple[str, str] | None:
    return _parts(url) if isinstance(url, str) else None


def request_of(event: Event, schema: protobuf.Schema | None = None) -> dict[str, Any]:
    """The request body's JSON object, {} when it isn't one. `schema`: of a body that is a protocol buffer."""
    if schema is not None:
        return protobuf.decode(event.body or b"", schema)[0]
    body, _ = encodings.decode(event.body or b"", header(obj(event.request).get("headers"), "content-encoding"))
    return obj(loads(body))


def read(
    event: Event, host: str, path: str, request: dict[str, Any], schema: protobuf.Schema | None = None
) -> Exchange:
    """The whole exchange. Never raises; what can't be read is in `warnings`. `schema`: of protocol buffers."""
    response = obj(event.response)
    headers = response.get("headers")
    whole = response.get("body")
    pieces = [piece.value for piece in event.pieces if piece.status == "piece" and isinstance(piece.value, bytes)]
    body = b"".join([whole if isinstance(whole, bytes) else b"", *pieces])
    ends = {piece.status for piece in event.pieces if piece.status != "piece"}
    cut = event.status == "open" or "error" in ends or (event.status == "streamed" and "end" not in ends)
    status = response.get("status")
    value: Any = None
    frames: list[Frame] | None
    if schema is None:
        body, warnings = encodings.decode(body, header(headers, "content-encoding"))
        frames, problem = _frames(body, header(headers, "content-type").lower(), cut)
        if frames is None:
            value = loads(body)
    else:
        read = [protobuf.decode(message, schema) for message in (pieces or ([body] if body else []))]
        frames = [Frame("", message) for message, _ in read] if event.pieces else None
        value = read[0][0] if read and frames is None else None
        warnings, problem = [], [wrong for _, wrong in read if wrong is not None][:1]
    return Exchange(
        host=host,
        path=path,
        request=request,
        status=status if isinstance(status, int) else None,
        body=body,
        whole=value,
        frames=None if frames is None else tuple(frames),
        stream=frames is not None and body.lstrip()[:1] != b"[",
        cut=cut,
        failure=(event.error.type, event.error.message) if event.error else None,
        warnings=(*warnings, *problem),
    )


def _frames(body: bytes, content_type: str, cut: bool) -> tuple[list[Frame] | None, list[str]]:
    if "amazon.eventstream" in content_type:
        found, problem = eventstream.parse(body)
        frames = [
            Frame(f.headers.get(":event-type") or f.headers.get(":exception-type", ""), _inner(loads(f.payload)))
            for f in found
        ]
        return frames, [problem] if problem else []
    # Some gateways label a stream as plain text or JSON: the bytes decide.
    if "event-stream" in content_type or body.startswith((b"data:", b"event:", b": ")):
        return _sse(body)
    several = b"\n" in body or b"\r" in body or "ndjson" in content_type
    lines = [line for line in body.splitlines() if line.strip()] if several else []
    if "ndjson" in content_type or (len(lines) > 1 and loads(lines[0]) is not None and loads(lines[1]) is not None):
        values = [loads(line) for line in lines]
        return [Frame("", value) for value in values if value is not None], _unread(values)
    if body.lstrip()[:1] == b"[":  # Gemini without alt=sse: one JSON array, sent element by element
        return _array(body, cut)
    return None, []


def _inner(payload: Any) -> Any:
    """Of `invoke-with-response-stream`: the model's own event is inside, as base64."""
    wrapped = string(obj(payload).get("bytes"))
    try:
        return payload if wrapped is None else loads(base64.b64decode(wrapped))
    except ValueError:
        return payload


def _sse(body: bytes) -> tuple[list[Frame], list[str]]:
    events, pending = sse.parse([body])
    texts = [(event.event, event.data) for event in events if event.data.strip() != "[DONE]"]
    values = [loads(text) for _, text in texts]
    frames = [Frame(name, value) for (name, _), value in zip(texts, values, strict=True) if value is not None]
    if len(events) > len(texts):
        frames.append(Frame("[DONE]", None))
    return frames, [*_unread(values), *(["the stream is cut inside an event"] if pending else [])]


def _unread(values: list[Any]) -> list[str]:
    count = sum(value is None for value in values)
    return [f"{count} of {len(values)} messages of the stream are not JSON"] if count else []


def _array(body: bytes, cut: bool) -> tuple[list[Frame] | None, list[str]]:
    whole = loads(body)
    if whole is None and cut:  # close it after the last element that stands whole
        text = body.rstrip(b" \r\n,")
        while whole is None and text:
            whole = loads(text + b"]")
            text = text[: text.rfind(b"}", 0, len(text) - 1) + 1]
        return [Frame("", item) for item in arr(whole)], ["the stream is cut inside a message"]
    return (None, []) if whole is None else ([Frame("", item) for item in arr(whole)], [])


@dataclass(frozen=True, slots=True)
class SessionMessage:
    """One message of a connection that carries many, such as a websocket. `data` is its JSON object."""

    connection: Any
    host: str
    sent: bool
    data: dict[str, Any]


def message(event: Event) -> SessionMessage | None:
    """The JSON message that a websocket event carries; None for anything else.

    A sent message is the event's body, or `message` in its request; a received one is its response.
    """
    request = obj(event.request)
    url = string(request.get("url")) or ""
    where = _address(url) if url.startswith(("ws:", "wss:")) else None
    if where is None:
        return None
    sent = event.name.endswith("send")
    payload = (event.body or request.get("message")) if sent else obj(event.response).get("message", event.response)
    data = loads(payload) if isinstance(payload, (str, bytes)) else None
    connection = request.get("connection", url)
    known = connection if isinstance(connection, (str, int)) else str(connection)
    return SessionMessage(known, where[0], sent, obj(data)) if isinstance(data, dict) else None


def session_message(read: websocket.Message) -> SessionMessage | None:
    """The same of a message that was read from a connection's bytes."""
    where, data = _address(read.url), loads(read.data)
    return (
        SessionMessage(read.connection, where[0] if where else "", read.sent, obj(data))
        if isinstance(data, dict)
        else None
    )
