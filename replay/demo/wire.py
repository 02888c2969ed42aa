"""The three dialects: a request's JSON becomes a `Conversation`, an `Answer` becomes JSON or server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, cast

from replay.demo.brain import Answer, Call, Chance, Conversation, Tool, Turn

Json = dict[str, Any]


class Sse(NamedTuple):
    """One server-sent event; `name` is its `event:` line, if it has one."""

    name: str
    data: str

    def encode(self) -> bytes:
        """The bytes on the wire."""
        head = f"event: {self.name}\n" if self.name else ""
        return f"{head}data: {self.data}\n\n".encode()


class Dialect(Protocol):
    """An API: reads requests, writes whole answers and streamed ones."""

    def read(self, request: Json) -> Conversation: ...
    def whole(self, request: Json, answer: Answer, chance: Chance) -> Json: ...
    def stream(self, request: Json, answer: Answer, chance: Chance) -> Iterator[Sse]: ...
    def error(self, kind: str, message: str) -> Json: ...


def _items(value: object) -> list[Json]:
    return [cast("Json", item) for item in cast("list[object]", value) if isinstance(item, dict)] if value else []


def _map(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _text(content: object) -> str:
    """The text of a message's content: a string, or parts of which some have text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(part["text"]) for part in _items(cast("object", content)) if "text" in part)


def _arguments(text: str) -> Json:
    try:
        return _map(json.loads(text or "{}"))
    except ValueError:
        return {}


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tokens(value: object) -> int:
    return max(1, len(_dump(value)) // 4)


def _spoken(answer: Answer) -> int:
    return _tokens([answer.text, answer.thinking, [call.arguments for call in answer.calls]])


def _choice(value: object) -> str:
    if isinstance(value, str):
        return {"any": "required"}.get(value, value)
    given = _map(value)
    named = given.get("name") or _map(given.get("function")).get("name")
    return str(named) if named else _choice(given.get("type") or "auto")


class OpenAIChat:
    """`POST /v1/chat/completions`."""

    def read(self, request: Json) -> Conversation:
        turns = tuple(self._turn(message) for message in _items(request.get("messages")))
        functions = [_map(tool.get("function")) for tool in _items(request.get("tools"))]
        wanted = _map(request.get("response_format"))
        return Conversation(
            model=str(request.get("model", "")),
            turns=turns,
            tools=tuple(Tool(str(one["name"]), _map(one.get("parameters"))) for one in functions if "name" in one),
            choice=_choice(request.get("tool_choice")),
            parallel=request.get("parallel_tool_calls") is not False,
            caller=str(_map(request.get("metadata")).get("caller", "")),
            answer_schema=_map(_map(wanted.get("json_schema")).get("schema"))
            if wanted.get("type") in ("json_schema", "json_object")
            else None,
        )

    @staticmethod
    def _turn(message: Json) -> Turn:
        role = {"developer": "system", "function": "tool"}.get(str(message.get("role")), str(message.get("role")))
        calls = tuple(
            Call(str(call.get("id")), str(function.get("name")), _arguments(str(function.get("arguments"))))
            for call in _items(message.get("tool_calls"))
            for function in [_map(call.get("function"))]
        )
        return Turn(role, _text(message.get("content")), calls)

    @staticmethod
    def _usage(request: Json, answer: Answer) -> Json:
        asked, said = _tokens(request.get("messages")), _spoken(answer)
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    @staticmethod
    def _call(call: Call) -> Json:
        function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
        return {"id": call.id, "type": "function", "function": function}

    def whole(self, request: Json, answer: Answer, chance: Chance) -> Json:
        message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
        if answer.calls:
            message["tool_calls"] = [self._call(call) for call in answer.calls]
        finish = "tool_calls" if answer.calls else "stop"
        return {
            "id": chance.id("chatcmpl-"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.get("model"),
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": self._usage(request, answer),
            "system_fingerprint": chance.id("fp_"),
        }

    def stream(self, request: Json, answer: Answer, chance: Chance) -> Iterator[Sse]:
        base: Json = {
            "id": chance.id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": request.get("model"),
            "system_fingerprint": chance.id("fp_"),
        }
        counted = bool(_map(request.get("stream_options")).get("include_usage"))

        def chunk(delta: Json, finish: str | None = None) -> Sse:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return Sse("", _dump({**base, "choices": [choice], **({"usage": None} if counted else {})}))

        yield chunk({"role": "assistant", "content": "" if answer.text else None})
        for piece in chance.pieces(answer.text):
            yield chunk({"content": piece})
        for index, call in enumerate(answer.calls):
            whole = self._call(call)
            opened = {**whole, "index": index, "function": {"name": call.name, "arguments": ""}}
            yield chunk({"tool_calls": [opened]})
            for piece in chance.pieces(whole["function"]["arguments"]):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls" if answer.calls else "stop")
        if counted:
            yield Sse("", _dump({**base, "choices": [], "usage": self._usage(request, answer)}))
        yield Sse("", "[DONE]")

    def error(self, kind: str, message: str) -> Json:
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


class OpenAIResponses:
    """`POST /v1/responses`. `earlier` holds what was said under each response id, for `previous_response_id`."""

    def __init__(self) -> None:
        self.earlier: dict[str, list[Json]] = {}

    def _input(self, request: Json) -> list[Json]:
        given = request.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else _items(given)
        return self.earlier.get(str(request.get("previous_response_id")), []) + items

    def read(self, request: Json) -> Conversation:
        turns: list[Turn] = []
        if request.get("instructions"):
            turns.append(Turn("system", _text(request["instructions"])))
        for item in self._input(request):
            if item.get("type") == "function_call":
                call = Call(str(item.get("call_id")), str(item.get("name")), _arguments(str(item.get("arguments"))))
                if turns and turns[-1].calls:  # calls of one answer are items of their own here
                    turns[-1] = Turn("assistant", turns[-1].text, (*turns[-1].calls, call))
                else:
                    turns.append(Turn("assistant", "", (call,)))
            elif item.get("type") == "function_call_output":
                turns.append(Turn("tool", _text(item.get("output"))))
            elif "role" in item:
                role = "system" if item["role"] == "developer" else str(item["role"])
                turns.append(Turn(role, _text(item.get("content"))))
        wanted = _map(_map(request.get("text")).get("format"))
        return Conversation(
            model=str(request.get("model", "")),
            turns=tuple(turns),
            tools=tuple(
                Tool(str(tool["name"]), _map(tool.get("parameters")))
                for tool in _items(request.get("tools"))
                if tool.get("type") == "function"
            ),
            choice=_choice(request.get("tool_choice")),
            parallel=request.get("parallel_tool_calls") is not False,
            caller=str(_map(request.get("metadata")).get("caller", "")),
            answer_schema=_map(wanted.get("schema")) if wanted.get("type") in ("json_schema", "json_object") else None,
        )

    @staticmethod
    def _output(answer: Answer, chance: Chance) -> list[Json]:
        output: list[Json] = []
        if answer.thinking:
            summary = [{"type": "summary_text", "text": answer.thinking}]
            output.append({"id": chance.id("rs_"), "type": "reasoning", "summary": summary})
        if answer.text or not answer.calls:
            part: Json = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
            message = {"id": chance.id("msg_"), "type": "message", "role": "assistant", "status": "completed"}
            output.append({**message, "content": [part]})
        for call in answer.calls:
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            made = {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}
            output.append({"id": chance.id("fc_"), "status": "completed", **made})
        return output

    @staticmethod
    def _frame(request: Json, chance: Chance) -> Json:
        return {
            "id": chance.id("resp_"),
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": request.get("instructions"),
            "metadata": request.get("metadata") or {},
            "model": request.get("model"),
            "output": [],
            "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
            "previous_response_id": request.get("previous_response_id"),
            "temperature": 1.0,
            "tool_choice": request.get("tool_choice") or "auto",
            "tools": request.get("tools") or [],
            "top_p": 1.0,
            "usage": None,
        }

    def _complete(self, request: Json, frame: Json, output: list[Json], answer: Answer) -> Json:
        asked, said = _tokens(request.get("input")), _spoken(answer)
        usage: Json = {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": len(answer.thinking) // 4},
            "total_tokens": asked + said,
        }
        if request.get("store") is not False:
            self.earlier[frame["id"]] = self._input(request) + output
        return {**frame, "status": "completed", "output": output, "usage": usage}

    def whole(self, request: Json, answer: Answer, chance: Chance) -> Json:
        return self._complete(request, self._frame(request, chance), self._output(answer, chance), answer)

    def stream(self, request: Json, answer: Answer, chance: Chance) -> Iterator[Sse]:
        frame, output = self._frame(request, chance), self._output(answer, chance)
        for sequence, event in enumerate(self._events(request, frame, output, answer, chance)):
            yield Sse(event["type"], _dump({**event, "sequence_number": sequence}))

    def _events(self, request: Json, frame: Json, output: list[Json], answer: Answer, chance: Chance) -> Iterator[Json]:
        yield {"type": "response.created", "response": frame}
        yield {"type": "response.in_progress", "response": frame}
        for index, item in enumerate(output):
            at: Json = {"item_id": item["id"], "output_index": index}
            opened: Json
            if item["type"] == "message":
                opened = {**item, "status": "in_progress", "content": []}
                body = self._message_events(item, {**at, "content_index": 0}, chance)
            elif item["type"] == "reasoning":
                opened = {**item, "summary": []}
                body = self._reasoning_events(item, {**at, "summary_index": 0}, chance)
            else:
                opened = {**item, "status": "in_progress", "arguments": ""}
                body = self._call_events(item, at, chance)
            yield {"type": "response.output_item.added", "output_index": index, "item": opened}
            yield from body
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        yield {"type": "response.completed", "response": self._complete(request, frame, output, answer)}

    @staticmethod
    def _message_events(item: Json, at: Json, chance: Chance) -> Iterator[Json]:
        part = item["content"][0]
        yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
        for piece in chance.pieces(part["text"]):
            yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": part}

    @staticmethod
    def _reasoning_events(item: Json, at: Json, chance: Chance) -> Iterator[Json]:
        part = item["summary"][0]
        yield {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}}
        for piece in chance.pieces(part["text"], longest=30):
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}

    @staticmethod
    def _call_events(item: Json, at: Json, chance: Chance) -> Iterator[Json]:
        for piece in chance.pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        done = {"type": "response.function_call_arguments.done", "name": item["name"], "arguments": item["arguments"]}
        yield {**at, **done}

    def error(self, kind: str, message: str) -> Json:
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


class Anthropic:
    """`POST /v1/messages`."""

    def read(self, request: Json) -> Conversation:
        turns = [Turn("system", _text(request["system"]))] if request.get("system") else []
        for message in _items(request.get("messages")):
            content = message.get("content")
            blocks = [] if isinstance(content, str) else _items(content)
            calls = tuple(
                Call(str(block.get("id")), str(block.get("name")), _map(block.get("input")))
                for block in blocks
                if block.get("type") == "tool_use"
            )
            results = [_text(block.get("content")) for block in blocks if block.get("type") == "tool_result"]
            turns += [Turn("tool", result) for result in results]
            if not results or _text(content):
                turns.append(Turn(str(message.get("role")), _text(content), calls))
        choice = _map(request.get("tool_choice"))
        return Conversation(
            model=str(request.get("model", "")),
            turns=tuple(turns),
            tools=tuple(
                Tool(str(tool["name"]), _map(tool.get("input_schema"))) for tool in _items(request.get("tools"))
            ),
            choice=_choice(choice or None),
            parallel=not choice.get("disable_parallel_tool_use"),
            caller=str(_map(request.get("metadata")).get("user_id", "")),
        )

    @staticmethod
    def _blocks(request: Json, answer: Answer, chance: Chance) -> list[Json]:
        blocks: list[Json] = []
        if answer.thinking and _map(request.get("thinking")).get("type") in ("enabled", "adaptive"):
            signed = "".join(chance.id("") for _ in range(4))
            blocks.append({"type": "thinking", "thinking": answer.thinking, "signature": signed})
        if answer.text or not answer.calls:
            blocks.append({"type": "text", "text": answer.text, "citations": None})
        for call in answer.calls:
            used = call.id.replace("call_", "toolu_")
            blocks.append({"type": "tool_use", "id": used, "name": call.name, "input": call.arguments})
        return blocks

    @staticmethod
    def _message(request: Json, answer: Answer, chance: Chance) -> Json:
        return {
            "id": chance.id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": request.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": _tokens(request.get("messages")), "output_tokens": 1},
        }

    def whole(self, request: Json, answer: Answer, chance: Chance) -> Json:
        message = self._message(request, answer, chance)
        usage = {**message["usage"], "output_tokens": _spoken(answer)}
        reason = "tool_use" if answer.calls else "end_turn"
        content = self._blocks(request, answer, chance)
        return {**message, "content": content, "stop_reason": reason, "usage": usage}

    def stream(self, request: Json, answer: Answer, chance: Chance) -> Iterator[Sse]:
        for event in self._events(request, answer, chance):
            yield Sse(event["type"], _dump(event))
            if chance.happens(0.05):
                yield Sse("ping", '{"type": "ping"}')

    def _events(self, request: Json, answer: Answer, chance: Chance) -> Iterator[Json]:
        yield {"type": "message_start", "message": self._message(request, answer, chance)}
        for index, block in enumerate(self._blocks(request, answer, chance)):
            opened, deltas = self._deltas(block, chance)
            yield {"type": "content_block_start", "index": index, "content_block": opened}
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        reason = {"stop_reason": "tool_use" if answer.calls else "end_turn", "stop_sequence": None}
        yield {"type": "message_delta", "delta": reason, "usage": {"output_tokens": _spoken(answer)}}
        yield {"type": "message_stop"}

    @staticmethod
    def _deltas(block: Json, chance: Chance) -> tuple[Json, list[Json]]:
        if block["type"] == "text":
            texts = [{"type": "text_delta", "text": piece} for piece in chance.pieces(block["text"])]
            return {**block, "text": ""}, texts
        if block["type"] == "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in chance.pieces(block["thinking"], 30)]
            sealed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*thoughts, sealed]
        arguments = json.dumps(block["input"], ensure_ascii=False)
        parts = [{"type": "input_json_delta", "partial_json": piece} for piece in chance.pieces(arguments)]
        return {**block, "input": {}}, parts

    def error(self, kind: str, message: str) -> Json:
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": None}
