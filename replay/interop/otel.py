"""`replay export otel`: a cassette as one trace in OTLP JSON, to a file or to a collector's OTLP/HTTP endpoint.

    the cassette                   a span `invoke_agent NAME`, the root
    a call of a model              `chat MODEL`, kind client, `gen_ai.*` as semantic-conventions-genai has them
    a tool                         `execute_tool NAME`, kind internal
    http, mcp, db, process, file   a span of its kind, kind client
    memory, agent, entry, output   a span of its kind, kind internal
    clock, entropy, env, order     left out, and told: they are thousands, and nothing to look at

The trace is the one that the program ran under (`header["trace"]`), or made of the cassette's id; spans have ids made
of the same and their event's number, so exporting twice gives the same. Secrets were taken out when it was recorded.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from replay import semantics
from replay.cassette.cassette import Cassette
from replay.interop.formats import created
from replay.model.errors import ExportFailed
from replay.model.event import Event
from replay.semantics.call import LLMCall
from replay.semantics.loose import obj, string

SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
"""What the attributes' names follow. Pinned: a later schema is taken on purpose, with its changes."""

_LEFT: Final = frozenset(("clock", "entropy", "env", "order"))
_CLIENT: Final = frozenset(("llm", "http", "grpc", "mcp", "db", "process", "file", "connection", "websocket"))
_MOST: Final = 1000
"""Spans in a request to a collector."""


def export(cassette: Cassette, out: Path) -> dict[str, Any]:
    """The trace at `out`; where that begins with http:// or https://, to the endpoint there (`…/v1/traces`).

    Raises:
        CassetteExists and what else creating it raises. ExportFailed: what the endpoint says.
    """
    where = os.fspath(out).replace(":/", "://", 1) if os.fspath(out).startswith(("http:/", "https:/")) else None
    left: Counter[str] = Counter()
    found = list(spans(cassette, left))
    told = {"spans": len(found), "trace": found[0]["traceId"], "lost": [f"{n} × {w}" for w, n in sorted(left.items())]}
    if where is None:
        with os.fdopen(created(out), "w", encoding="ascii") as file:
            json.dump(document(cassette, found), file, allow_nan=False)
            file.write("\n")
        return told
    for at in range(0, len(found), _MOST):
        _send(where, document(cassette, found[at : at + _MOST]))
    return told


def document(cassette: Cassette, found: list[dict[str, Any]]) -> dict[str, Any]:
    """OTLP's `ExportTraceServiceRequest`."""
    about = {"service.name": string(cassette.header.get("name")) or "agent", "replay.cassette.id": cassette.id}
    scope = {"name": "agent-replay", "version": version("agent-replay")}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(about)},
                "scopeSpans": [{"scope": scope, "spans": found, "schemaUrl": SCHEMA}],
                "schemaUrl": SCHEMA,
            }
        ]
    }


def spans(cassette: Cassette, left: Counter[str]) -> Iterator[dict[str, Any]]:
    """The root, then one for each event that is told; `left` counts the others by kind."""
    trace = obj(cassette.header.get("trace"))
    identity = string(trace.get("id")) or blake2b(cassette.id.encode(), digest_size=16).hexdigest()
    began = _began(cassette)
    name = string(cassette.header.get("name")) or "agent"
    root = string(trace.get("span")) or _span_id(cassette.id, -1)
    children: list[dict[str, Any]] = []
    last = 0
    for event, call in semantics.readings(cassette.events):
        last = max(last, event.at + (event.took or 0), event.pieces[-1].at if event.pieces else 0)
        if event.kind in _LEFT:
            left[event.kind] += 1
            continue
        children.append(_span(event, call, identity, _span_id(cassette.id, event.id), root, began))
    outcome = obj(cassette.outcome)
    failed = bool(outcome.get("exception")) or outcome.get("exit_code") not in (None, 0)
    yield {
        "traceId": identity,
        "spanId": root,
        **({"parentSpanId": trace["parent"]} if string(trace.get("parent")) else {}),
        "name": f"invoke_agent {name}",
        "kind": 1,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + last * 1000),
        "attributes": _attributes({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}),
        "status": {"code": 2} if failed else {},
    }
    yield from children


def _began(cassette: Cassette) -> int:
    """Nanoseconds since 1970."""
    try:
        moment = datetime.fromisoformat(str(cassette.header.get("created")))
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def _span_id(cassette: str, event: int) -> str:
    return blake2b(f"{cassette} {event}".encode(), digest_size=8).hexdigest()


def _span(event: Event, call: LLMCall | None, trace: str, own: str, root: str, began: int) -> dict[str, Any]:
    end = max(event.at + (event.took or 0), event.pieces[-1].at if event.pieces else 0)
    name, about = _about(event, call)
    about |= {"replay.event": event.id, "replay.effect": event.effect, "replay.lane": event.lane}
    agent = event.meta.get("agent")
    about |= {"gen_ai.agent.name": agent} if isinstance(agent, str) else {}
    status: dict[str, Any] = {}
    if event.error is not None:
        about["error.type"] = event.error.type
        status = {"code": 2, "message": event.error.message}
    elif "error.type" in about:
        status = {"code": 2, "message": str(about["error.type"])}
    return {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": root,
        "name": name,
        "kind": 3 if call is not None or event.kind in _CLIENT else 1,
        "startTimeUnixNano": str(began + event.at * 1000),
        "endTimeUnixNano": str(began + end * 1000),
        "attributes": _attributes(about),
        "status": status,
    }


def _about(event: Event, call: LLMCall | None) -> tuple[str, dict[str, Any]]:
    """The span's name and what only its kind has."""
    if call is not None:
        return f"{call.operation} {call.request_model or ''}".strip(), semantics.attributes(call)
    if event.kind == "tool":
        found: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": event.name}
        found["gen_ai.tool.call.arguments"] = _text(event.request)
        if event.response is not None:
            found["gen_ai.tool.call.result"] = _text(event.response)
        called = event.meta.get("call_id")
        return f"execute_tool {event.name}", found | (
            {"gen_ai.tool.call.id": called} if isinstance(called, str) else {}
        )
    if event.kind == "http":
        request = obj(event.request)
        return str(request.get("method")), {
            "http.request.method": request.get("method"),
            "url.full": request.get("url"),
            "http.response.status_code": obj(event.response).get("status"),
        }
    return f"{event.kind} {event.name}", {"replay.kind": event.kind}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, RecursionError):  # keys that JSON doesn't have
        return repr(value)


def _attributes(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in found.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    """OTLP's `AnyValue`; what is nested is JSON, as the conventions have it for spans."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float) and abs(value) < float("inf"):
        return {"doubleValue": value}
    if isinstance(value, list) and all(isinstance(each, str) for each in value):  # pyright: ignore[reportUnknownVariableType]
        return {"arrayValue": {"values": [{"stringValue": _sound(each)} for each in value]}}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return {"stringValue": _sound(_text(value))}


def _sound(text: str) -> str:
    """Without lone surrogates, which protobuf doesn't have."""
    return text.encode("utf-8", "replace").decode()


def _send(where: str, body: dict[str, Any]) -> None:
    data = json.dumps(body, allow_nan=False).encode()
    request = urllib.request.Request(where, data, {"content-type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = obj(json.loads(answer.read(1 << 20) or b"{}"))
    except urllib.error.HTTPError as error:
        raise ExportFailed(
            f"{where} answers {error.code} {error.reason}", hint="is it OTLP/HTTP, at /v1/traces?"
        ) from None
    except (OSError, ValueError) as error:
        raise ExportFailed(f"can't send to {where}: {error}", hint="is the collector there?") from None
    partial = obj(said.get("partialSuccess"))
    if int(partial.get("rejectedSpans") or 0):
        raise ExportFailed(f"{where} rejects {partial['rejectedSpans']} spans: {partial.get('errorMessage')}")
