"""Child processes and connections in words: what was started and how it ended, what went over the line."""

from __future__ import annotations

import shlex
from typing import Any

from replay.model.event import Event
from replay.model.visible import plural, size
from replay.queries.shapes import is_mapping, is_sequence, mapping
from replay.queries.words.brief import arguments, brief

_SHOWN = 200  # characters of what was sent or received
_MESSAGES = 5  # that a websocket received; the others are in its event
_IN_THE_NAME = frozenset(("address", "type", "flags", "size", "value"))


def process(event: Event) -> str:
    """`git --version → pid 1460`, `git communicate → exit 0, 'git version 2.39.5\\n'`, `git wait → exit 0`."""
    request = mapping(event.request)
    verb = event.name.rpartition(" ")[2]
    if "pid" in request and verb in ("communicate", "poll", "wait"):
        return _asked(event, verb)
    if event.effect == "write" and "args" in request:
        return _started(event)
    if event.body is not None or isinstance(event.response, bytes):
        return event.name + _data(event)
    return _plain(event, event.request)


def connection(event: Event) -> list[str]:
    """`127.0.0.1:8799 accept → ('127.0.0.1', 52578)`, `127.0.0.1:52578 sendall 24 B: 'it is noon'`; the messages of a
    websocket in place of its bytes."""
    messages = mapping(event.meta.get("links")).get("messages")
    if not messages:
        return [_connection(event)]
    lines = [f"{'sent' if each['sent'] else 'received'}: {brief(each['data'], _SHOWN)}" for each in messages]
    if event.status == "streamed":
        shown = [f"{event.name} → {plural(len(lines), 'message')}", *lines[:_MESSAGES]]
        return shown if len(lines) <= _MESSAGES else [*shown, f"and {len(lines) - _MESSAGES} more"]
    return [f"{event.name} {', '.join(lines)}"]


def _connection(event: Event) -> str:
    request = event.request
    if is_mapping(request):
        request = {key: value for key, value in request.items() if key not in _IN_THE_NAME}
    if event.body is not None or _received(event) is not None:
        return event.name + _data(event)
    return _plain(event, request)


def _plain(event: Event, request: Any) -> str:
    text = f"{event.name} ({arguments(request)})" if request else event.name
    if event.status == "streamed":
        return text + f" → {plural(sum(piece.status == 'piece' for piece in event.pieces), 'piece')}"
    said = event.response
    if event.status != "done" or said is None or (is_sequence(said) and not any(said)):
        return text
    return f"{text} → {brief(said)}"


def _started(event: Event) -> str:
    request = mapping(event.request)
    words = request["args"]
    line = shlex.join(map(str, words)) if is_sequence(words) else str(words)
    notes = [f"in {request['cwd']}"] if "cwd" in request else []
    notes += [f"with {', '.join(mapping(request['env']))}"] if request.get("env") else []
    text = line + (f" ({'; '.join(notes)})" if notes else "")
    if event.status == "streamed":
        return text + f" → {plural(sum(piece.status == 'piece' for piece in event.pieces), 'piece')}"
    if event.status == "done" and isinstance(event.response, int):
        what = "exit" if "mode" in request else "pid"  # os.system and the like wait
        return f"{text} → {what} {event.response}"
    return text


def _asked(event: Event, verb: str) -> str:
    given = mapping(event.request).get("input")
    text = event.name if given is None else f"{event.name} {brief(given, _SHOWN)}"
    if event.status != "done" or not is_sequence(event.response) or len(event.response) != 2:
        return text
    said, code = event.response
    text += " → still running" if code is None else f" → exit {code}"
    if verb == "communicate" and is_sequence(said):
        outputs = [brief(each, _SHOWN) for each in said if each]
        text += "".join(f", {each}" for each in outputs)
    return text


def _received(event: Event) -> bytes | None:
    found = event.response[0] if is_sequence(event.response) and event.response else event.response
    return found if isinstance(found, bytes) else None


def _data(event: Event) -> str:
    received = _received(event)
    text = "" if event.body is None else f" {size(len(event.body))}: {_readable(event.body)}"
    return text if received is None else f"{text} → {size(len(received))}: {_readable(received)}"


def _readable(raw: bytes) -> str:
    try:
        return brief(raw.decode("utf-8"), _SHOWN)
    except UnicodeDecodeError:
        return brief(raw[:40])
