"""What a model is told behind a fork point in place of what the program says. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from replay.semantics import loose

_MESSAGES: Final = ("messages", "input", "contents")
"""Where requests of the known models have them."""


def with_prompt(body: bytes, prompt: tuple[str, str]) -> bytes:
    """A model's request in JSON, in which the last message of that role says something else.

    A `system` prompt may also stand in `system` or `instructions`; what can't be found is added in front.
    """
    role, text = prompt
    try:
        read: Any = json.loads(body)
    except ValueError:
        return body
    request = loose.obj(read)
    for name in ("system", "instructions") if role == "system" else ():
        if name in request:
            request[name] = text
            return json.dumps(request).encode()
    messages: Any = next((request[name] for name in _MESSAGES if name in request), None)
    if isinstance(messages, str) and role == "user":
        request["input"] = text
    elif isinstance(messages, list):
        same = [each for each in loose.objs(messages) if each.get("role") == role]  # pyright: ignore[reportUnknownArgumentType]
        if not same:
            request[next(name for name in _MESSAGES if name in request)] = [{"role": role, "content": text}, *messages]
        elif "parts" in same[-1]:
            same[-1]["parts"] = [{"text": text}]
        else:
            same[-1]["content"] = text
    return json.dumps(request).encode()


def rewritten(body: bytes, texts: Mapping[str, str]) -> bytes:
    """A request in JSON, in which whole strings say something else.

    Example:
        >>> rewritten(b'{"messages": [{"content": "a"}, {"content": "ab"}]}', {"a": "x"})
        b'{"messages": [{"content": "x"}, {"content": "ab"}]}'
    """
    try:
        return json.dumps(_rewritten(json.loads(body), texts), ensure_ascii=False).encode()
    except ValueError:
        return body


def _rewritten(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _rewritten(each, texts) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_rewritten(each, texts) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return texts.get(value, value) if isinstance(value, str) else value
