"""Recorded bytes read as what they mean. Pure: no I/O, no clock; a better reading works on old recordings too.

Example:
    for event, call in semantics.readings(cassette.events):
        if call is not None:
            print(call.request_model, call.text, call.tool_calls, call.usage.input)
"""

from __future__ import annotations

from replay.semantics.call import CallError, LLMCall, Message, Part, Tool, ToolCall, Usage
from replay.semantics.cost import Price, Prices, cost, prices
from replay.semantics.links import read, readings, tool_results
from replay.semantics.otel import attributes

__all__ = [
    "CallError",
    "LLMCall",
    "Message",
    "Part",
    "Price",
    "Prices",
    "Tool",
    "ToolCall",
    "Usage",
    "attributes",
    "cost",
    "prices",
    "read",
    "readings",
    "tool_results",
]
