"""ATIF, the Agent Trajectory Interchange Format (v1.0 to v1.7): steps of a user, a system and an agent.

    {"schema_version": "ATIF-v1.4", "agent": {"name", "version", "model_name", "tool_definitions"?}, "steps": [
      {"step_id": 1, "source": "user" | "system" | "agent", "message", "reasoning_content"?, "model_name"?,
       "tool_calls": [{"tool_call_id", "function_name", "arguments"}],
       "observation": {"results": [{"source_call_id"?, "content"}]}}]}

A step's results are messages of a tool behind it: their position is that of the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from replay.interop.chat import Asked, Transcript, Turn, content_of
from replay.semantics.loose import arr, obj, objs, string


def runs(_data: bytes, document: Any) -> list[Transcript]:
    """The one trajectory in a file."""
    run = obj(document)
    if not str(run.get("schema_version", "")).startswith("ATIF-"):
        return []
    agent = obj(run.get("agent"))
    tools = objs(agent.get("tool_definitions")) if isinstance(agent.get("tool_definitions"), list) else None
    name = string(agent.get("name"))
    return [
        Transcript(
            "atif",
            tuple(turn for place, step in enumerate(objs(run.get("steps"))) for turn in _turns(place, step, name)),
            model=string(agent.get("model_name")),
            tools=None if tools is None else tuple(tools),
            tags={} if name is None else {"agent": name},
        )
    ]


def _turns(place: int, step: dict[str, Any], agent: str | None) -> Iterator[Turn]:
    source, content = step.get("source"), content_of(step.get("message"))
    results = objs(obj(step.get("observation")).get("results"))
    if source == "agent":
        calls = tuple(
            Asked(
                string(call.get("tool_call_id")) or f"call_{place}_{position}",
                string(call.get("function_name")) or "",
                call.get("arguments"),
            )
            for position, call in enumerate(objs(step.get("tool_calls")))
        )
        yield Turn(place, "assistant", content, agent, calls, reasoning=string(step.get("reasoning_content")))
    elif content or not results:
        yield Turn(place, "system" if source == "system" else "user", content)
    for result in results:
        answers = string(result.get("source_call_id")), None
        body = result.get("content")
        yield Turn(place, "tool", content_of(arr(body) if isinstance(body, list) else body), answers=answers)
