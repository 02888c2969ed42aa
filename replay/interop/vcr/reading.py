"""vcr's YAML as the events that our own seams would have written, and what their recorder says was in them.

    {"request": {"method", "uri", "headers", "body"}, "response": {"status", "headers", "body"}}     vcrpy's own
    … "parsed_body" in the place of "body"                                                          pydantic-ai's, JSON
    {"kind": "message", "direction": "sent" | "received", "data"}                                   of websockets
    {"request_sample" | "request_stream": {"raw", "json"}, "response_…": …}                         of gRPC

Of httpx, vcrpy before 6 wrote `{"status_code", "http_version", "headers", "content"}` as a response. A body is text,
bytes, `{"string": …}` or `{"base64_string": …}`. Nothing in a file is executed: a tag that isn't plain YAML is
an error.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from replay.interop.vcr.document import interactions
from replay.model.errors import CassetteUnreadable
from replay.model.event import Event, Piece


@dataclass(frozen=True, slots=True)
class Recorded:
    """One interaction.

    Attributes:
        event: as a seam would have written it.
        said: for wires that aren't JSON, the JSON that the recorder made of request and answers; None otherwise.
    """

    event: Event
    said: tuple[Any, list[Any]] | None = None


def recordings(path: Path, *, cut: int | None = None) -> Iterator[Recorded]:
    """All interactions of a vcr file, in order: HTTP exchanges, gRPC calls, websocket messages.

    Args:
        cut: streamed bodies come in pieces of so many bytes; whole by default, since vcr doesn't know how they came.

    Raises:
        CassetteMissing: there is no such file. CassetteUnreadable: it isn't vcr's.
    """
    for number, item in enumerate(interactions(path)):
        try:
            if item.get("kind") == "message":
                yield Recorded(_message(number, item))
            elif "request" in item:
                yield Recorded(_exchange(number, item["request"], item["response"], cut))
            else:
                yield _rpc(number, item)
        except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as error:
            raise CassetteUnreadable(f"{path}: interaction {number} isn't as vcr writes them ({error!r})") from None


def events(path: Path, *, cut: int | None = None) -> Iterator[Event]:
    """The events alone."""
    return (recorded.event for recorded in recordings(path, cut=cut))


def _exchange(number: int, request: dict[str, Any], response: dict[str, Any], cut: int | None) -> Event:
    if "status_code" in response:
        status = {"code": response["status_code"]}
        response = {"headers": response["headers"], "status": status, "body": {"string": response.get("content")}}
    headers = _headers(response["headers"])
    body = _body(response)
    if body.startswith(b"\x1f\x8b"):  # recorders mostly store bodies decoded and keep the header: the bytes decide
        headers.append(["content-encoding", "gzip"])
    streamed = any(
        ("stream" in value or "ndjson" in value) and name.lower() == "content-type" for name, value in headers
    )
    status = response["status"]
    size = cut or len(body) or 1
    pieces = (
        *(Piece(i, "piece", body[i : i + size]) for i in range(0, len(body), size)),
        Piece(len(body), "end", None),
    )
    head = {"status": int(status["code"]), "reason": _text(status.get("message") or ""), "headers": headers}
    method, url = _text(request["method"]), _text(request["uri"])
    return _event(
        number,
        "http",
        f"{method} {url}",
        {"method": method, "url": url, "headers": _headers(request["headers"])},
        body=None if request.get("body", request.get("parsed_body")) is None else _body(request),
        response=head if streamed else {**head, "body": body},
        pieces=pieces if streamed else (),
    )


def _message(number: int, item: dict[str, Any]) -> Event:
    """A message of a websocket; the recordings don't have its URL."""
    sent = item["direction"] == "sent"
    payload = json.dumps(item["data"], ensure_ascii=False)
    return _event(
        number,
        "websocket",
        f"websocket.{'send' if sent else 'recv'}",
        {"url": "wss://recorded/", "connection": 1},
        body=_bytes(payload) if sent else None,
        response=None if sent else payload,
    )


_RPC_METHODS = {"request_sample": "GetCompletion", "request_stream": "GetCompletionChunk"}


def _rpc(number: int, item: dict[str, Any]) -> Recorded:
    """pydantic-ai's recordings of xAI: the messages as sent, and as JSON."""
    name = next(name for name in _RPC_METHODS if name in item)
    request, response = item[name], item[name.replace("request", "response")]
    chunks = response.get("chunks_raw")
    pieces = (
        (*(Piece(i, "piece", _bytes(chunk)) for i, chunk in enumerate(chunks)), Piece(0, "end", None)) if chunks else ()
    )
    event = _event(
        number,
        "grpc",
        f"/xai_api.Chat/{_RPC_METHODS[name]}",
        {"url": f"grpc://api.x.ai/xai_api.Chat/{_RPC_METHODS[name]}"},
        body=_bytes(request["raw"]),
        response={} if chunks else {"body": _bytes(response["raw"])},
        pieces=pieces,
    )
    said = [each.get("chunk", each) for each in response["chunks_json"]] if chunks else [response["json"]]
    return Recorded(event, (request["json"], said))


def _event(
    number: int,
    kind: str,
    name: str,
    request: dict[str, Any],
    *,
    body: bytes | None,
    response: Any,
    pieces: tuple[Piece, ...] = (),
) -> Event:
    return Event(
        id=number,
        kind=kind,
        name=name,
        effect="read",
        lane="m",
        at=0,
        took=1,
        site=None,
        request=request,
        body=body,
        status="streamed" if pieces else "done",
        response=response,
        pieces=pieces,
    )


def _headers(raw: dict[str, Any]) -> list[list[str]]:
    return [
        [name, value.decode("latin-1") if isinstance(value, bytes) else str(value)]
        for name, values in raw.items()
        for value in (cast("list[str | bytes]", values) if isinstance(values, list) else [values])
        if _text(name).lower() != "content-encoding"
    ]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} isn't a text")
    return value


def _body(message: dict[str, Any]) -> bytes:
    if "parsed_body" in message:  # pydantic-ai's recorder keeps the JSON, not its bytes
        return _bytes(json.dumps(message["parsed_body"], ensure_ascii=False))
    body = message.get("body")
    if isinstance(body, dict):
        parts = cast("dict[str, Any]", body)
        body = b64decode(parts["base64_string"]) if "base64_string" in parts else parts.get("string")
    return _bytes(body or b"")


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes):
        raise TypeError("a body that is neither text nor bytes")
    return value
