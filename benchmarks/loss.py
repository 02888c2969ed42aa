"""Does a decoded call have everything that was in the bytes? Independent of `replay.semantics`: parses for itself, and
knows wires only by the names of their fields.

What has to come up in the call: every text, reasoning and refusal, every tool call (name, id, arguments), every number
of usage, why it stopped and the model; of the request every text of a message and every tool's name. A part that the
call names by the wire's own type (`web_search_tool_result`) may hold it as it came (`raw`); all others have to hold it
in `content`.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, cast

from replay.model.event import Event
from replay.semantics import LLMCall, Part

_TEXTS = frozenset(
    "text content thinking reasoning reasoning_content refusal transcript delta partial_json arguments input "
    "tool_plan generated_text response output".split()
)
_OBJECTS = frozenset("input args arguments".split())
_IDS = frozenset("call_id tool_use_id toolUseId tool_call_id".split())
_ENDS = frozenset("finish_reason stop_reason finishReason stopReason done_reason".split())
_USAGES = frozenset("usage usageMetadata".split())
_COUNTS = re.compile(r".*(_count|_duration)$")
# Echoes of the request, and notes about the text rather than text.
_BESIDE = frozenset(
    "instructions tools tool_choice logprobs annotations citations groundingMetadata metadata settings session "
    "text_format stop_sequences sources citations reasoning_details token contentFilterResults safety_identifier "
    "encrypted_content trace format prompt_filter_results".split()
)
_ONE_BY_ONE = ("tokens", "prefill")  # TGI's lists, like logprobs
_PLACES = ("output_index", "content_index", "summary_index", "index", "contentBlockIndex", "item_id")
_GENERIC = frozenset(
    "text reasoning tool_call tool_call_response server_tool_call refusal blob uri file embedding ranking".split()
)


def missing(event: Event, call: LLMCall, said: tuple[Any, list[Any]] | None = None) -> list[str]:
    """What of the exchange isn't in the call, in words; empty when nothing is lost."""
    if said is None:
        asked = _json(_plain(event.body or b""))
        answers, problem = _answers(event)
        if problem:
            return [problem]
    else:
        asked, answers = said
    return [*_request(asked, call), *response(answers, call)]


def response(answers: list[Any], call: LLMCall) -> list[str]:
    """What of the answer (one JSON value, or those of a stream) isn't in the call."""
    if call.error is not None and not call.output:
        text = json.dumps(answers, ensure_ascii=False)
        return [] if call.error.message and call.error.type else [f"error without words: {text[:80]}"]
    found = list(_texts(answers))
    parts = [part for message in call.output for part in message.parts]
    hay = _hay(parts)
    lost = [f"{'/'.join(path)}: {text[:60]!r}" for path, text in found if not _in(text, hay)]
    objects = [value for part in parts for value in (_json(part.content), part.raw) if value is not None]
    for path, value in _leaves(answers, objects=_OBJECTS):
        if isinstance(value, dict) and path[-1] in _OBJECTS and value:
            inside = json.dumps(value, sort_keys=True)
            if not any(inside in json.dumps(each, sort_keys=True) for each in objects):
                lost.append(f"{'/'.join(path)}: {inside[:60]}")
    names = {name for part in parts for name in (part.name, part.id) if name}
    raws = json.dumps([part.raw for part in parts], ensure_ascii=False, default=str)
    for what, value in _labels(answers):
        if value not in names and json.dumps(value, ensure_ascii=False) not in raws:
            lost.append(f"{what}: {value!r}")
    reasons = {message.finish_reason for message in call.output}
    ends = {
        value: path
        for path, value in _leaves(answers)
        if path[-1] in _ENDS and isinstance(value, str) and value and "delta" not in path[:-2]
    }
    if ends and not reasons & set(ends):
        lost.append(f"why it stopped: {list(ends)} isn't {reasons}")
    return lost + _usage(answers, call) + _model(answers, call)


def _request(asked: Any, call: LLMCall) -> list[str]:
    fields = cast("Mapping[str, Any]", asked if isinstance(asked, dict) else {})
    hay = _hay([*(part for message in call.messages for part in message.parts), *call.system])
    places = ("messages", "contents", "input", "system", "systemInstruction", "instructions", "prompt", "inputs")
    lost: list[str] = []
    for key in (*places, "message", "query"):
        value = fields.get(key)
        texts = [((key,), value)] if isinstance(value, str) else list(_texts([value], request=True))
        lost += [f"request {'/'.join(path)}: {text[:60]!r}" for path, text in texts if not _in(text, hay)]
    offered = {tool.name for tool in call.tools}
    for path, value in _leaves({"tools": fields.get("tools"), "toolConfig": fields.get("toolConfig")}):
        named = path[-1] == "name" and path[-2] in ("tools", "function", "toolSpec", "functionDeclarations")
        if named and not {"parameters", "input_schema", "json"} & set(path) and value not in offered:
            lost.append(f"request tool: {value}")
    return lost


def _texts(answers: list[Any], *, request: bool = False) -> Iterator[tuple[tuple[str, ...], str]]:
    """Texts with the field they came in; those that came in fragments are joined by their place in the answer."""
    joined: dict[tuple[Any, ...], list[str]] = {}
    paths: dict[tuple[Any, ...], tuple[str, ...]] = {}
    for number, answer in enumerate(answers):
        for slot, path, text in _slots(answer, (), (), None):
            fragment = not request and len(answers) > 1 and _is_delta(answer, path)
            key = (slot, path) if fragment else (slot, path, number, text)
            joined[key] = [*joined.get(key, ()), text] if fragment else [text]
            paths[key] = path
    for key, fragments in joined.items():
        text = "".join(fragments)
        if text.strip():
            yield paths[key], text


def _is_delta(answer: Any, path: tuple[str, ...]) -> bool:
    kind = cast("dict[str, Any]", answer).get("type") if isinstance(answer, dict) else None
    if isinstance(kind, str) and kind.startswith("response."):
        return kind.endswith(".delta")
    return "output" not in path[:1]


def _slots(
    value: Any, path: tuple[str, ...], slot: tuple[Any, ...], kind: Any
) -> Iterator[tuple[tuple[Any, ...], tuple[str, ...], str]]:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        here = tuple((name, fields[name]) for name in _PLACES if isinstance(fields.get(name), (int, str)))
        label = fields.get("type") if len(path) == 0 else kind
        thought = (("thought", True),) if fields.get("thought") is True else ()
        for key, item in fields.items():
            if key in _BESIDE or key in ("usage", "signature") or (key in _ONE_BY_ONE and isinstance(item, list)):
                continue
            yield from _slots(item, (*path, key), (*slot, *here, *thought, label), label)
    elif isinstance(value, list):
        for item in cast("Iterable[Any]", value):
            if isinstance(item, str) and path and path[-1] in _TEXTS:
                yield slot, path, item
            else:
                yield from _slots(item, path, slot, kind)
    elif isinstance(value, str) and path and path[-1] in _TEXTS and value and not _is_sound(path, kind):
        yield slot, path, value


def _is_sound(path: tuple[str, ...], kind: Any) -> bool:
    return isinstance(kind, str) and kind.endswith("audio.delta") and path[-1] == "delta"


def _leaves(
    value: Any, path: tuple[str, ...] = (), objects: frozenset[str] = frozenset()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if key in _BESIDE and path[:1] != ("tools",) and key != "tools":
                continue
            if key in objects and isinstance(item, dict):
                yield (*path, key), item
            else:
                yield from _leaves(item, (*path, key), objects)
    elif isinstance(value, list):
        for item in cast("Iterable[Any]", value):
            yield from _leaves(item, path, objects)
    elif path:
        yield path, value


def _labels(answers: list[Any]) -> Iterator[tuple[str, str]]:
    """Names and ids of tool calls."""
    for path, value in _leaves(answers):
        if isinstance(value, str) and value:
            call = {"function", "toolUse", "functionCall", "tool_calls"} & set(path)
            if path[-1] in _IDS or (path[-1] == "name" and call) or path[-2:] == ("tool_calls", "id"):
                yield "/".join(path), value


def _hay(parts: Iterable[Part]) -> list[str]:
    """Where texts are looked for: each part, parts of a kind in a row, all in a row."""
    single: list[str] = []
    kinds: dict[str, str] = {}
    for part in parts:
        text = part.content if isinstance(part.content, str) else None
        if part.content is not None and text is None:
            single += _strings(part.content)
        if text is None and (part.type not in _GENERIC or part.content is None):
            single += _strings(part.raw)
        if text is not None:
            single.append(text)
            single += _strings(_json(text))
            kinds[part.type] = kinds.get(part.type, "") + text
        elif part.type == "server_tool_call":
            single += _strings(part.raw)
    hosted = [text for part in parts if part.type == "server_tool_call" for text in _strings(part.raw)]
    return [*single, *hosted, *kinds.values(), "".join(kinds.values())]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in cast("dict[str, Any]", value).values() for text in _strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in cast("Iterable[Any]", value) for text in _strings(item)]
    return []


def _in(text: str, hay: list[str]) -> bool:
    return any(text in each for each in hay)


def _usage(answers: list[Any], call: LLMCall) -> list[str]:
    objects: dict[tuple[str, ...], dict[tuple[str, ...], Any]] = {}  # of a stream's, the last at each place stands
    for answer in answers:
        here: dict[tuple[str, ...], dict[tuple[str, ...], Any]] = {}
        for path, value in _leaves(answer):
            inside = _USAGES & set(path) or path[:1] == ("meta",) or (len(path) == 1 and _COUNTS.match(path[0]))
            if inside and isinstance(value, (int, float)) and not isinstance(value, bool) and "tool" not in path[-1]:
                at = next((i for i, key in enumerate(path) if key in _USAGES or key == "meta"), -1)
                here.setdefault(path[: at + 1], {})[path[at + 1 :]] = value
        objects |= here
    counts = {path: value for each in objects.values() for path, value in each.items()}
    kept = {path: value for path, value in _leaves(call.usage.raw) if isinstance(value, (int, float))}
    lost = [
        f"usage {'/'.join(path)}: {value}"
        for path, value in counts.items()
        if value and kept.get(path) != value and kept.get(path[1:]) != value
    ]
    for name, words in (("input", r"input|prompt"), ("output", r"output|completion|candidates|eval_count|generated")):
        theirs = [
            v
            for p, v in counts.items()
            if re.search(words, p[-1], re.IGNORECASE) and re.search("token|eval_count", p[-1], re.IGNORECASE)
        ]
        ours = getattr(call.usage, name)
        numbers = [v for v in kept.values() if isinstance(v, int)]
        if theirs and ours is None:
            lost.append(f"usage.{name} isn't named, with {theirs}")
        elif ours and not any(
            sum(some) == ours for size in (1, 2, 3) for some in itertools.combinations(numbers, size)
        ):
            lost.append(f"usage.{name} {ours} isn't made of {numbers}")
    return lost


def _model(answers: list[Any], call: LLMCall) -> list[str]:
    named = {
        value
        for path, value in _leaves(answers)
        if path in (("model",), ("modelVersion",), ("message", "model"), ("response", "model")) and value
    }
    return [f"model {named} isn't {call.response_model}"] if named and call.response_model not in named else []


def _answers(event: Event) -> tuple[list[Any], str]:
    response = cast("dict[str, Any]", event.response)
    body = response.get("body", b"") + b"".join(piece.value for piece in event.pieces if piece.status == "piece")
    body = _plain(body)
    kind = " ".join(value for name, value in response["headers"] if name.lower() == "content-type")
    if "amazon.eventstream" in kind:
        buffer: Any = import_module("botocore.eventstream").EventStreamBuffer()
        buffer.add_data(body)
        return [_json(message.payload) for message in buffer], ""
    if b"data:" in body[:2000] and body.lstrip()[:1] not in (b"{", b"["):
        lines = body.replace(b"\r\n", b"\n").split(b"\n")
        texts = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        return [_json(text) for text in texts if text and text != b"[DONE]"], ""
    whole = _json(body)
    if whole is None:
        values = [_json(line) for line in body.split(b"\n") if line.strip()]
        return values, "" if values and None not in values else "the answer isn't JSON"
    return (list(cast("Iterable[Any]", whole)), "") if isinstance(whole, list) else ([whole], "")


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, (str, bytes)) else None
    except ValueError:
        return None
