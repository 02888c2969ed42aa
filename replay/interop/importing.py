"""Transcripts written as cassettes that every reading command reads. Nothing in them can be executed again.

    a message of an assistant      `llm`     body: what the model was given, as a chat completions request
    a call of a tool               `tool`    request: the arguments; response: the result's text
    any other message              `entry`   response: its text

Each has its place in the original in `meta["source"]`. What a transcript doesn't have is a blind spot.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from replay.cassette.header import entropy
from replay.cassette.redact import Redactor
from replay.cassette.writer import Writer
from replay.interop import writing
from replay.interop.chat import Transcript, Turn, canonical, declared, documents, guessed, paired, transcripts
from replay.interop.formats import Run, data
from replay.interop.transcripts import known, otlp, spans
from replay.interop.transcripts.spans import Trace
from replay.model.errors import NotImportable

ENTRY = "import"
"""The type of `header["entry"]`: there is no program."""

_MISSING = (
    ("clock", "the transcript has no times: events have their order, and no time of their own"),
    ("order", "tools that a message called together: in which order they ran isn't known"),
    ("entropy", "random numbers and ids that the program drew aren't in a transcript"),
    ("code", "the program isn't in a transcript: no call sites, and nothing to execute again"),
    ("effects", "only what tools said they did is in a transcript, not what they did"),
)


def runs(file: Path) -> list[Run]:
    """The runs in a file; of a directory those in all files in and below it that are known.

    Raises:
        CassetteMissing, CassetteUnreadable: the file. NotImportable: nothing in it is known.
    """
    if file.is_dir():
        found = [run for each in sorted(file.rglob("*")) if each.is_file() for run in _runs(each, data(each))]
        if not found:
            raise NotImportable(f"no file in {file} is of a kind that is known", hint=_KINDS)
        return found
    original = data(file)
    made = _runs(file, original)
    if not made:
        raise NotImportable(f"{file} has no messages of a kind that is known", hint=_reader(original))
    return made


def _runs(file: Path, original: bytes) -> list[Run]:
    found: Sequence[Transcript | Trace] = known(original, documents(original)) or transcripts(original)
    return [_run(file, part, each, original) for part, each in enumerate(found)]


_KINDS = "docs/import.md lists the kinds"
_READERS = (
    (re.compile(rb"\x89RPLAY|age-encryption\.org/v1"), "it is a cassette already: replay show"),
    (re.compile(rb'(?:interactions:|\s*\{\s*"(?:version|interactions)")'), "vcr's: replay import vcr"),
    (re.compile(rb'\s*\[?\s*\{"format": "agent-replay json'), "an export: replay import json"),
)


def _reader(original: bytes) -> str:
    """Who reads a file that isn't a transcript."""
    return next((told for form, told in _READERS if form.match(original)), _KINDS)


def _run(file: Path, part: int, found: Transcript | Trace, original: bytes) -> Run:
    if isinstance(found, Transcript):
        return Run(file, part, found.format, partial(write, replace(found, part=part), original=original))
    return Run(file, part, found.format, partial(trace, found.with_part(part), original=original))


def trace(found: Trace, path: Path, original: bytes = b"") -> int:
    """As `write`, of a trace."""
    name = " ".join(filter(None, [found.format, found.name]))
    more = {"tags": dict(found.tags)} | ({"trace": {"id": found.trace}} if found.trace else {})
    head = writing.head(found.format, name, original, found.part, **more)
    return writing.write(path, head, spans.events(found), spans.blind(found))


def otel(file: Path) -> list[Run]:
    """The traces in a file of OTLP JSON.

    Raises:
        CassetteMissing, CassetteUnreadable: the file. NotImportable: it is something else.
    """
    original = data(file)
    found = otlp.runs(original, documents(original))
    if not found:
        raise NotImportable(
            f"{file} isn't OTLP JSON, which has `resourceSpans`",
            hint="`replay import chat` reads other forms of traces",
        )
    return [_run(file, part, each, original) for part, each in enumerate(found)]


def write(transcript: Transcript, path: Path, original: bytes = b"") -> int:
    """A sealed cassette at `path`; how many events it has. `original`: the bytes of the file, for its digest.

    Raises:
        CassetteExists and what else `Writer.create` raises.
    """
    header = {
        "name": " ".join([transcript.format, *transcript.tags.values()]),
        "entry": {"type": ENTRY, "format": transcript.format},
        "imported": {"sha256": sha256(original).hexdigest(), "part": transcript.part},
        "tags": dict(transcript.tags),
    }
    writer = Writer.create(path, header, Redactor(entropy(16)))
    try:
        writer.lane(0, "m")
        _Events(writer, transcript).write()
        for what, detail, count in _blind(transcript):
            writer.blind(what, detail, None, count)
        writer.end({})
        writer.seal()
    finally:
        writer.close()
    return writer.events


class _Events:
    def __init__(self, writer: Writer, transcript: Transcript) -> None:
        self._writer = writer
        self._transcript = transcript
        self._declared = declared(transcript)
        self._asked = paired(transcript.turns)
        self._results = {call: place for place, call in self._asked.items()}
        self._window = bytearray()  # messages as JSON; each answer's window is this and two ends
        head: dict[str, Any] = {"model": transcript.model} if transcript.model else {}
        head |= {} if transcript.tools is None else {"tools": list(transcript.tools)}
        self._head = json.dumps(head | dict(transcript.parameters), ensure_ascii=False)[1:-1]

    def write(self) -> None:
        turns = self._transcript.turns
        for place, turn in enumerate(turns):
            if turn.role == "assistant":
                self._assistant(place, turn)
            elif turn.role == "tool" and place not in self._asked:
                name = turn.answers[1] or "(unknown tool)"
                self._tool(name, None, turn, {"message": turn.message, "call": None}, None)
                # of no call of a tool: a message that was said, as far as a model is concerned
                turn = replace(turn, role="user", agent=turn.answers[1], answers=(None, None))
            elif turn.role != "tool":
                source = {"message": turn.message, "call": None}
                self._event("entry", turn.role, "read", None, None, {"source": source}, turn.content)
            self._window += (b", " if self._window else b"") + _utf8(canonical(self._with_id(place, turn)))

    def _assistant(self, place: int, turn: Turn) -> None:
        meta = {"source": {"message": turn.message, "call": None}} | ({"agent": turn.agent} if turn.agent else {})
        prompt = self._transcript.prompts.get(turn.agent or "")
        head = "{" + (f"{self._head}, " if self._head else "") + '"messages": ['
        before = "" if prompt is None else canonical(Turn(-1, "system", prompt)) + (", " if self._window else "")
        body = b"".join((_utf8(head + before), self._window, b"]}"))
        said: dict[str, Any] = {"choices": [{"index": 0, "message": json.loads(canonical(turn))}]}
        if self._transcript.model:
            said["model"] = self._transcript.model
        response = {"body": _utf8(json.dumps(said, ensure_ascii=False))}
        name = self._transcript.model or "(unknown model)"
        decided = self._event("llm", name, "read", {"dialect": "openai.chat"}, body, meta, response)
        for number, call in enumerate(turn.calls):
            result = self._results.get((place, number))
            source = {"message": turn.message, "call": number}
            more = {**meta, "call_id": call.id, "links": {"decided_by": decided}}
            answer = None if result is None else self._transcript.turns[result]
            self._tool(call.name, call.arguments, answer, source, more)

    def _tool(
        self, name: str, arguments: Any, result: Turn | None, source: dict[str, Any], more: dict[str, Any] | None
    ) -> None:
        effect = self._declared.get(name) or guessed(name)
        meta = {**(more or {}), "source": source, "effect": "declared" if name in self._declared else "guessed"}
        if result is not None:
            meta["source"] = {**source, "result_message": result.message}
            self._event("tool", name, effect, arguments, None, meta, result.content)
        else:
            self._writer.call(0, "tool", name, effect, 0, None, arguments, None, None, meta)

    def _event(
        self, kind: str, name: str, effect: str, request: Any, body: bytes | None, meta: dict[str, Any], value: Any
    ) -> int:
        chain = "window", meta.get("agent")  # begins as that agent's last one did: only what is new is stored
        return self._writer.event(0, kind, name, effect, 0, None, request, body, chain, meta, 0, 0, value)

    def _with_id(self, place: int, turn: Turn) -> Turn:
        """A result names its call by the id that we gave it."""
        asked = self._asked.get(place)
        if asked is None:
            return turn
        call = self._transcript.turns[asked[0]].calls[asked[1]]
        return replace(turn, answers=(call.id, call.name))


def _utf8(text: str) -> bytes:
    """JSON may have halves of characters."""
    return text.encode("utf-8", "surrogatepass")


def _blind(transcript: Transcript) -> Iterator[tuple[str, str, int]]:
    for what, detail in _MISSING:
        yield what, detail, 1
    if transcript.model is None:
        yield "model", "the transcript doesn't name the model", 1
    if transcript.tools is None:
        yield "tools", "the transcript doesn't say which tools the model was offered", 1
    if not transcript.parameters:
        yield "parameters", "the transcript has no parameters of the model, such as its temperature", 1
    said = declared(transcript)
    used = Counter(call.name for turn in transcript.turns for call in turn.calls if call.name not in said)
    for name, count in sorted(used.items()):
        yield "effect", f"{name}: guessed from its name that it {guessed(name)}s", count
