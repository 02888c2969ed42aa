"""What tests say of a run: typed, composable, judged by the same rules as the language of `replay expect`.

    from replay.testing import expect, tool

    expect(replayed).tool("refund").called(at_most=1)
    expect(replayed).tool("send_email").never(after=tool("read_webpage"))

docs/pytest.md has all of it.
"""

from __future__ import annotations

from replay.testing.claims import (
    Calls,
    Claim,
    Value,
    agent,
    asked,
    claim,
    connection,
    db,
    effect,
    event,
    file,
    grpc,
    http,
    llm,
    mcp,
    memory,
    order,
    process,
    tool,
    value,
)
from replay.testing.expectations import Expectations, expect
from replay.testing.judging import Failure
from replay.testing.trajectories import Trajectory

__all__ = [
    "Calls",
    "Claim",
    "Expectations",
    "Failure",
    "Trajectory",
    "Value",
    "agent",
    "asked",
    "claim",
    "connection",
    "db",
    "effect",
    "event",
    "expect",
    "file",
    "grpc",
    "http",
    "llm",
    "mcp",
    "memory",
    "order",
    "process",
    "tool",
    "value",
]
