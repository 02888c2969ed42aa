"""One sample: what the model does with a text in its window, or with that text masked. Two ways to take one.

`Rerun`: the program is executed again from the event that the text came from, with another outcome there
(`replay.fork`): all that the text did is gone, what the agent did about it before the decision, too. `Retold` does so
for texts that came from no event: they are masked in all that the model is told from the first time on. `Ask`: only the
model's call that decided is asked again, with the text masked in its request; what came between stays as it was. That
needs no program, so that imported transcripts have it, too.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final, Literal, NamedTuple, Protocol

from replay.cassette.cassette import load
from replay.forensics.influence import Source
from replay.forensics.trail import asked
from replay.fork import editing, models
from replay.fork.engine import execute
from replay.fork.plan import LIVE, RECORDED, Plan, Substitute
from replay.intervene.effect import Asked, Effect, shown
from replay.intervene.neutral import Mask, masked
from replay.model.errors import NotForkable
from replay.model.event import Event, Piece
from replay.semantics import LLMCall, ToolCall, read
from replay.semantics.loose import obj
from replay.semantics.wire import request_of

Kind = Literal["run", "one-step"]

_PROTOCOL: Final = frozenset("role type id name tool_call_id tool_use_id call_id cache_control status phase".split())
"""Fields of a message that aren't what it says."""


_kept: Final = count(1)


class Sample(NamedTuple):
    """`seen`: the call was made; None: nobody could tell, `why`. `instead`: what the model did."""

    seen: bool | None
    instead: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is to be masked of one text that the model had read. `texts`: None: all of it."""

    source: Source
    texts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a masked sample is given.

    Attributes:
        masks: what was masked, and by what. events, messages: where.
        outcomes: of events, for a `Rerun`. rewrites: texts of requests, for a `Retold`. body: a request, for an `Ask`.
    """

    masks: tuple[Mask, ...]
    events: tuple[int, ...] = ()
    messages: tuple[int | None, ...] = ()
    outcomes: Mapping[int, Substitute] = field(default_factory=dict[int, Substitute])
    body: bytes | None = None
    rewrites: Mapping[str, str] | None = None


class Way(Protocol):
    """How samples are taken."""

    kind: Kind

    def change(self, stretches: Sequence[Stretch]) -> Change | None:
        """With these masked; None where they don't stand there in a form that can be."""
        ...

    def sample(self, change: Change | None) -> Sample:
        """Take one; without a change: as it was."""
        ...


class Rerun:
    """The program, executed again from an event on.

    Args:
        path: of the recording. events: of it. start: the event that the text came from.
        decided: the answer that asked for the call; None where the program's code made it.
        keep: a directory for the recordings of executions; None: they are removed.

    Attributes:
        first: the first call of a model behind it; where there is none, the event itself.

    An execution that stops, or ends otherwise than with exit code 0, is judged if the call was made, or the model had
    answered as often as it had in the recording up to its decision. Other ones can't be.
    """

    kind: Kind = "run"

    def __init__(
        self,
        path: str,
        events: Sequence[Event],
        start: int,
        decided: int | None,
        effect: Effect,
        model: str,
        keep: str | None = None,
    ) -> None:
        self._path, self._events, self._start = path, events, start
        self._decided, self._effect, self._model = decided, effect, model
        self._keep = keep
        self._behind = start + 1
        self._count()

    def _count(self) -> None:
        behind = range(self._behind, (self._start if self._decided is None else self._decided) + 1)
        answers = [number for number in behind if read(self._events[number]) is not None]
        self._answers = len(answers)
        self.first = answers[0] if answers else self._start

    def change(self, stretches: Sequence[Stretch]) -> Change | None:
        masks: list[Mask] = []
        outcomes: dict[int, Substitute] = {}
        for stretch in stretches:
            number = stretch.source.event
            if number is None or number < self._start:
                continue
            event = self._events[number]
            try:
                document, found = masked(editing.document(event), stretch.texts)
                if found:
                    outcomes[number] = editing.substitute(event, document)
            except NotForkable:
                continue
            masks += found
        if self._start not in outcomes:
            return None
        return Change(tuple(dict.fromkeys(masks)), events=tuple(sorted(outcomes)), outcomes=outcomes)

    def sample(self, change: Change | None) -> Sample:
        """Raises: as `replay.fork.engine.execute`."""
        masks = "unmasked" if change is None else "masked"
        plan = self._plan(change)
        with tempfile.TemporaryDirectory(prefix="replay-intervene-") as scratch:
            out = os.path.join(scratch, "sample.cassette")
            if self._keep is not None:
                name = f"{self._start}-{masks}-{os.getpid()}-{next(_kept)}.cassette"
                out = os.path.join(self._keep, name)
            done = execute(plan, out, output="discard")
            if done.cassette is None:
                return Sample(None, why=done.reason)
            with load(done.cassette) as made:
                ended = (
                    "" if done.exit_code == 0 else done.reason or f"the program ended with exit code {done.exit_code}"
                )
                return self._judged([made.events[n] for n in range(self._behind, len(made.events))], ended)

    def _plan(self, change: Change | None) -> Plan:
        given: Mapping[int, Substitute] = {} if change is None else change.outcomes
        edits = [f"event {number}: masked" for number in given]
        return Plan(self._path, at=self._start, substitutes=given, then=self._model, edits=edits)

    def _judged(self, behind: Sequence[Event], reason: str) -> Sample:
        calls: list[Asked] = []
        text, answers = "", 0
        for event in behind:
            if self._decided is None and event.kind in ("tool", "mcp"):
                calls.append(asked(event))
            answer = read(event) if event.status != "open" else None
            if answer is not None:
                answers += 1
                calls += map(_asked, answer.tool_calls)
                text = answer.text or text
        instead = shown(calls, text)
        if self._effect.is_in(calls):
            return Sample(True, instead)
        decided = not reason or (self._answers and answers >= self._answers)
        return Sample(False, instead) if decided else Sample(None, why=reason)


class Retold(Rerun):
    """The program, executed again from the first of the model's calls that has the text, which the model isn't told.

    For texts that came from no event, such as what the program's code says: it goes on saying it.

    Args:
        ask: of the call that decided, where the text is masked. more: as for `Rerun`, without `start`.
        texts: strings of that request that are to be masked.
    """

    def __init__(self, path: str, events: Sequence[Event], ask: Ask, texts: Collection[str], *more: Any) -> None:
        first = next(n for n, event in enumerate(events) if n == more[0] or _has(event, texts))
        super().__init__(path, events, first, *more)
        self._ask = ask
        self._behind = first
        self._count()

    def change(self, stretches: Sequence[Stretch]) -> Change | None:
        return self._ask.change(stretches)

    def _plan(self, change: Change | None) -> Plan:
        asked_anew: Mapping[str, str] | None = {} if self._model != RECORDED else None
        texts = asked_anew if change is None else change.rewrites
        edits = [] if change is None else ["masked in what the model is told"]
        return Plan(self._path, at=self._start, rewrites=texts, then=self._model, edits=edits)


class Ask:
    """The model's call that decided, asked again.

    Args:
        event: of the call. effect, model: as for `Rerun`.
    """

    kind: Kind = "one-step"

    def __init__(self, event: Event, effect: Effect, model: str) -> None:
        self._event, self._effect, self._model = event, effect, model
        self._call = read(event)
        self._request = request_of(event)

    def change(self, stretches: Sequence[Stretch]) -> Change | None:
        if self._call is None or not self._request:
            return None
        request: Any = self._request
        masks: list[Mask] = []
        messages: list[int | None] = []
        for stretch in stretches:
            found: list[Mask] = []
            request = _in_window(request, self._call, stretch, found)
            if found:
                messages.append(stretch.source.message)
            elif stretch is stretches[0]:
                return None
            masks += found
        body = json.dumps(request, ensure_ascii=False).encode()
        texts = {old: new for old, new in zip(_strings(self._request), _strings(request), strict=True) if old != new}
        return Change(tuple(dict.fromkeys(masks)), (), tuple(dict.fromkeys(messages)), body=body, rewrites=texts)

    def sample(self, change: Change | None) -> Sample:
        if self._model == RECORDED:
            if change is None:
                return self._judged(self._event)
            return Sample(None, why="no recording has an answer to the request with that masked")
        body = json.dumps(self._request, ensure_ascii=False).encode() if change is None else change.body
        question = {"kind": self._event.kind, "name": self._event.name, "request": self._event.request, "body": body}
        if self._model == LIVE:
            if "url" not in obj(self._event.request):
                return Sample(None, why="a transcript doesn't say where the model is: --model PROGRAM asks it for you")
            if "<redacted:" in json.dumps(question["request"], default=str):
                return Sample(None, why="credentials aren't kept in recordings: --model PROGRAM asks the model for you")
            found = models.ask_live(question)
        else:
            found = models.ask_program(self._model, question)
        if "problem" in found:
            return Sample(None, why=str(found["problem"]))
        pieces = (*(Piece(0, "piece", each) for each in found.get("pieces", ())), Piece(0, "end", None))
        return self._judged(
            replace(self._event, body=body, status="streamed", response=found["value"], pieces=pieces, error=None)
        )

    def _judged(self, event: Event) -> Sample:
        answer = read(event)
        if answer is None:
            return Sample(None, why=f"event {event.id} isn't a call of a model that can be read")
        if answer.error is not None or not answer.output:
            said = answer.error.message if answer.error is not None else "; ".join(answer.warnings) or "no answer"
            return Sample(None, why=f"the model's answer: {said}")
        calls = list(map(_asked, answer.tool_calls))
        return Sample(self._effect.is_in(calls), shown(calls, answer.text))


def _asked(call: ToolCall) -> Asked:
    return call.name, call.arguments if call.parsed is None else call.parsed


def _in_window(request: Any, call: LLMCall, stretch: Stretch, found: list[Mask]) -> Any:
    """The request with that masked in the message, or the part of it, that is meant."""
    source = stretch.source
    if source.message is None:
        return _at(request, [part.raw for part in call.system], lambda node: _said(node, stretch.texts, found))
    message = call.messages[source.message]
    results = [part for part in message.parts if part.type == "tool_call_response"]
    if source.role != "tool" or not results:
        return _at(request, [message.raw], lambda node: _said(node, stretch.texts or (source.text,), found))
    if len(results) > 1:
        results = [part for part in results if masked(part.content, [source.text])[1]] or results

    def result(node: Any) -> Any:
        contents = [part.content for part in results]
        return {key: _said(each, stretch.texts, found) if each in contents else each for key, each in node.items()}

    return _at(request, [part.raw for part in results], result)


def _said(node: Any, texts: Sequence[str] | None, found: list[Mask]) -> Any:
    made, masks = masked(node, texts, keep=_PROTOCOL if isinstance(node, (dict, list)) else frozenset())
    found += masks
    return made


def _strings(value: Any) -> Iterator[str]:
    """All strings of a document, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        for each in inner:  # pyright: ignore[reportUnknownVariableType]
            yield from _strings(each)


def _has(event: Event, texts: Collection[str]) -> bool:
    """Whether it is a model's call that is told one of these."""
    return read(event) is not None and any(text in texts for text in _strings(request_of(event)))


def _at(node: Any, wanted: Sequence[Any], by: Callable[[Any], Any]) -> Any:
    """A document, with the nodes that equal one of these changed."""
    if any(each == node and each not in (None, "") for each in wanted):
        return by(node)
    if isinstance(node, dict):
        return {key: _at(each, wanted, by) for key, each in node.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(node, list):
        return [_at(each, wanted, by) for each in node]  # pyright: ignore[reportUnknownVariableType]
    return node
