"""Transcripts of conversations with tools, however they were written down, read as runs of turns. Pure.

Known by what is in them, not by their names:

    {"messages": [...]}, or that list, or lines   OpenAI's or Anthropic's messages, by their content
    {"messages": [...], "pipeline_name": …}       AgentDojo: a call is {"function": name, "args": {…}}
    [{"traj": [...]}, …]                          tau-bench: OpenAI's messages
    {"history": [...], "question": …}             Who&When: every message is an agent's

Only what an agent or its model could have seen is taken: the fields named here. What somebody wrote about the run later
(verdicts, labels, the attack that was tried, who made the mistake) stays outside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from replay.semantics.loose import arr, dumps, loads, obj, objs, string

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A tool call that an assistant's message makes. `arguments`: an object, or the text where it is none."""

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Turn:
    """A message, or a tool's result in one.

    Attributes:
        message: its position in the original. agent: who said it, where the transcript says.
        content: its text, or a list of parts as OpenAI has them.
        calls: of an assistant. answers: of a tool's result: the id and the name of the call, as far as they are said.
    """

    message: int
    role: Role
    content: Any
    agent: str | None = None
    calls: tuple[Asked, ...] = ()
    answers: tuple[str | None, str | None] = (None, None)
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """One run.

    Attributes:
        format: `messages`, `agentdojo`, `tau-bench` or `who-and-when`.
        part: its position in the file, which may have several.
        model: as the transcript names it. tools: what the model was offered, as OpenAI has them; None: not said.
        prompts: of each agent, where these aren't messages. tags: what the run was about.
        parameters: temperature and the like.
    """

    format: str
    turns: tuple[Turn, ...]
    part: int = 0
    model: str | None = None
    tools: tuple[dict[str, Any], ...] | None = None
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


_TAGS = {"suite_name": "suite", "user_task_id": "task", "task_id": "task", "trial": "trial", "question_ID": "task"}
"""Fields that say what the run was about."""

PARAMETERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "tool_choice", "stop")


def transcripts(data: bytes) -> list[Transcript]:
    """All runs in a file; empty where it has none that is known.

    Example:
        >>> [run.format for run in transcripts(b'[{"role": "user", "content": "hello"}]')]
        ['messages']
    """
    whole = documents(data)
    found = [run for run in map(_transcript, _runs(whole)) if run is not None and run.turns]
    return [replace(run, part=number) for number, run in enumerate(found)]


def documents(data: bytes) -> Any:
    """The JSON in a file: of lines a list, in which lines that aren't a JSON object or array are None."""
    whole = loads(data)
    if whole is not None:
        return whole
    lines = filter(None, map(bytes.strip, data.splitlines()))
    return [loads(line) if line[0] in b"{[" else None for line in lines]


def _runs(whole: Any) -> list[Any]:
    """A list of messages is one run, a list of anything else has one in each."""
    return [whole] if not isinstance(whole, list) or (objs(whole) and "role" in objs(whole)[0]) else arr(whole)


def _transcript(document: Any) -> Transcript | None:
    if isinstance(document, list):
        return Transcript("messages", tuple(turns_of(objs(document))))
    run = obj(document)
    tags = {name: str(run[key]) for key, name in _TAGS.items() if isinstance(run.get(key), (str, int))}
    if isinstance(run.get("history"), list):
        prompts = {agent: text for agent, text in obj(run.get("system_prompt")).items() if isinstance(text, str)}
        return Transcript("who-and-when", tuple(_said(objs(run["history"]))), prompts=prompts, tags=tags)
    messages = objs(run.get("messages", run.get("traj")))
    kind = "tau-bench" if "traj" in run else "agentdojo" if "pipeline_name" in run else "messages"
    system = run.get("system")
    before = [] if system is None else [Turn(-1, "system", content_of(system))]
    tools = tuple(map(_tool, objs(run["tools"]))) if isinstance(run.get("tools"), list) else None
    return Transcript(
        kind,
        (*before, *turns_of(messages)),
        model=string(run.get("model")) or string(run.get("pipeline_name")),
        tools=tools,
        tags=tags,
        parameters={name: run[name] for name in PARAMETERS if name in run},
    )


def _tool(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's as OpenAI's; what else it says (annotations, an effect) stays."""
    if "input_schema" not in raw:
        return dict(raw)
    about = {"name": raw.get("name"), "description": raw.get("description"), "parameters": raw["input_schema"]}
    rest = {key: value for key, value in raw.items() if key not in ("name", "description", "input_schema")}
    return {**rest, "type": "function", "function": about}


_ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system", "assistant": "assistant", "model": "assistant", "ai": "assistant",
    "tool": "tool", "function": "tool",
}  # fmt: skip


def turns_of(messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    for place, raw in enumerate(messages):
        role = _ROLES.get(string(raw.get("role")) or "", "user")
        blocks = objs(raw.get("content"))
        agent = string(raw.get("name")) if role == "assistant" else None
        if role == "tool":
            yield _result(place, raw)
            continue
        for block in blocks:
            if block.get("type") == "tool_result":
                answers = string(block.get("tool_use_id")), None
                yield Turn(place, "tool", content_of(block.get("content")), answers=answers)
        content = content_of(raw.get("content"))
        calls = tuple(_calls(place, raw, blocks)) if role == "assistant" else ()
        if content or role == "assistant" or not any(block.get("type") == "tool_result" for block in blocks):
            yield Turn(place, role, content, agent, calls, reasoning=_reasoning(raw, blocks))


def _result(place: int, raw: Mapping[str, Any]) -> Turn:
    """AgentDojo repeats the call in its result, and has an error apart."""
    name = string(raw.get("name")) or string(obj(raw.get("tool_call")).get("function"))
    said, failed = content_of(raw.get("content")), string(raw.get("error"))
    return Turn(place, "tool", failed if failed and not said else said, answers=(string(raw.get("tool_call_id")), name))


def _calls(place: int, raw: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]) -> Iterator[Asked]:
    old = [{"function": raw["function_call"]}] if obj(raw.get("function_call")) else []
    for position, call in enumerate([*objs(raw.get("tool_calls")), *old]):
        inner = obj(call.get("function"))
        name = string(call.get("function")) or string(inner.get("name")) or ""
        given = call["args"] if "args" in call else inner.get("arguments")
        yield _asked(place, position, call.get("id"), name, given)
    for position, block in enumerate(block for block in blocks if block.get("type") == "tool_use"):
        yield _asked(place, position, block.get("id"), string(block.get("name")) or "", block.get("input"))


def _asked(place: int, position: int, known: Any, name: str, given: Any) -> Asked:
    read: Any = loads(given) if isinstance(given, str) else given
    arguments: Any = obj(read) if isinstance(read, dict) else {} if given in (None, "") else given
    return Asked(string(known) or f"call_{place}_{position}", name, arguments)


def _reasoning(raw: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]) -> str | None:
    thought = [string(block.get("thinking")) or "" for block in blocks if block.get("type") == "thinking"]
    return string(raw.get("reasoning_content")) or "\n".join(filter(None, thought)) or None


_PASSED = ("text", "image_url", "input_audio", "file", "refusal")


def content_of(value: Any) -> Any:
    """A text where it is nothing else, otherwise parts as OpenAI has them; what a part is besides, by its type."""
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        return dumps(value)
    parts: list[dict[str, Any]] = []
    for raw in arr(value):
        kind = string(obj(raw).get("type")) or "text"
        if kind in ("tool_use", "tool_result", "thinking", "redacted_thinking"):
            continue
        text = raw if isinstance(raw, str) else string(obj(raw).get("text")) or string(obj(raw).get("content"))
        if text is not None:
            parts.append({"type": "text", "text": text})
        else:
            parts.append(obj(raw) if kind in _PASSED else {"type": "text", "text": f"[{kind}]"})
    if all(part.get("type") == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


_EXECUTORS = ("computer_terminal", "computerterminal")
"""Who runs code in the teams of AutoGen: no model, but a tool that isn't called by its name."""


def _said(history: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    """Of a team: the first message is the task; `Orchestrator (-> WebSurfer)` is the Orchestrator."""
    for place, raw in enumerate(history):
        role, content = string(raw.get("role")) or "", content_of(raw.get("content"))
        agent = string(raw.get("name")) or role.partition(" (")[0]
        if place == 0 or role == "human":
            yield Turn(place, "user", content)
        elif agent.lower() in _EXECUTORS:
            yield Turn(place, "tool", content, answers=(None, agent))
        else:
            yield Turn(place, "assistant", content, agent)


_READS = frozenset(
    "get read search list find fetch check show look lookup view query describe count calculate compute think retrieve "
    "is has browse open inspect select".split()
)
"""Verbs of tools that only ask, where nobody says what a tool does. Everything else is taken to change something."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def guessed(name: str) -> Literal["read", "write"]:
    """What a tool does, by the first word of its name.

    Example:
        >>> guessed("get_balance"), guessed("sendMoney")
        ('read', 'write')
    """
    words = _WORD.findall(name)
    return "read" if words and words[0].lower() in _READS else "write"


def declared(transcript: Transcript) -> dict[str, Literal["read", "write"]]:
    """Effects that the tools themselves name: `effect`, or MCP's `readOnlyHint`."""
    found: dict[str, Literal["read", "write"]] = {}
    for tool in transcript.tools or ():
        inner = obj(tool.get("function"))
        hint = obj(tool.get("annotations")).get("readOnlyHint")
        effect = tool.get("effect", inner.get("effect"))
        name = string(inner.get("name")) or string(tool.get("name")) or ""
        if effect in ("read", "write"):
            found[name] = effect
        elif isinstance(hint, bool):
            found[name] = "read" if hint else "write"
    return found


def canonical(turn: Turn) -> str:
    """A turn as OpenAI has it in a request, as JSON text."""
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.agent is not None:
        message["name"] = turn.agent
    if turn.reasoning is not None:
        message["reasoning_content"] = turn.reasoning
    if turn.role == "tool":
        message["tool_call_id"] = turn.answers[0]
        message |= {} if turn.answers[1] is None else {"name": turn.answers[1]}
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _text(call.arguments)}}
            for call in turn.calls
        ]
    return json.dumps(message, ensure_ascii=False)


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def paired(turns: Sequence[Turn]) -> dict[int, tuple[int, int]]:
    """Position of a result among the turns -> of the turn that asked for it, and the number of the call there.

    By id where that is told and new; otherwise the first call that has no result yet, of that name if one is told.
    Results of calls that nobody made are left out.
    """
    waiting: list[tuple[int, int, Asked]] = []
    found: dict[int, tuple[int, int]] = {}
    for place, turn in enumerate(turns):
        waiting += [(place, number, call) for number, call in enumerate(turn.calls)]
        if turn.role != "tool":
            continue
        said, name = turn.answers
        fits = [each for each in waiting if said and each[2].id == said]
        if not fits and not (said and _known(turns, said)):
            fits = [each for each in waiting if name in (None, each[2].name)]
        if fits:
            waiting.remove(fits[0])
            found[place] = fits[0][:2]
    return found


def _known(turns: Iterable[Turn], said: str) -> bool:
    return any(call.id == said for turn in turns for call in turn.calls)
