"""`python -m benchmarks.semantics DIR`: how much of a directory of vcr recordings is read as LLM calls, without loss.

What counts as an exchange with a model is told by host and path alone, here, so that what no dialect reads counts too.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import loss
from replay.interop.vcr.reading import Recorded, recordings
from replay.model.event import Event
from replay.semantics import LLMCall
from replay.semantics.links import Sessions

_PROVIDERS = re.compile(
    r"(^|\.)(openai\.com|openai\.azure\.com|anthropic\.com|cohere\.com|deepseek\.com|groq\.com|mistral\.ai|x\.ai"
    r"|generativelanguage\.googleapis\.com|.*aiplatform\.googleapis\.com|bedrock-runtime\..*\.amazonaws\.com"
    r"|openrouter\.ai|huggingface\.co|huggingface\.cloud|perplexity\.ai|together\.xyz|fireworks\.ai)$"
)
_PATHS = re.compile(  # models served elsewhere: local ones, gateways
    r"/(chat/completions|completions|responses|messages|embeddings|rerank|api/chat|api/generate|api/embed"
    r"|generate|generate_stream|converse|converse-stream|invoke|invoke-with-response-stream|[^/]*enerateContent)$"
)
_BESIDE = {  # at a provider, but nothing that a model writes
    re.compile(r"/count-tokens$|/count_tokens$|:countTokens$"): "counts tokens; no model writes",
    re.compile(
        r"/realtime/(calls|client_secrets)$"
    ): "sets a realtime session up; its turns are messages of a websocket",
}
_OTHER = {
    re.compile(r"/mcp$"): "MCP (JSON-RPC)",
    re.compile(r"/traces$|/tracing/"): "telemetry",
    re.compile(r"agent-card\.json$"): "A2A agent card",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One interaction: what it is, and what is wrong with its reading."""

    file: str
    number: int
    what: str
    call: LLMCall | None
    model: bool
    reasons: tuple[str, ...]


def place(event: Event) -> tuple[str, str]:
    """(host, path) of what was called."""
    parts = urlsplit(str(event.request["url"]))
    return parts.hostname or "", parts.path


def look(path: Path) -> Iterator[Found]:
    """Every interaction of a file. Messages of a websocket are one exchange for each turn of the model."""
    sessions = Sessions()
    turn: list[Any] = []
    for recorded in recordings(path, cut=7):  # so that nothing depends on where pieces are cut
        call = sessions.read(recorded.event)
        if recorded.event.kind == "websocket":
            turn += _received(recorded)
            if turn and _ends(turn[-1]):
                said = [each for each in turn if not _idle(each)]
                yield _found(path, recorded, "websocket turn", call, "no dialect reads it", said)
                turn = []
        else:
            host, where = place(recorded.event)
            what = f"{recorded.event.name.partition(' ')[0]} {host}{where}"
            beside = _beside(host, where, recorded)
            if beside is None:
                yield _found(path, recorded, what, call, "no dialect reads it", None)
            else:
                yield Found(path.name, recorded.event.id, what, call, model=False, reasons=(beside,))
    if turn and not all(_idle(each) for each in turn):
        yield Found(path.name, -1, "websocket turn", None, model=True, reasons=("the recording ends inside a turn",))


def _found(
    path: Path, recorded: Recorded, what: str, call: LLMCall | None, unread: str, turn: list[Any] | None
) -> Found:
    if call is None:
        reasons = [unread]
    elif turn is not None:
        reasons = [*call.warnings, *loss.response(turn, call)]
    else:
        reasons = [*call.warnings, *loss.missing(recorded.event, call, recorded.said)]
    return Found(path.name, recorded.event.id, what, call, model=True, reasons=tuple(reasons))


def _beside(host: str, path: str, recorded: Recorded) -> str | None:
    """Why this is no exchange with a model; None when it is one."""
    for pattern, why in _BESIDE.items():
        if pattern.search(path):
            return why
    asked = recorded.event.body is not None and not recorded.event.name.startswith("GET ")
    if asked and (_PROVIDERS.search(host) or _PATHS.search(path)):
        return None
    for pattern, why in _OTHER.items():
        if pattern.search(path):
            return why
    if b'"jsonrpc"' in (recorded.event.body or b""):
        return "A2A (JSON-RPC)"
    return "another service"


def _received(recorded: Recorded) -> list[Any]:
    return [] if recorded.event.response is None else [json.loads(recorded.event.response)]


def _ends(message: dict[str, Any]) -> bool:
    content = message.get("serverContent", {})
    return message.get("type") == "response.done" or content.get("turnComplete") is True or "toolCall" in message


def _idle(message: dict[str, Any]) -> bool:
    return not str(message.get("type", "")).startswith("response.") and "serverContent" not in message


def files(where: Path) -> Iterator[Path]:
    """All vcr files below a directory; some of their names have no suffix that tells."""
    for path in sorted(where.rglob("*")):
        if path.is_file() and path.suffix not in (".json", ".md") and b"interactions:" in path.read_bytes()[:200]:
            yield path


def main(where: Path) -> int:
    """Prints the table; 1 when an exchange with a model isn't read without loss."""
    found = [each for path in files(where) for each in look(path)]
    models = [each for each in found if each.model]
    whole = Counter(each.call.dialect for each in models if each.call is not None and not each.reasons)
    total = Counter(each.call.dialect if each.call is not None else "(none)" for each in models)
    streamed = Counter(each.call.dialect for each in models if each.call is not None and each.call.stream)
    errors = Counter(each.call.dialect for each in models if each.call is not None and each.call.error is not None)
    print(f"{'dialect':<22}{'exchanges':>10}{'streamed':>10}{'errors':>8}{'without loss':>14}")
    for name, count in sorted(total.items()):
        print(f"{name:<22}{count:>10}{streamed[name]:>10}{errors[name]:>8}{whole[name]:>14}")
    good = whole.total()
    share = 100 * good / len(models) if models else 100.0
    print(f"{'all':<22}{len(models):>10}{streamed.total():>10}{errors.total():>8}{good:>14}  ({share:.1f} %)")
    for each in models:
        if each.reasons:
            print(f"\n{each.file} #{each.number} {each.what}")
            print("\n".join(f"    {reason}" for reason in each.reasons))
    beside = Counter(each.reasons[0] for each in found if not each.model)
    print(f"\nno exchange with a model ({beside.total()}):")
    print("\n".join(f"{count:>6}  {why}" for why, count in sorted(beside.items())))
    read_all_the_same = [each for each in found if not each.model and each.call is not None]
    for each in read_all_the_same:
        print(f"    but read as {each.call.dialect if each.call else ''}: {each.file} #{each.number} {each.what}")
    return 0 if good == len(models) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.semantics DIR")
    sys.exit(main(Path(sys.argv[1])))
