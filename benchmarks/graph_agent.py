"""P10, the other program: a LangGraph agent, STEPS calls to a model that takes 50 ms, a tool call in between.

python benchmarks/graph_agent.py URL STEPS REPORT
"""

import contextlib
import json
import pathlib
import sys
import time
from typing import Any

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode


@tool
def search(query: str) -> str:
    """Search the orders."""
    return json.dumps({"late": query, "at": time.time()})


def main() -> None:
    url, steps, report = sys.argv[1:]
    model: Any = ChatOpenAI(model="bench", base_url=f"{url}/v1", api_key="none").bind_tools([search])  # type: ignore[arg-type]

    def decide(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("model", decide)
    graph.add_node("tools", ToolNode([search]))
    graph.add_edge(START, "model")
    graph.add_edge("model", "tools")
    graph.add_edge("tools", "model")
    agent = graph.compile()
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    with contextlib.suppress(GraphRecursionError):  # the model never stops calling
        agent.invoke({"messages": [("user", "Find out why orders arrive late.")]}, {"recursion_limit": 2 * int(steps)})
    over = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    pathlib.Path(report).write_text(json.dumps({"work": over - began}))


main()
