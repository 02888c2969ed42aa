"""`replay export vcr`: the HTTP exchanges of a cassette as vcrpy replays them. Everything else is told as left out.

Answers are written as a program sees them, out of their compression and without `content-encoding`: that is what every
client of vcrpy takes (aiohttp's and httplib2's wouldn't unpack them). A body that isn't UTF-8 is `!!binary`.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from replay.cassette.cassette import Cassette
from replay.interop.formats import created
from replay.interop.writing import joined
from replay.model import encodings
from replay.model.event import Event
from replay.semantics.loose import arr, obj, string

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Without anchors: equal parts are written out, as people read them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def export(cassette: Cassette, out: Path) -> dict[str, Any]:
    """vcr's YAML at `out`.

    Raises:
        CassetteExists and what else creating it raises. CassetteDamaged: an event can't be read.
    """
    left: Counter[str] = Counter()
    count = 0
    with os.fdopen(created(out), "wb") as file:
        file.write(b"interactions:\n")
        for event in cassette.events:
            reason = _cannot(event)
            if reason is not None:
                left[reason] += 1
                continue
            try:
                file.write(_dumped([interaction(event)]))
            except UnicodeEncodeError:  # half a character in an address or a header
                left["http whose text isn't Unicode"] += 1
            else:
                count += 1
        if not count:
            file.seek(0)
            file.write(b"interactions: []\n")
        file.write(b"version: 1\n")
    return {"interactions": count, "lost": [f"{number} × {what}" for what, number in sorted(left.items())]}


def _dumped(value: Any) -> bytes:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=4096)
    return text.encode()


def _cannot(event: Event) -> str | None:
    if event.kind != "http":
        return event.kind
    if event.error is not None:
        return "http that failed: vcr has no errors"
    if event.status == "open" or any(piece.status == "error" for piece in event.pieces):
        return "http without a whole answer"
    return None


def interaction(event: Event) -> dict[str, Any]:
    """One exchange."""
    request, response = obj(event.request), obj(event.response)
    headers = _pairs(response)
    packed = ",".join(value for name, value in headers if name.lower() == "content-encoding")
    body, problems = encodings.decode(joined(event), packed)
    if packed and not problems:
        headers = [
            (n, str(len(body)) if n.lower() == "content-length" else v) for n, v in headers if n.lower() != _PACKED
        ]
    elif problems:
        body = joined(event)
    asked = event.body
    return {
        "request": {
            "method": request.get("method"),
            "uri": request.get("url"),
            "headers": _headers(_pairs(request)),
            "body": None if asked is None else _text(asked),
        },
        "response": {
            "status": {"code": response.get("status"), "message": string(response.get("reason")) or ""},
            "headers": _headers(headers),
            "body": {"string": _text(body)},
        },
    }


_PACKED: Final = "content-encoding"


def _pairs(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(pair[0]), str(pair[1])) for pair in map(arr, arr(message.get("headers"))) if len(pair) == 2]


def _headers(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Names in the writing in which they first come."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(names.setdefault(name.lower(), name), []).append(value)
    return found


def _text(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
