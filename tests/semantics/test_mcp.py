"""MCP messages of a recording: requests and answers linked by id, tool sets compared."""

from __future__ import annotations

from typing import Any

from replay.model.event import Event, Piece
from replay.semantics.mcp import Message, ToolChange, read


def opened(identity: int, *came: Any, name: str = "stdio server") -> Event:
    pieces = tuple(Piece(identity + at, "piece", value) for at, value in enumerate(came))
    return Event(
        identity, "mcp", name, "write", "m", 0, 1, None, {"transport": "stdio"}, None, "streamed", None, None, pieces
    )


def sent(identity: int, session: int, **message: Any) -> Event:
    method = str(message.get("method", "answer"))
    return Event(identity, "mcp", method, "write", "m", 0, 1, None, message, None, "done", meta={"session": session})


def listing(identity: Any, *tools: Any, **more: Any) -> dict[str, Any]:
    return {"id": identity, "result": {"tools": list(tools), **more}}


A: dict[str, Any] = {"name": "a", "description": "first"}
B: dict[str, Any] = {"name": "b"}


def test_both_ways_are_linked_by_id() -> None:
    asks = {"id": 1, "method": "sampling/createMessage"}
    progress = {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 3}}
    answer: dict[str, Any] = {"id": "1", "result": {}}  # some servers write ids as text
    events = [
        opened(0, progress, asks, answer, {"id": 9, "error": {}}),
        sent(1, 0, id=1, method="tools/call"),
        sent(2, 0, id=1, result={}),
        sent(3, 0, id=2, method="ping"),
    ]
    found = read(events)
    assert found.sessions == {1: 0, 2: 0, 3: 0}
    assert found.answers == {1: Message(0, 2, answer)}
    assert found.asked == {2: Message(0, 1, asks)}
    assert found.progress == {1: [Message(0, 0, progress)]}


def test_equal_ids_of_two_sessions_are_two_requests() -> None:
    one, other = {"id": 1, "result": {"n": 1}}, {"id": 1, "result": {"n": 2}}
    events = [opened(0, one), opened(1, other), sent(2, 1, id=1, method="ping"), sent(3, 0, id=1, method="ping")]
    assert read(events).answers == {2: Message(1, 0, other), 3: Message(0, 0, one)}


def test_a_changed_tool_set_is_found_across_sessions() -> None:
    changed: dict[str, Any] = {**A, "description": "now something else"}
    events = [
        opened(0, listing(1, A)),
        sent(1, 0, id=1, method="tools/list"),
        opened(2, listing(1, changed, B)),
        sent(3, 2, id=1, method="tools/list"),
        opened(4, listing(1, B), name="another server"),
        sent(5, 4, id=1, method="tools/list"),
    ]
    assert read(events).changes == [ToolChange(2, 0, "stdio server", added=("b",), changed=("a",))]


def test_pages_are_one_list() -> None:
    events = [
        opened(
            0,
            listing(1, A, nextCursor="2"),
            listing(2, B),
            listing(3, A),
            {"method": "notifications/tools/list_changed"},
        ),
        sent(1, 0, id=1, method="tools/list"),
        sent(2, 0, id=2, method="tools/list", params={"cursor": "2"}),
        sent(3, 0, id=3, method="tools/list"),
    ]
    announced, removed = read(events).changes
    assert announced == ToolChange(0, 3, "stdio server", announced=True)
    assert removed == ToolChange(0, 2, "stdio server", removed=("b",))


def test_what_is_no_message_is_left_out() -> None:
    events = [opened(0, "text", None, {"unreadable": "x"}, {"id": True, "result": 1}), sent(1, 0, id=None, method=3)]
    found = read(events)
    assert (found.answers, found.changes) == ({}, [])
