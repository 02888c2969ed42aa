"""Gemini Live (`BidiGenerateContent`): JSON messages over a websocket; contents and parts are Gemini's.

A call is one turn of the model: it ends with `turnComplete`, or with function calls that wait for their results. Speech
is read as its transcript where the session asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.dialect import Assembled, Dialect
from replay.semantics.dialects import gemini
from replay.semantics.loose import obj, objs, string, without
from replay.semantics.session import Turn
from replay.semantics.wire import Frame

_METHOD = ":BidiGenerateContent"


class Session:
    """The state of one connection, as far as the model reads it."""

    def __init__(self) -> None:
        self._setup: dict[str, Any] = {}
        self._contents: list[dict[str, Any]] = []
        self._frames: list[Frame] = []

    def sent(self, message: Mapping[str, Any]) -> None:
        """A message of the program; both spellings of fields occur."""
        self._setup |= obj(message.get("setup"))
        self._contents += objs(_either(message, "clientContent", "client_content").get("turns"))
        spoken = string(_either(message, "realtimeInput", "realtime_input").get("text"))
        if spoken:
            self._contents.append({"role": "user", "parts": [{"text": spoken}]})
        answered = _either(message, "toolResponse", "tool_response")
        results = objs(answered.get("functionResponses", answered.get("function_responses")))
        if results:
            self._contents.append({"role": "user", "parts": [{"functionResponse": result} for result in results]})

    def received(self, message: Mapping[str, Any]) -> Turn | None:
        """A message of the model; the turn that it ends."""
        content = obj(message.get("serverContent"))
        heard = string(obj(content.get("inputTranscription")).get("text"))
        if heard:
            self._contents.append({"role": "user", "parts": [{"text": heard}]})
        if content or "toolCall" in message or "usageMetadata" in message:
            self._frames.append(Frame("", dict(message)))
        done = content.get("turnComplete") is True or "toolCall" in message
        return self.end() if done else None

    def end(self) -> Turn | None:
        """The turn under way, when the connection ends in the middle of it."""
        if not self._frames:
            return None
        model = (string(self._setup.get("model")) or "").rpartition("/")[2]
        request = {**without(self._setup, ("model",)), "contents": list(self._contents)}
        turn = Turn(f"/{model}{_METHOD}", request, tuple(self._frames))
        self._contents += [obj(c.get("content")) for c in objs(assemble(turn.frames).whole.get("candidates"))]
        self._frames = []
        return turn


def _either(message: Mapping[str, Any], camel: str, snake: str) -> dict[str, Any]:
    return obj(message.get(camel, message.get(snake)))


def begins(message: Mapping[str, Any]) -> bool:
    """The first message sets the session up."""
    return isinstance(message.get("setup"), dict)


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """Only turns are read with this."""
    return path.endswith(_METHOD) and "contents" in body


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Parts in a row; transcripts and neighbouring texts joined."""
    parts: list[dict[str, Any]] = []
    whole: dict[str, Any] = {}
    complete, reason = False, None
    for message in (obj(frame.data) for frame in frames):
        content = obj(message.get("serverContent"))
        written = objs(obj(content.get("modelTurn")).get("parts"))
        spoken = string(obj(content.get("outputTranscription")).get("text"))
        written += [{"text": spoken}] if spoken else []
        written += [{"functionCall": call} for call in objs(obj(message.get("toolCall")).get("functionCalls"))]
        for part in written:
            gemini.append(parts, part)
        if "usageMetadata" in message:
            whole["usageMetadata"] = message["usageMetadata"]
        complete = complete or content.get("turnComplete") is True or "toolCall" in message
        reason = "INTERRUPTED" if content.get("interrupted") is True else reason
    if complete and reason is None:
        reason = "TOOL_CALL" if any("functionCall" in part for part in parts) else "STOP"
    whole["candidates"] = [{"content": {"role": "model", "parts": parts}, "finishReason": reason}]
    return Assembled(whole, complete)


DIALECT = Dialect(
    "gemini.live",
    "gcp.gemini",
    "generate_content",
    speaks,
    gemini.ask,
    gemini.answer,
    assemble,
    session=(begins, Session),
)
