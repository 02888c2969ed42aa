"""What came back at an event, as something that can be taken apart, mixed and given again. Pure.

| answered | what is taken apart |
|---|---|
| a value | the value |
| an HTTP response, whole or in pieces, not compressed | its head with `body`: the bytes of all pieces |
| a stream of values | the list of them |
| a file's content | the content; size and digest follow it |
| an error, a compressed body, a stream of server-sent events, one that broke off | nothing: it is one difference |
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from replay.bisect.spans import Chosen, Span, mix, spans
from replay.model.event import Event, PieceStatus, Status

Form = Literal["value", "http", "pieces", "content", "whole"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of an event.

    Attributes:
        value: the response, or the head of a stream; of a failure the storable form of the exception.
        pieces: of a stream. content: the large part of the response.
    """

    status: Status
    value: Any
    pieces: tuple[tuple[PieceStatus, Any], ...] = ()
    content: bytes | None = None


def answer_of(event: Event) -> Answer:
    """What came back at that event."""
    value = event.response if event.error is None else event.error.value
    return Answer(event.status, value, tuple((piece.status, piece.value) for piece in event.pieces), event.content)


@dataclass(frozen=True, slots=True)
class Both:
    """Two answers to one request, and where they differ.

    Example:
        both = Both.of(answer_of(a), answer_of(b), kind="tool", parts=True, first=0)
        both.mixed(frozenset([0]))      # a's answer with the first difference as in b
    """

    good: Answer
    bad: Answer
    form: Form
    span: Span

    @classmethod
    def of(cls, good: Answer, bad: Answer, *, kind: str, parts: bool, first: int) -> Both:
        """Args: kind of the events; whether to take them apart; the number of the first difference."""
        forms = _form(good, kind), _form(bad, kind)
        form: Form = forms[0] if parts and forms[0] == forms[1] else "whole"
        one, other = _readable(good, form), _readable(bad, form)
        if repr(one) == repr(other):  # it differs in how it came
            form = "whole"
            one, other = _readable(good, form), _readable(bad, form)
        return cls(good, bad, form, spans(one, other, first=first, whole=form == "whole"))

    def mixed(self, chosen: Chosen) -> Answer:
        """The good answer, with those differences as in the bad one."""
        here = chosen & self.span.numbers
        if not here:
            return self.good
        if here == self.span.numbers:
            return self.bad
        return _answer(mix(self.span, here), self.form, self.good)


def _form(answer: Answer, kind: str) -> Form:
    if answer.content is not None:
        return "content"
    if answer.status == "done":
        return "value"
    if answer.status != "streamed" or any(status == "error" for status, _ in answer.pieces):
        return "whole"
    if kind != "http":
        return "pieces"
    head = answer.value
    named = {str(name).lower(): str(value) for name, value in head["headers"]} if isinstance(head, dict) else {}
    streams = "event-stream" in named.get("content-type", "") or "content-encoding" in named
    return "whole" if streams or not isinstance(head, dict) else "http"


def _given(answer: Answer) -> list[Any]:
    return [value for status, value in answer.pieces if status == "piece"]


def _readable(answer: Answer, form: Form) -> Any:
    match form:
        case "value":
            return answer.value
        case "http":
            return {**answer.value, "body": b"".join(_given(answer))}
        case "pieces":
            return _given(answer)
        case "content":
            return answer.content
        case "whole":
            given = _given(answer)
            body = b"".join(given) if given and all(isinstance(piece, bytes) for piece in given) else given
            more = {"pieces": body, "content": answer.content}
            shown = {name: value for name, value in more.items() if value}
            return {"value": answer.value, **shown} if shown else answer.value


def _answer(value: Any, form: Form, like: Answer) -> Answer:
    match form:
        case "http":
            head = {name: part for name, part in value.items() if name != "body"}
            return Answer(like.status, head, _ended([value["body"]] if value["body"] else [], like))
        case "pieces":
            return Answer(like.status, like.value, _ended(value, like))
        case "content":
            facts = {**like.value, "size": len(value), "sha256": sha256(value).hexdigest()}
            return Answer(like.status, facts, content=value)
        case _:
            return Answer(like.status, value)


def _ended(values: Sequence[Any], like: Answer) -> tuple[tuple[PieceStatus, Any], ...]:
    """These pieces, and then what came behind the last one of the other answer."""
    rest = [piece for piece in like.pieces if piece[0] != "piece"]
    return (*(("piece", value) for value in values), *rest)
