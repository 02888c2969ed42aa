"""Trajectories of SWE-agent and mini-swe-agent.

    {"history": [{"role", "content", "message_type", …}], "trajectory": …}      SWE-agent
    {"trajectory_format": "mini-swe-agent-1", "messages": [...], "info": …}     mini-swe-agent, or its messages alone

Where the model has functions, messages are OpenAI's (results name `tool_call_ids`). Where it writes commands into its
text, the command is a call of `bash` and what the user says then, its observation, is the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from replay.interop.chat import Transcript, turns_of
from replay.semantics.loose import arr, obj, objs, string

_BLOCK: Final = re.compile(r"```(?:mswea_bash_command|bash)[ \t]*\n(.*?)\n?```", re.DOTALL)
_OBSERVED: Final = re.compile(r"\s*<(?:returncode|output|exception)>")
_TYPES: Final = frozenset(("system_prompt", "demonstration", "observation", "action", "thought", "user"))


def runs(_data: bytes, document: Any) -> list[Transcript]:
    """The one trajectory in a file."""
    run = obj(document)
    history = objs(run.get("history"))
    if any(string(message.get("message_type")) in _TYPES for message in history):
        seen = [message for message in history if not message.get("is_demo")] or history
        return [Transcript("swe-agent", tuple(turns_of(list(_normal(seen)))), model=_model(run))]
    messages = objs(document) or objs(run.get("messages"))
    named = str(run.get("trajectory_format", "")).startswith("mini-swe-agent")
    if named or any(_written(message) and "mswea_bash_command" in str(message.get("content")) for message in messages):
        return [Transcript("mini-swe-agent", tuple(turns_of(list(_normal(messages)))), model=_model(run))]
    return []


def _model(run: dict[str, Any]) -> str | None:
    config = obj(obj(run.get("info")).get("config"))
    return string(obj(config.get("model")).get("model_name"))


def _written(message: dict[str, Any]) -> str | None:
    """The command in an answer's text."""
    if message.get("role") != "assistant" or arr(message.get("tool_calls")):
        return None
    found = _BLOCK.findall(string(message.get("content")) or "")
    action = string(message.get("action"))
    return action.strip() if action and action.strip() else found[0] if len(found) == 1 else None


def _normal(messages: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    asked: str | None = None
    for place, message in enumerate(messages):
        role, text = message.get("role"), string(message.get("content")) or ""
        command = _written(message)
        ids = arr(message.get("tool_call_ids"))
        observed = message.get("message_type") == "observation" or _OBSERVED.match(text)
        if role == "assistant" and command is not None:
            asked = f"call_{place}_0"
            call = {"id": asked, "function": {"name": "bash", "arguments": {"command": command}}}
            yield {**message, "tool_calls": [call], "name": None}
            continue
        if role == "tool" and ids:
            yield {**message, "tool_call_id": ids[0]}
        elif role == "user" and asked is not None and observed:
            yield {**message, "role": "tool", "tool_call_id": asked, "name": "bash"}
        else:
            yield message
        asked = None
