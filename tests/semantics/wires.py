"""vcr recordings of other projects as the events that our own seams would have written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from replay.model.event import Event, Piece

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wire"


def events(path: Path) -> Iterator[Event]:
    """The HTTP exchanges of a vcr file; websocket and gRPC messages in it are left out."""
    document = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    for number, interaction in enumerate(document["interactions"]):
        if "request" in interaction:
            yield event(number, interaction["request"], interaction["response"])


def event(number: int, request: dict[str, Any], response: dict[str, Any]) -> Event:
    """One exchange. Streamed answers come as pieces of 7 bytes, so that nothing depends on where they are cut."""
    headers = _headers(response["headers"])
    body = _body(response)
    if body.startswith(b"\x1f\x8b"):  # recorders mostly store bodies decoded and keep the header: the bytes decide
        headers.append(["content-encoding", "gzip"])
    streamed = any(
        ("stream" in value or "ndjson" in value) and name.lower() == "content-type" for name, value in headers
    )
    status = response["status"]
    pieces = (*(Piece(i, "piece", body[i : i + 7]) for i in range(0, len(body), 7)), Piece(len(body), "end", None))
    head = {"status": status["code"], "reason": status.get("message") or "", "headers": headers}
    return Event(
        id=number,
        kind="http",
        name=f"{request['method']} {request['uri']}",
        effect="read",
        lane="m",
        at=0,
        took=1,
        site=None,
        request={"method": request["method"], "url": request["uri"], "headers": _headers(request["headers"])},
        body=_body(request),
        status="streamed" if streamed else "done",
        response=head if streamed else {**head, "body": body},
        pieces=pieces if streamed else (),
    )


def _headers(raw: dict[str, Any]) -> list[list[str]]:
    return [
        [name, value]
        for name, values in raw.items()
        for value in (cast("list[str]", values) if isinstance(values, list) else [values])
        if name.lower() != "content-encoding"
    ]


def _body(message: dict[str, Any]) -> bytes:
    if "parsed_body" in message:  # pydantic-ai's recorder keeps the JSON, not its bytes
        return json.dumps(message["parsed_body"], ensure_ascii=False).encode()
    body = message.get("body")
    if isinstance(body, dict):
        body = cast("dict[str, Any]", body).get("string", cast("dict[str, Any]", body).get("base64_string"))
    if isinstance(body, str):
        body = body.encode()
    return cast("bytes", body or b"")


def one_line(text: str) -> str:
    """The text with all white space as single blanks."""
    return " ".join(text.split())
