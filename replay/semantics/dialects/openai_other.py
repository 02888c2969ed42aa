"""The OpenAI endpoints beside chat that agents use: completions and embeddings (Mistral's have the same shape)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Part
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.dialects import openai_chat
from replay.semantics.loose import arr, dumps, number, obj, objs, string, without
from replay.semantics.wire import Frame


def speaks_completions(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `prompt`."""
    return path.endswith("/completions") and "prompt" in body


def speaks_embeddings(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `input`."""
    return path.endswith("/embeddings") and "input" in body


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half of both: each prompt or text is one user message; token ids are kept as JSON text."""
    given = body.get("prompt", body.get("input"))
    one = not arr(given) or any(number(item) is not None for item in arr(given))
    texts = [string(item) or dumps(item) for item in ([given] if one else arr(given))]
    asked = openai_chat.ask(path, body)
    return Asked(
        model=asked.model,
        messages=tuple(Message("user", (Part("text", text, raw=text),), raw=text) for text in texts),
        params=without(asked.params, ("prompt", "input")),
        stream=asked.stream,
    )


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half. Vectors are parts of type `embedding`, as the wire has them (floats, or base64 text)."""
    base = openai_chat.answer(whole)
    output = [
        Message("assistant", (Part("text", string(c.get("text")) or "", raw=c),), string(c.get("finish_reason")), c)
        for c in objs(whole.get("choices"))
    ]
    output += [
        Message("assistant", (Part("embedding", d.get("embedding"), raw=d),), raw=d) for d in objs(whole.get("data"))
    ]
    return Answered(base.model, tuple(output), base.usage, base.response_id)


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Texts joined per choice; complete at `[DONE]`."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in (obj(frame.data) for frame in frames):
        whole.update({key: value for key, value in chunk.items() if value is not None})
        for new in objs(chunk.get("choices")):
            old = choices.setdefault(number(new.get("index")) or 0, {"text": ""})
            text = old["text"] + (string(new.get("text")) or "")
            old.update({key: value for key, value in new.items() if value is not None})
            old["text"] = text
    whole["choices"] = [choices[index] for index in sorted(choices)]
    return Assembled(whole, any(frame.event == "[DONE]" for frame in frames))


COMPLETIONS = Dialect("openai.completions", "openai", "text_completion", speaks_completions, ask, answer, assemble)
EMBEDDINGS = Dialect("openai.embeddings", "openai", "embeddings", speaks_embeddings, ask, answer, assemble)
