"""Checkpoints as LangGraph's own serializer writes them, read without making any object of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from replay.model.event import Event
from replay.semantics.checkpoints import Checkpoints, channels, value

pytest.importorskip("langgraph.checkpoint.serde.jsonplus")


@dataclass
class Order:
    number: int


def typed(what: Any) -> tuple[str, bytes]:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    return JsonPlusSerializer().dumps_typed(what)


def put(wrote: dict[str, Any], kept: list[str], checkpoint: str, *, key: Any = "one", gone: str = "") -> Event:
    listed: list[Any] = []
    body = b""
    for name, what in wrote.items():
        kind, raw = typed(what)
        listed.append([name, kind, raw[:1], len(raw) - 1])
        body += raw[1:]
    if gone:
        listed.append([gone, "empty", b"", 0])
    request = {"store": "saver", "key": key, "checkpoint": checkpoint, "kept": kept}
    name, put = "langgraph.checkpoint.put", {"channels": listed}
    return Event(0, "memory", name, "write", "m", 0, 1, None, request, None, "done", put, content=body)


def delete(key: Any) -> Event:
    request = {"store": "saver", "key": key}
    return Event(0, "memory", "langgraph.checkpoint.delete", "write", "m", 0, 1, None, request, None, "done")


def test_values() -> None:
    from langchain_core.messages import HumanMessage

    plain = {"a": [1, 2.5, None, True, "é"], 3: b"x"}
    assert value(*typed(plain)) == plain
    assert value(*typed(None)) is None
    message = value(*typed(HumanMessage("hi")))
    assert (message["type"], message["content"]) == ("langchain_core.messages.human.HumanMessage", "hi")
    assert value(*typed(Order(7))) == {"type": f"{__name__}.Order", "number": 7}
    assert value(*typed({1, 2}))["type"] == "builtins.set"
    assert value("encrypted+aes", b"\x00\xff") == b"\x00\xff"


@pytest.mark.parametrize(
    "raw", [b"\xc1", b"\x93\x01", b"", b"\xc7\x02\x00\x93\x01", b"\xc7\x01\x02\x01", b"\x91" * 5000]
)
def test_what_cant_be_read_stays_bytes(raw: bytes) -> None:
    assert value("msgpack", raw) == raw


def test_a_saver() -> None:
    saver = Checkpoints()
    first = put({"said": ["hi"], "next": "greet"}, ["said", "next"], "c1")
    assert channels(first) == {"said": ["hi"], "next": "greet"}
    assert saver.run(first) == channels(first)
    saver.run(put({"said": ["hi", "ho"]}, ["said"], "c2", gone="next"))
    saver.run(put({"said": ["sub"]}, ["said"], "c3", key=("one", "child:1")))
    saver.run(put({"said": ["other"]}, ["said"], "c4", key="two"))
    assert saver.read("one", "c2") == {"said": ["hi", "ho"]}
    assert saver.read("one", "c1") == {"checkpoint": "c1"}, "only the last one is known whole"
    assert saver.read("three", None) is None
    assert set(saver.content()) == {"one", ("one", "child:1"), "two"}
    saver.run(delete("one"))
    assert saver.content() == {"two": {"said": ["other"]}}
