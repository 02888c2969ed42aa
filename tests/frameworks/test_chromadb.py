"""chromadb, embedded: a real database when recording, none at replay."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Any

import pytest

from replay.semantics.memory import accesses, stores
from tests.support.programs import Recorded, explained, record

pytest.importorskip("chromadb")

PROGRAM = """
    import asyncio, os, random, threading
    import chromadb, numpy as np, replay

    class Chance(chromadb.EmbeddingFunction):
        def __init__(self): pass
        def __call__(self, input):
            return [np.array([len(text), text.count("e"), random.random()], np.float32) for text in input]

    kept = chromadb.PersistentClient(path="kept")
    notes = kept.get_or_create_collection("notes", embedding_function=Chance(), metadata={"hnsw:space": "cosine"})
    said = ["be brief", "no refunds", "free"]
    notes.add(ids=["a", "b", "c"], documents=said, metadatas=[{"n": 1}, {"n": 2.5}, {"n": "x"}])
    print(notes.query(query_texts=["refunds?"], n_results=2))
    notes.upsert(ids=["b", "d"], documents=["refunds within 30 days", "élan"])
    notes.update(ids=["a"], metadatas=[{"n": 7, "yes": True}])
    print(notes.get(ids=["a", "b", "none"], include=["documents", "metadatas", "embeddings"]))
    print(notes.get(where={"n": {"$gt": 2}}), notes.get(where_document={"$contains": "days"}, limit=1)["ids"])
    print(notes.peek(limit=2)["ids"], notes.count(), notes.delete(ids=["c"]), notes.count())
    print(notes.query(query_embeddings=[[1.0, 2.0, 3.0]], n_results=1, include=["distances", "embeddings"]))
    for wrong in (lambda: kept.get_collection("gone"), lambda: kept.create_collection("notes"),
                  lambda: notes.add(ids=["z"], embeddings=[[1.0]])):
        try:
            wrong()
        except Exception as error:
            print(type(error), error)
    mine = chromadb.EphemeralClient().create_collection("mine", embedding_function=None)
    mine.add(ids=["1"], embeddings=[[0.1, 0.2]], metadatas=[{"who": "me"}])
    print(mine.id, mine.get(include=["embeddings"])["embeddings"], kept.heartbeat(), kept.get_version())
    print([each.name for each in kept.list_collections()], kept.count_collections(), kept.get_max_batch_size())

    @replay.tool
    def recall(question):
        return notes.query(query_texts=[question], n_results=1)["documents"][0]
    print(recall("what of refunds?"))
    def work(n):
        for step in range(3):
            notes.upsert(ids=[f"t{n}"], documents=[f"step {step} of {n}"])
            print(n, notes.count())
    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    async def main():
        print(await asyncio.gather(*(asyncio.to_thread(recall, f"step {n}") for n in range(3))))
    asyncio.run(main())
    notes.modify(name="kept-notes", metadata={"now": "kept"})
    print(kept.get_collection("kept-notes", embedding_function=Chance()).count())
    kept.delete_collection("kept-notes")
    print(kept.list_collections())
"""


CHANGES = """
    import os, random
    import chromadb
    rng = random.Random(7)
    def ids(n): return rng.sample("abcdefgh", n)
    def words(n): return [" ".join(rng.choices(["red", "green", "blue"], k=3)) for _ in range(n)]
    def about(n): return [rng.choice([{"n": rng.randrange(9)}, {"who": rng.choice("xy"), "n": 1.5}]) for _ in range(n)]
    def vectors(n): return [[rng.randrange(9) / 8, rng.randrange(9) / 8] for _ in range(n)]
    notes = chromadb.EphemeralClient().create_collection("notes", embedding_function=None)
    for _ in range(60):
        n, operation = rng.randrange(1, 4), rng.randrange(9)
        given = {"documents": words(n), "metadatas": about(n)}
        if rng.random() < 0.4: del given[rng.choice(list(given))]
        if operation < 2: notes.add(ids=ids(n), embeddings=vectors(n), **given)
        elif operation < 4: notes.upsert(ids=ids(n), embeddings=vectors(n), **given)
        elif operation < 6: notes.update(ids=ids(n), embeddings=vectors(n), **given)
        elif operation == 6: notes.delete(ids=ids(1))
        elif operation == 7: notes.delete(where=rng.choice([
            {"n": {"$gt": 6}}, {"who": "x"}, {"$and": [{"n": {"$lte": 2}}, {"who": {"$ne": "x"}}]},
            {"$or": [{"n": {"$in": [3, 4]}}, {"who": {"$nin": ["x", "y", "z"]}}]}]))
        else: notes.delete(where_document=rng.choice([
            {"$contains": "red red"}, {"$and": [{"$not_contains": "blue"}, {"$contains": "green"}]}]))
    found = notes.get(include=["documents", "metadatas", "embeddings"])
    rows = zip(found["documents"], found["metadatas"], found["embeddings"].tolist())
    print(dict(zip(found["ids"], rows)))
"""


def recorded(directory: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """In a folder of its own, whose database is removed before it is replayed."""
    monkeypatch.chdir(directory)
    found = record(directory, program)
    assert found.exit_code == 0, found.stderr.decode()
    shutil.rmtree(directory / "kept", ignore_errors=True)
    return found


def test_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = recorded(tmp_path, PROGRAM, monkeypatch)
    for run_tools in (False, True):
        run = found.again(run_tools=run_tools)
        assert run.identical, explained(run)
        assert run.stdout == found.stdout
    assert not (tmp_path / "kept").exists(), "nothing is opened at replay"
    assert found.cassette().blind_spots == []
    seen = list(accesses(found.cassette().events))
    assert {access.store for access in seen} == {"chroma:kept", "chroma:memory"}
    wrote = {(access.op, access.key): access.value for access in seen if access.effect == "write"}
    added = wrote["add", "notes[a]"]
    assert (added["document"], added["metadata"], len(added["embedding"])) == ("be brief", {"n": 1}, 3)
    assert wrote["delete", "notes[c]"] is None
    assert wrote["add", "mine[1]"] == {"metadata": {"who": "me"}, "embedding": pytest.approx([0.1, 0.2])}
    first = next(access for access in seen if access.op == "query")
    assert (first.key, first.value["document"], first.value["metadata"]) == ("notes[b]", "no refunds", {"n": 2.5})
    assert first.value["distance"] < 0.1
    last = max(access.event for access in seen if access.key == "kept-notes" and access.op == "delete_collection")
    before = stores(found.cassette().events, until=last)["chroma:kept"]
    assert before["kept-notes"]["b"]["document"] == "refunds within 30 days"
    assert set(before["kept-notes"]) == {"a", "b", "d", "t0", "t1", "t2"}
    assert stores(found.cassette().events)["chroma:kept"] == {}


def test_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the recording says is in the collection is what is in the real one."""
    found = recorded(tmp_path, CHANGES, monkeypatch)
    real: dict[str, Any] = ast.literal_eval(found.text)
    held = stores(found.cassette().events)["chroma:memory"]["notes"]
    rebuilt = {
        key: (record.get("document"), record.get("metadata"), record["embedding"]) for key, record in held.items()
    }
    assert rebuilt == real
    assert len(real) > 2
