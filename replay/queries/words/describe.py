"""One event in words: a headline and the lines under it. Plain strings, not yet made safe for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from replay.model.event import Event
from replay.model.visible import plural, size
from replay.queries.shapes import is_mapping, is_sequence, mapping
from replay.queries.words import mcp, traffic
from replay.queries.words.brief import arguments, asked, brief
from replay.semantics import LLMCall, Prices, cost

DRAWN = frozenset({"clock", "entropy", "env"})
"""Kinds of events that are runs of reads, named one by one in their request."""


@dataclass(frozen=True, slots=True)
class Line:
    """`tone`: `plain`, `soft` (of less weight), `write` (changes the world) or `bad` (an error, a loss)."""

    text: str
    tone: str = "plain"


def describe(event: Event, call: LLMCall | None = None, prices: Prices | None = None) -> list[Line]:
    """What happened, headline first. `call` is the event's reading as an LLM call, where it is one."""
    if call is not None:
        return _llm(event, call, prices or {})
    match event.kind:
        case "gap":
            return [Line(f"{event.name}: not recorded: {_reason(event.request)}", "bad")]
        case "http" | "grpc":
            lines = _http(event)
        case "output":
            said = event.request if isinstance(event.request, str) else brief(event.request)
            lines = [Line(f"{event.name}: {said}" if event.name else said)]
        case "file" if "path" in mapping(event.request):
            lines = [_file(event)]
        case "tool" | "memory" | "agent" | "entry":
            lines = [_called(event)]
        case "process":
            lines = [Line(traffic.process(event), _tone(event))]
        case "connection":
            lines = [Line(text, _tone(event)) for text in traffic.connection(event)]
        case "mcp":
            lines = [Line(mcp.headline(event), "bad" if mcp.failed(event) else _tone(event))]
        case _:
            lines = [Line(" ".join(filter(None, (event.name, brief(event.request) if event.request else ""))))]
            lines += _result(event)
    lines += [Line(f"child: {path}", "soft") for path in mapping(event.meta.get("links")).get("child", ())]
    return lines + _ending(event)


def folded(events: Sequence[Event]) -> Line:
    """A run of quiet events on one line: `14 reads: time.time ×10, uuid.uuid4 ×4`, `git poll, git wait → exit 0`."""
    counts: Counter[str] = Counter(label for event in events for label in _labels(event))
    shown = ", ".join(label if count == 1 else f"{label} ×{count}" for label, count in counts.items())
    if events[0].kind in DRAWN and len(counts) > 1:
        shown = f"{counts.total()} reads: {shown}"
    return Line(shown, "soft")


def _labels(event: Event) -> list[str]:
    if event.kind in DRAWN:
        names = event.request if is_sequence(event.request) else [event.name]
        return [str(name) for name in names]
    return [describe(event)[0].text]


def _llm(event: Event, call: LLMCall, prices: Prices) -> list[Line]:
    facts = [call.request_model or call.dialect, plural(len(call.messages), "message")]
    if call.usage.input is not None or call.usage.output is not None:
        facts.append(f"{_count(call.usage.input)} + {_count(call.usage.output)} tokens")
    paid = cost(call, prices)
    if paid is not None:
        facts.append(f"cost {money(paid)}")
    if event.pieces:
        facts.append(plural(_pieces(event), "chunk"))
    lines = [Line(" · ".join(facts))]
    if call.reasoning:
        lines.append(Line(f"thinks: {call.reasoning.strip()}", "soft"))
    if call.text:
        lines.append(Line(f"says: {call.text.strip()}"))
    lines += [Line(f"asks: {asked(each)}") for each in call.tool_calls]
    if call.error is not None and event.error is None:
        lines.append(Line(f"error: {call.error.type}: {call.error.message}", "bad"))
    # SDKs stop reading at the dialect's end marker, which is before the end of the stream.
    return lines + _ending(event, complete=not call.warnings)


def _called(event: Event) -> Line:
    text = f"{event.name}({arguments(event.request)})"
    if event.status == "done":
        text += f" → {brief(event.response)}"
    elif event.status == "streamed":
        text += f" → {plural(_pieces(event), 'piece')}"
    return Line(text, "write" if event.effect == "write" else "plain")


def _http(event: Event) -> list[Line]:
    request, response = mapping(event.request), mapping(event.response)
    text = f"{request.get('method', event.name)} {request.get('url', '')}"
    if event.body:
        text += f" ({size(len(event.body))})"
    tone = "write" if event.effect == "write" else "plain"
    if "status" in response:
        text += f" → {response['status']}"
        body = response.get("body")
        if event.pieces:
            text += f" ({plural(_pieces(event), 'chunk')})"
        elif isinstance(body, bytes):
            text += f" ({size(len(body))})"
    return [Line(text, tone)]


def _tone(event: Event) -> str:
    return "write" if event.effect == "write" else "plain"


_PLACES = {"end": "at its end"}
_FACTS = frozenset(("path", "to", "target", "mode", "at", "open"))
LOOKS = ("stat", "lstat")


def _file(event: Event) -> Line:
    """`open notes.txt (read) → 120 B, sha256 5891b5b522d5…`, `write notes.txt (6 B)`, `stat notes.txt → …`."""
    request, response = mapping(event.request), mapping(event.response)
    text = f"{event.name} {_path(request['path'])}"
    for word in ("to", "target"):
        text += f" → {_path(request[word])}" if word in request else ""
    notes = [str(request[word]) for word in ("mode",) if word in request]
    if event.body is not None:
        notes.append(size(len(event.body)))
    if "at" in request:
        notes.append(_PLACES.get(str(request["at"]), "in places"))
    notes += [_fact(event.name, key, each) for key, each in request.items() if key not in _FACTS]
    text += f" ({', '.join(notes)})" if notes else ""
    if "sha256" in response:
        count = response.get("size", len(event.content or b""))
        redacted = ", secrets redacted" if response.get("redacted") else ""
        text += f" → {size(int(count))}, sha256 {str(response['sha256'])[:12]}…{redacted}"
    elif "unread" in response:
        text += f" → not recorded: {response['unread']}"
    elif event.name in ("scandir", "listdir") and is_sequence(event.response):
        names = ", ".join(str(each[0] if is_sequence(each) else each) for each in event.response)
        text += f" → {len(event.response)}: {names}" if names else " → nothing"
    elif missing(event):
        text += " → missing"
    elif event.name in LOOKS and is_sequence(event.response):
        text += f" → {size(event.response[0][6])}"
    elif event.status == "done" and event.response is not None and "type" not in response:
        text += f" → {brief(event.response)}"
    return Line(text, "write" if event.effect == "write" else "plain")


def _fact(name: str, key: str, value: Any) -> str:
    if key == "args" and name in ("chmod", "mkdir") and is_sequence(value) and isinstance(value[0], int):
        return f"mode {value[0]:o}"
    return f"{key}={brief(value)}"


def _path(path: Any) -> str:
    return path if isinstance(path, str) else brief(path)


def _result(event: Event) -> list[Line]:
    if event.status == "done" and event.response is not None:
        return [Line(f"→ {brief(event.response)}")]
    return []


_READ = frozenset(
    {"http", "tool", "memory"}
)  # whose pieces the program takes, and may leave; others come by themselves


def missing(event: Event) -> bool:
    """A look for a file that isn't there: no failure, most often."""
    return event.name in LOOKS and event.error is not None and event.error.type == "builtins.FileNotFoundError"


def _ending(event: Event, *, complete: bool = False) -> list[Line]:
    if event.error is not None and "gap" in mapping(event.error.value):
        return [Line(f"outcome not recorded: {mapping(event.error.value)['gap']}", "bad")]
    if event.error is not None:
        if missing(event):
            return []  # the headline says it
        what = event.error.type.removeprefix("builtins.")
        return [Line(f"raised {what}: {event.error.message}" if event.error.message else f"raised {what}", "bad")]
    if event.status == "open":
        return [Line("no outcome: the recording ends inside this call", "bad")]
    broken = [piece for piece in event.pieces if piece.status == "error"]
    if event.kind == "mcp" and broken and getattr(broken[0].value, "qualname", "") == "CancelledError":
        return []  # how a session stops listening
    if broken:
        return [Line(f"the stream broke after {_pieces(event)} pieces: {broken[0].value}", "bad")]
    if any(piece.status == "closed" for piece in event.pieces):
        return [Line(f"closed by the program after {_pieces(event)} pieces", "soft")]
    if (
        event.status == "streamed"
        and event.kind in _READ
        and not complete
        and not any(piece.status == "end" for piece in event.pieces)
    ):
        return [Line(f"the stream was not read to its end ({_pieces(event)} pieces)", "soft")]
    return []


def _reason(request: Any) -> str:
    if is_mapping(request) and "reason" in request:
        return str(request["reason"])
    return brief(request)


def _pieces(event: Event) -> int:
    return sum(piece.status == "piece" for piece in event.pieces)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def money(amount: float) -> str:
    """Four digits behind the point, more where that would be nothing."""
    return f"{amount:.4f}" if amount >= 0.001 or amount == 0 else f"{amount:.2g}"
