"""OpenAI realtime (Azure's and Voice Live's too): JSON messages over a websocket; items are those of responses.

A call is one response of the model: what it had read by then (the session's instructions and tools, the items of the
conversation) and what came from `response.created` to `response.done`. Speech is read as its transcript; the sound
itself stays in the recorded messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.dialect import Asked, Assembled, Dialect
from replay.semantics.dialects import openai_responses
from replay.semantics.loose import obj, string
from replay.semantics.session import Turn
from replay.semantics.wire import Frame

_PATH = "/realtime"
_ITEMS = ("conversation.item.created", "conversation.item.added", "conversation.item.done")


class Session:
    """The state of one connection, as far as the model reads it."""

    def __init__(self) -> None:
        self._settings: dict[str, Any] = {}
        self._items: dict[str, dict[str, Any]] = {}
        self._unacknowledged: list[dict[str, Any]] = []
        self._asked: dict[str, Any] = {}
        self._frames: list[Frame] = []
        self._written: set[str] = set()

    def sent(self, message: Mapping[str, Any]) -> None:
        """A message of the program."""
        match message.get("type"):
            case "session.update":
                self._settings |= obj(message.get("session"))
            case "conversation.item.create":
                self._unacknowledged.append(obj(message.get("item")))
            case "response.create":
                self._asked = obj(message.get("response"))
            case _:
                pass  # sound, mostly

    def received(self, message: Mapping[str, Any]) -> Turn | None:
        """A message of the model; the turn that it ends."""
        kind, item = string(message.get("type")) or "", obj(message.get("item"))
        if kind in ("session.created", "session.updated"):
            self._settings |= obj(message.get("session"))
        elif kind in _ITEMS:
            self._keep(item)
        elif kind == "conversation.item.input_audio_transcription.completed":
            self._heard(string(message.get("item_id")) or "", string(message.get("transcript")))
        elif kind.startswith("response.") or (kind == "error" and self._frames):
            self._frames.append(Frame(kind, dict(message)))
            if kind == "response.output_item.added":
                self._written.add(string(item.get("id")) or "")
        return self.end() if kind == "response.done" else None

    def end(self) -> Turn | None:
        """The turn under way, when the connection ends in the middle of it."""
        if not self._frames:
            return None
        given = [item for name, item in self._items.items() if name not in self._written]
        request = {**self._settings, **self._asked, "input": [*given, *self._unacknowledged]}
        turn = Turn(_PATH, request, tuple(self._frames))
        self._frames, self._asked = [], {}
        self._written.clear()
        return turn

    def _keep(self, item: dict[str, Any]) -> None:
        """An item as the conversation has it; those that the program sent come back, with an id."""
        name = string(item.get("id")) or ""
        known = self._items.get(name, {})
        if not known and name not in self._written:
            what = (item.get("type"), item.get("role"))
            sent = next((s for s in self._unacknowledged if (s.get("type"), s.get("role")) == what), None)
            if sent is not None:
                self._unacknowledged.remove(sent)
                known = sent
        self._items[name] = {**known, **{key: value for key, value in item.items() if value not in (None, [])}}

    def _heard(self, name: str, transcript: str | None) -> None:
        item = self._items.get(name, {"id": name, "type": "message", "role": "user"})
        self._items[name] = {**item, "content": [{"type": "input_audio", "transcript": transcript}]}


def begins(message: Mapping[str, Any]) -> bool:
    """Is this a first message of this wire, of either side?"""
    kind = string(message.get("type")) or ""
    return kind in ("session.created", "session.update", "session.updated", "response.create") or kind.startswith(
        ("conversation.item.", "input_audio_buffer.")
    )


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """Only turns are read with this."""
    return path == _PATH and "input" in body


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half; it always streams."""
    asked = openai_responses.ask(path, body)
    return Asked(asked.model, asked.messages, asked.system, asked.tools, asked.params, stream=True)


def assemble(frames: Sequence[Frame]) -> Assembled:
    """As of responses; why a response failed is in its `status_details`."""
    assembled = openai_responses.assemble(frames)
    failed = obj(assembled.whole.get("status_details")).get("error")
    whole = assembled.whole | ({"error": failed} if failed else {})
    return Assembled(whole, assembled.complete)


DIALECT = Dialect(
    "openai.realtime", "openai", "chat", speaks, ask, openai_responses.answer, assemble, session=(begins, Session)
)
