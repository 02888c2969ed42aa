"""Protocol buffers, read by tables: against the library's own encoder, cut, and damaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.semantics.dialects import xai
from replay.semantics.protobuf import BOOL, FLOAT, INT, STRING, Message, decode

_METHODS = xai.DIALECT.rpc
REQUEST, ANSWER = _METHODS["/xai_api.Chat/GetCompletion"]
PROTO: Any = pytest.importorskip("xai_sdk.proto").chat_pb2


@given(st.lists(st.text(max_size=50), max_size=5), st.text(), st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_what_the_library_writes(texts: list[str], model: str, seed: int, parallel: bool) -> None:
    messages = [PROTO.Message(content=[PROTO.Content(text=text)], role=1) for text in texts]
    asked = PROTO.GetCompletionsRequest(
        messages=messages, model=model, seed=seed, parallel_tool_calls=parallel, temperature=0.5, stop=texts
    )
    read, problem = decode(asked.SerializeToString(), REQUEST)
    assert problem is None
    assert [each["content"][0]["text"] for each in read.get("messages", ())] == texts
    assert {each["role"] for each in read.get("messages", ())} <= {"ROLE_USER"}
    assert (read.get("model", ""), read["seed"], read["parallel_tool_calls"]) == (model, seed, parallel)
    assert (read["temperature"], read.get("stop", [])) == (0.5, texts)


def test_names_and_numbers_are_those_of_the_library() -> None:
    def compare(schema: Any, descriptor: Any, seen: set[int]) -> None:
        if id(schema) in seen:
            return
        seen.add(id(schema))
        for number, (name, type_) in schema.items():
            field = descriptor.fields_by_number[number]
            assert field.name == name
            assert field.is_repeated == isinstance(type_, list)
            one = cast("Sequence[Any]", type_)[0] if isinstance(type_, list) else type_
            if isinstance(one, Message):
                compare(one.schema, field.message_type, seen)
            elif isinstance(one, tuple):
                names = {value.number: value.name for value in field.enum_type.values}
                assert all(names[i] == label for i, label in enumerate(cast("tuple[str, ...]", one)))

    types = PROTO.DESCRIPTOR.message_types_by_name
    chunk = _METHODS["/xai_api.Chat/GetCompletionChunk"][1]
    compare(REQUEST, types["GetCompletionsRequest"], set())
    compare(ANSWER, types["GetChatCompletionResponse"], set())
    compare(chunk, types["GetChatCompletionChunk"], set())


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    decode(data, REQUEST)
    decode(data, ANSWER)


def test_every_cut_inside_a_field_is_told() -> None:
    fields = [PROTO.GetCompletionsRequest(messages=[PROTO.Message(name="x" * 200)]), PROTO.GetCompletionsRequest(n=300)]
    data = b"".join(field.SerializeToString() for field in fields)
    whole = {0, len(fields[0].SerializeToString()), len(data)}
    assert {size for size in range(len(data) + 1) if decode(data[:size], REQUEST)[1] is None} == whole


def test_wire_types_that_do_not_fit_are_left_out() -> None:
    table = {1: ("a", STRING), 2: ("b", INT), 3: ("c", FLOAT), 4: ("d", Message({})), 5: ("e", [INT]), 6: ("f", BOOL)}
    assert decode(bytes([0x08, 1, 0x12, 0, 0x18, 1, 0x20, 1]), table) == ({}, None)
    assert decode(bytes([0x2A, 2, 1, 2, 0x28, 3]), table) == ({"e": [1, 2, 3]}, None)
    assert decode(bytes([0x30, 7, 0x19, *bytes(8), 0x1D, *bytes(4)]), table) == ({"f": True, "c": 0.0}, None)
    assert decode(bytes([0x0B]), table)[1] == "the message is cut or damaged"
    assert decode(bytes([0xFF] * 12), table)[1] == "the message is cut or damaged"
    assert decode(bytes([0x12, 1, 0x80]), table)[1] == "the message is cut or damaged"


def test_depth_is_bounded() -> None:
    table: dict[int, tuple[str, Any]] = {}
    table[1] = ("m", Message(table))
    data = b""
    for _ in range(60):
        size = len(data)
        data = b"\x0a" + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + data
    assert decode(data, table)[1] == "messages are nested too deep"
