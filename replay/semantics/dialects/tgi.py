"""Hugging Face text generation inference (`POST /`, `/generate`, `/generate_stream`): `inputs` in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Part, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.loose import number, obj, string, without
from replay.semantics.wire import Frame


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """The path says little (it may be `/`): the body has to have text in `inputs` and an object in `parameters`."""
    known = path.endswith(("/generate", "/generate_stream")) or path == ""
    return known and isinstance(body.get("inputs"), str) and isinstance(body.get("parameters"), dict)


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half: one user message; the endpoint serves one model and doesn't name it."""
    text = string(body.get("inputs")) or ""
    return Asked(
        model=string(body.get("model")),
        messages=(Message("user", (Part("text", text, raw=text),), raw=text),),
        params={**obj(body.get("parameters")), **without(body, ("inputs", "parameters", "model", "stream"))},
        stream=body.get("stream") is True or path.endswith("_stream"),
    )


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half."""
    text, details = string(whole.get("generated_text")), obj(whole.get("details"))
    reason = string(details.get("finish_reason"))
    output = () if text is None else (Message("assistant", (Part("text", text, raw=text),), reason, whole),)
    return Answered(output=output, usage=Usage(output=number(details.get("generated_tokens")), raw=details or None))


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Tokens joined, until the last frame brings the whole text. `POST /` answers with a list of one such frame."""
    text = ""
    whole: dict[str, Any] = {}
    for frame in (obj(frame.data) for frame in frames):
        token = obj(frame.get("token"))
        if token.get("special") is not True:
            text += string(token.get("text")) or ""
        whole |= {key: value for key, value in frame.items() if value is not None}
    complete = string(whole.get("generated_text")) is not None
    return Assembled(whole if complete else {**whole, "generated_text": text}, complete)


DIALECT = Dialect("tgi.generate", "huggingface", "text_completion", speaks, ask, answer, assemble)
