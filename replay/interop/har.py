"""`replay export har`: the HTTP of a cassette as an HTTP Archive 1.2, which browsers and proxies open.

Times are those of the recording. Bodies that aren't text are base64. What isn't HTTP is left out, and told.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections import Counter
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from replay.cassette.cassette import Cassette
from replay.interop.formats import created
from replay.interop.writing import joined
from replay.model import encodings
from replay.model.event import Event
from replay.semantics.loose import arr, obj, string

_TEXT: Final = ("text/", "json", "xml", "javascript", "x-www-form-urlencoded")


def export(cassette: Cassette, out: Path) -> dict[str, Any]:
    """The archive at `out`.

    Raises:
        CassetteExists and what else creating it raises. CassetteDamaged: an event can't be read.
    """
    began = _began(cassette)
    left: Counter[str] = Counter()
    count = 0
    creator = {"name": "agent-replay", "version": version("agent-replay")}
    with os.fdopen(created(out), "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write('{"log": {"version": "1.2", "creator": ' + json.dumps(creator) + ', "entries": [')
        for event in cassette.events:
            if event.kind != "http":
                left[event.kind] += 1
                continue
            file.write(("," if count else "") + "\n" + json.dumps(entry(event, began)))
            count += 1
        file.write("\n]}}\n")
    return {"entries": count, "lost": [f"{number} × {what}" for what, number in sorted(left.items())]}


def _began(cassette: Cassette) -> datetime:
    try:
        return datetime.fromisoformat(str(cassette.header.get("created")))
    except ValueError:
        return datetime.fromisoformat("1970-01-01T00:00:00Z")


def entry(event: Event, began: datetime) -> dict[str, Any]:
    """One exchange. One that failed has status 0 and the error as a comment, as browsers write it."""
    request, response = obj(event.request), obj(event.response)
    asked, answered = _pairs(request), _pairs(response)
    url = str(request.get("url"))
    raw = joined(event)
    kind = _header(answered, "content-type")
    body, problems = encodings.decode(raw, _header(answered, "content-encoding"))
    shown, encoding = _text(body if not problems else raw, kind)
    first = event.pieces[0].at if event.pieces else event.at + (event.took or 0)
    last = event.pieces[-1].at if event.pieces else first
    wait, receive = max(0, first - event.at) / 1000, max(0, last - first) / 1000
    found: dict[str, Any] = {
        "startedDateTime": (began + timedelta(microseconds=event.at)).isoformat(),
        "time": wait + receive,
        "request": {
            "method": str(request.get("method")),
            "url": url,
            "httpVersion": _version(request),
            "cookies": [],
            "headers": _named(asked),
            "queryString": _named(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
            "headersSize": -1,
            "bodySize": len(event.body or b""),
        },
        "response": {
            "status": response.get("status") or 0,
            "statusText": string(response.get("reason")) or "",
            "httpVersion": _version(response),
            "cookies": [],
            "headers": _named(answered),
            "content": {"size": len(body), "mimeType": kind or "x-unknown", "text": shown, **encoding},
            "redirectURL": _header(answered, "location"),
            "headersSize": -1,
            "bodySize": len(raw),
        },
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": receive},
        "_event": event.id,
    }
    if event.body:
        said, packed = _text(event.body, _header(asked, "content-type"))
        mime = _header(asked, "content-type") or "application/octet-stream"
        # 1.2 has no encoding of what was sent; fields of one's own begin with `_`
        found["request"]["postData"] = {"mimeType": mime, "text": said, **{f"_{k}": v for k, v in packed.items()}}
    if event.error is not None:
        found["comment"] = f"{event.error.type}: {event.error.message}"
    return found


def _version(message: dict[str, Any]) -> str:
    return string(message.get("version")) or "HTTP/1.1"


def _pairs(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(pair[0]), str(pair[1])) for pair in map(arr, arr(message.get("headers"))) if len(pair) == 2]


def _named(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _header(pairs: list[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in pairs if name.lower() == wanted), "")


def _text(body: bytes, kind: str) -> tuple[str, dict[str, str]]:
    """As text where it is some, otherwise in base64."""
    try:
        if not kind or any(each in kind for each in _TEXT):
            return body.decode(), {}
    except UnicodeDecodeError:
        pass
    return b64encode(body).decode(), {"encoding": "base64"}
