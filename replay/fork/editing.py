"""Changing a recorded answer: it is shown as a document, and the changed document becomes the outcome. Pure.

What the document of an answer is:

- of an HTTP answer: its body, as JSON or text. Of a stream of server-sent events: a list of their data, each as JSON or
  text. `@status` is its status.
- of a file that was read: its text.
- of anything else: the value.

A path is names and positions: `choices[0].message.content`, `[2].delta`, `a["b.c"]`, `@status`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from replay.fork.plan import Substitute
from replay.model.encodings import decode
from replay.model.errors import NotForkable
from replay.model.event import Event
from replay.semantics import loose

Path = tuple[str | int, ...]

STATUS: Final = "@status"

_STEP: Final = re.compile(r"""\.?(?:(?P<name>[^.\[\]"]+)|\[(?P<at>-?\d+)\]|\["(?P<quoted>[^"]*)"\])""")
_OF_THE_BODY: Final = frozenset(("content-length", "content-encoding", "transfer-encoding"))
_DATA: Final = "data: "


def parse_path(text: str) -> Path:
    """The steps of a path.

    Raises:
        NotForkable: it isn't one.

    Example:
        >>> parse_path('choices[0].message["a.b"]')
        ('choices', 0, 'message', 'a.b')
    """
    steps: list[str | int] = []
    place = 0
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            raise NotForkable(f"{text!r} isn't a path: {text[place:]!r} is no step", hint="such as a.b[0].c")
        at = found["at"]
        steps.append(int(at) if at is not None else found["name"] or found["quoted"] or "")
        place = found.end()
    return tuple(steps)


def parse_value(text: str) -> Any:
    """JSON where it is some, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def check_is_answer(event: Event) -> None:
    """Raises NotForkable where the world says nothing there."""
    if event.kind in ("output", "gap", "env", "order"):
        raise NotForkable(
            f"event {event.id} ({event.kind} {event.name}) isn't an answer of the world: there is nothing to change",
            hint="replay show lists the events",
        )


def document(event: Event) -> Any:
    """What can be changed of that event's answer.

    Raises:
        NotForkable: it isn't an answer, or has nothing that could be shown.
    """
    check_is_answer(event)
    what = f"event {event.id} ({event.kind} {event.name})"
    if event.status == "open":
        raise NotForkable(f"{what} was never answered")
    if event.status == "failed":
        raise NotForkable(f"{what} failed: there is no answer to change", hint="--response gives it one")
    if event.kind == "http":
        return _body(event)
    if event.content is not None:
        try:
            return event.content.decode()
        except UnicodeDecodeError:
            raise NotForkable(f"{what}: the file isn't text", hint="--response replaces it") from None
    return event.response


def changed(found: Any, path: Path, value: Any) -> Any:
    """That document with another value at that path. A name that an object lacks is added; nothing else is.

    Raises:
        NotForkable: there is no such place.

    Example:
        >>> changed({"a": [1, 2]}, ("a", -1), 3)
        {'a': [1, 3]}
    """
    if not path:
        return value
    whole = copy.deepcopy(found)
    place: Any = whole
    for depth, step in enumerate(path[:-1]):
        place = place[_checked(place, step, path[: depth + 1])]
    place[_checked(place, path[-1], path, may_be_new=True)] = value
    return whole


def _checked(place: Any, step: str | int, path: Path, *, may_be_new: bool = False) -> str | int:
    where = shown(path)
    if isinstance(place, dict):
        if step in place or (may_be_new and isinstance(step, str)):
            return step
        raise NotForkable(f"the answer has nothing at {where}: {_there(cast('Mapping[Any, Any]', place))}")
    if isinstance(place, list):
        count = len(cast("Sequence[Any]", place))
        if isinstance(step, int) and -count <= step < count:
            return step
        raise NotForkable(f"the answer has nothing at {where}: a list of {count} is there")
    raise NotForkable(f"the answer has nothing at {where}: {type(place).__name__} is there, which has no parts")


def _there(place: Mapping[Any, Any]) -> str:
    names = ", ".join(map(str, list(place)[:8]))
    return f"there are {names}" if names else "an empty object is there"


def shown(path: Path) -> str:
    """A path as it is written."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def substitute(event: Event, found: Any, status: int | None = None) -> Substitute:
    """The outcome whose document is `found`.

    Args:
        status: of an HTTP answer, where it is another one.
    """
    if event.kind == "http":
        return _http(event, found, status)
    if event.content is not None or (event.kind == "file" and isinstance(found, bytes)):
        content = found if isinstance(found, bytes) else str(found).encode()
        facts = loose.obj(event.response) or {"type": "file"}
        return Substitute("value", {**facts, "size": len(content)}, content=content)
    return Substitute("value", found)


def from_text(event: Event, text: bytes) -> Substitute:
    """The outcome that a file holds: JSON, or as it is."""
    if event.kind == "file":
        return substitute(event, text)
    try:
        return substitute(event, parse_value(text.decode()))
    except UnicodeDecodeError:
        raise NotForkable(
            f"event {event.id} ({event.kind} {event.name}): what is to be the answer isn't text"
        ) from None


def _body(event: Event) -> Any:
    data, headers = _decoded(event), _headers(event)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NotForkable(f"event {event.id} ({event.name}): the answer's body isn't text") from None
    if "text/event-stream" in headers.get("content-type", ""):
        blocks = [block for block in text.split("\n\n") if _DATA in block]
        return [parse_value(block.partition(_DATA)[2]) for block in blocks]
    return parse_value(text)


def _decoded(event: Event) -> bytes:
    data = b"".join(piece.value for piece in event.pieces if piece.status == "piece")
    encoding = _headers(event).get("content-encoding", "")
    return decode(data, encoding)[0] if encoding else data


def _headers(event: Event) -> dict[str, str]:
    return {name.lower(): value for name, value in loose.obj(event.response).get("headers", ())}


def _http(event: Event, found: Any, status: int | None) -> Substitute:
    headers = _headers(event)
    if "text/event-stream" in headers.get("content-type", "") and isinstance(found, list):
        blocks = _decoded(event).decode().split("\n\n") if event.pieces else []
        kept = [block.partition(_DATA)[0] for block in blocks if _DATA in block]
        pieces = [
            f"{kept[place] if place < len(kept) else ''}{_DATA}{_text(each)}\n\n".encode()
            for place, each in enumerate(loose.arr(found))
        ]
    else:
        data = _text(found).encode()
        pieces = [data] if data else []
    known = loose.obj(event.response)
    lines = [[name, value] for name, value in known.get("headers", ()) if name.lower() not in _OF_THE_BODY]
    if "content-type" not in headers:
        lines.append(["content-type", "text/plain" if isinstance(found, str) else "application/json"])
    if "transfer-encoding" not in headers:
        lines.append(["content-length", str(sum(map(len, pieces)))])
    head = {"status": 200, "reason": "OK", "version": "HTTP/1.1", **known, "headers": lines}
    if status is not None:
        head |= {"status": status, "reason": ""}
    return Substitute("value", head, pieces=pieces)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
