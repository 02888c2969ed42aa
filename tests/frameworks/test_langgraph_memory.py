"""What LangGraph's savers and stores keep: in memory by a seam of their own, else at the driver below them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from replay.semantics.memory import accesses, stores
from tests.stores.servers import postgres_server
from tests.support.programs import Recorded, explained, record

pytest.importorskip("langgraph")

GRAPH = """
    import asyncio, os, random, operator, time
    from dataclasses import dataclass
    from typing import Annotated, TypedDict
    from langgraph.graph import END, START, StateGraph
    from langgraph.store.base import BaseStore

    class State(TypedDict):
        said: Annotated[list, operator.add]
        draft: str

    def greet(state, *, store: BaseStore):
        store.put(("users", "ann"), "name", {"value": "Ann", "n": random.random()})
        return {"said": [f"hello {random.random()}"], "draft": "d" * 500}

    def answer(state, *, store: BaseStore):
        found = store.get(("users", "ann"), "name")
        return {"said": [f"{found.value['value']} {time.time()}"]}

    def graph(saver, store=None):
        build = StateGraph(State)
        if store is None:
            build.add_node("greet", lambda state: {"said": [str(random.random())], "draft": "x"})
            build.add_node("answer", lambda state: {"said": [str(time.time())]})
        else:
            build.add_node("greet", greet)
            build.add_node("answer", answer)
        build.add_edge(START, "greet"); build.add_edge("greet", "answer"); build.add_edge("answer", END)
        return build.compile(checkpointer=saver, store=store)

    ONE = {"configurable": {"thread_id": "one"}}
    TWO = {"configurable": {"thread_id": "two"}}
"""

IN_MEMORY = """
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.store.memory import InMemoryStore

    saver, store = InMemorySaver(), InMemoryStore()
    app = graph(saver, store)
    app.invoke({"said": ["hi"]}, ONE)
    state = app.invoke({"said": ["again"]}, ONE)
    async def both():
        await asyncio.gather(*(app.ainvoke({"said": [str(n)]}, {"configurable": {"thread_id": n}}) for n in range(3)))
        await store.aput(("users", "bob"), "name", {"value": "Bob"})
        print(await store.asearch(("users",)), await store.alist_namespaces())
        return [one.config["configurable"]["checkpoint_id"] async for one in app.aget_state_history(ONE)]
    print(asyncio.run(both()))
    app.invoke({"said": ["gone"]}, TWO)
    saver.delete_thread("two")
    store.delete(("users", "bob"), "name")
    other = InMemorySaver()
    graph(other).invoke({"said": ["elsewhere"]}, TWO)
    print(app.get_state(ONE).values == state, app.get_state(ONE).next)
    print({"state": state, "name": store.get(("users", "ann"), "name").value})
"""

SQLITE = """
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    path = os.path.join(os.path.dirname(__file__), "kept.db")
    with SqliteSaver.from_conn_string(path) as saver:
        app = graph(saver)
        app.invoke({"said": ["hi"]}, ONE)
        print(app.invoke({"said": ["again"]}, ONE), len(list(app.get_state_history(ONE))))
    async def main():
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            app = graph(saver)
            print(await app.ainvoke({"said": ["and again"]}, ONE))
    asyncio.run(main())
"""

POSTGRES = """
    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    with PostgresSaver.from_conn_string(os.environ["DSN"]) as saver:
        saver.setup()
        app = graph(saver)
        app.invoke({"said": ["hi"]}, ONE)
        print(app.invoke({"said": ["again"]}, ONE), len(list(app.get_state_history(ONE))))
    async def main():
        async with AsyncPostgresSaver.from_conn_string(os.environ["DSN"]) as saver:
            app = graph(saver)
            print(await app.ainvoke({"said": ["and again"]}, ONE))
    asyncio.run(main())
"""


def recorded(directory: Path, program: str, **variables: str) -> Recorded:
    found = record(directory, GRAPH + program, variables=variables)
    assert found.exit_code == 0, found.stderr.decode()
    return found


def same_again(found: Recorded) -> None:
    for _ in range(2):
        run = found.again()
        assert run.identical, explained(run)
        assert run.stdout == found.stdout


def test_in_memory(tmp_path: Path) -> None:
    found = recorded(tmp_path, IN_MEMORY)
    same_again(found)
    real = ast.literal_eval(found.text.splitlines()[-1])
    held = stores(found.cassette().events)
    assert {"InMemorySaver", "InMemorySaver 2", "InMemoryStore"} == set(held)
    one = held["InMemorySaver"]["one"]
    assert {name: one[name] for name in real["state"]} == real["state"]
    assert "two" not in held["InMemorySaver"]
    assert held["InMemorySaver 2"]["two"]["said"][0] == "elsewhere"
    assert held["InMemoryStore"] == {("users", "ann", "name"): real["name"]}
    seen = list(accesses(found.cassette().events))
    wrote = [access for access in seen if (access.store, access.key, access.op) == ("InMemorySaver", "one", "put")]
    assert [each.value["said"] for each in wrote if "said" in each.value][-1] == real["state"]["said"]
    reads = [access for access in seen if (access.store, access.op) == ("InMemoryStore", "get")]
    assert {access.key for access in reads} == {("users", "ann", "name")}
    assert reads[-1].value == real["name"]
    agents = {event.meta.get("agent") for event in found.events("memory") if event.name == "langgraph.store.put"}
    assert agents == {"greet", None}
    last = [access for access in seen if (access.store, access.key, access.op) == ("InMemorySaver", "one", "get")][-1]
    assert last.value["said"] == real["state"]["said"]


def test_on_sqlite(tmp_path: Path) -> None:
    pytest.importorskip("langgraph.checkpoint.sqlite")
    found = recorded(tmp_path, SQLITE)
    (tmp_path / "kept.db").unlink()
    same_again(found)
    assert not (tmp_path / "kept.db").exists()
    seen = [access for access in accesses(found.cassette().events) if access.store.endswith("kept.db")]
    tables = {str(access.key).partition("[")[0] for access in seen if access.effect == "write"}
    assert {"checkpoints", "writes"} <= tables
    [held] = [content for name, content in stores(found.cassette().events).items() if name.endswith("kept.db")]
    assert {row["thread_id"] for row in held["checkpoints"]} == {"one"}


def test_on_postgres(tmp_path: Path) -> None:
    pytest.importorskip("langgraph.checkpoint.postgres")
    with postgres_server() as address:
        found = recorded(tmp_path, POSTGRES, DSN=address)
    same_again(found)
    seen = [access for access in accesses(found.cassette().events) if access.store.startswith("postgresql:")]
    tables = {str(access.key).partition("[")[0] for access in seen if access.effect == "write"}
    assert {"checkpoints", "checkpoint_blobs", "checkpoint_writes"} <= tables
