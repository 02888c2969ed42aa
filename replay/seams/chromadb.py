"""chromadb, embedded: one event per operation on the database, which isn't opened at replay.

The seam sits between the client, which is Python and runs again (checks, embedding functions, what is made of
answers), and the database, which is native. A client of a Chroma server speaks HTTP, and is seen there.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import UUID

from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.model.effect import Effect

_PLACE = ("tenant", "database")
_RECORDS = ("embeddings", "metadatas", "documents", "uris", *_PLACE)
_OPERATIONS: dict[str, tuple[Effect, tuple[str, ...]]] = {
    "add": ("write", ("ids", "collection", *_RECORDS)),
    "upsert": ("write", ("collection", "ids", *_RECORDS)),
    "update": ("write", ("collection", "ids", *_RECORDS)),
    "delete": ("write", ("collection", "ids", "where", "where_document", "limit", *_PLACE)),
    "get": ("read", ("collection", "ids", "where", "limit", "offset", "where_document", "include", *_PLACE)),
    "query": (
        "read",
        ("collection", "ids", "embeddings", "results", "where", "where_document", "include", *_PLACE),
    ),
    "count": ("read", ("collection", *_PLACE)),
    "create_collection": ("write", ("name", "configuration", "schema", "metadata", "get_or_create", *_PLACE)),
    "get_collection": ("read", ("name", *_PLACE)),
    "get_collection_by_id": ("read", ("collection", *_PLACE)),
    "list_collections": ("read", ("limit", "offset", *_PLACE)),
    "count_collections": ("read", _PLACE),
    "update_collection": ("write", ("collection", "name", "metadata", "configuration")),
    "delete_collection": ("write", ("name", *_PLACE)),
    "create_database": ("write", ("name", "tenant")),
    "get_database": ("read", ("name", "tenant")),
    "list_databases": ("read", ("limit", "offset", "tenant")),
    "delete_database": ("write", ("name", "tenant")),
    "create_tenant": ("write", ("name",)),
    "get_tenant": ("read", ("name",)),
    "heartbeat": ("read", ()),
    "get_version": ("read", ()),
    "get_max_batch_size": ("read", ()),
    "reset": ("write", ()),
}
"""What the client asks of the database, and how it gives its arguments: by position."""


def install(module: ModuleType) -> None:
    """Put a stand-in before the native database."""
    library: Any = module
    native: Any = library.Bindings
    if isinstance(native, type):
        library.Bindings = _opening(native)


def _opening(native: Any) -> Callable[..., Any]:
    def bindings(*args: Any, **settings: Any) -> Any:
        database = _Database(f"chroma:{settings.get('persist_path') or 'memory'}")
        lane = running.lane

        def opened() -> None:
            database.native = native(*args, **settings)

        if lane is None:
            opened()
        else:
            call: Call[None] = Call("memory", "chromadb.open", "write", {"store": database.store})
            lane.door.cross(lane, call, opened)
        return database

    return bindings


class _Database:
    """The database, or at replay nothing.

    Attributes:
        native: the one that is open.
        store: how it is called in events.
    """

    def __init__(self, store: str) -> None:
        self.native: Any = None
        self.store = store
        self._names: dict[str, str] = {}

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)
        return lambda *args: self._ask(operation, args)

    def _ask(self, operation: str, args: tuple[Any, ...]) -> Any:
        lane = running.lane
        if lane is None:
            return getattr(self.native, operation)(*args)
        effect, names = _OPERATIONS.get(operation, ("write", ()))
        given: dict[str, Any] = {"args": list(args)} if len(names) != len(args) else dict(zip(names, args, strict=True))
        request: dict[str, Any] = {"store": self.store}
        for name, value in given.items():
            if value is not None and name not in _PLACE:
                request[name] = self._called(value) if name == "collection" else value
        if given.get("tenant", _DEFAULT[0]) != _DEFAULT[0] or given.get("database", _DEFAULT[1]) != _DEFAULT[1]:
            request["place"] = [given.get(each) for each in _PLACE]
        call: Call[Any] = Call("memory", f"chromadb.{operation}", effect, request, dump=_plain, load=_made)
        answer = lane.door.cross(lane, call, lambda: getattr(self.native, operation)(*args))
        self._learn(answer)
        if operation == "update_collection" and request.get("name"):
            self._names[args[0]] = request["name"]
        return answer

    def _called(self, collection: str) -> str:
        """A collection by its name, where that was seen: its id is chance."""
        return self._names.get(collection, collection)

    def _learn(self, answer: Any) -> None:
        found: list[Any] = answer if isinstance(answer, list) else [answer]
        for each in found:
            if hasattr(each, "dimension"):
                self._names[str(each.id)] = each.name


_DEFAULT = ("default_tenant", "default_database")


def _plain(answer: Any) -> Any:
    """Records of the native library as dicts; vectors as arrays, of half the size."""
    if isinstance(answer, list):
        return [*map(_plain, answer)]
    if answer is None or isinstance(answer, (bool, int, str, UUID)):
        return answer
    fields = {name: getattr(answer, name) for name in dir(answer) if not name.startswith("_")}
    return {name: _vectors(value) if name == "embeddings" else value for name, value in fields.items()}


def _vectors(value: Any) -> Any:
    """Of one list, or of one for each query."""
    import numpy as np

    if not isinstance(value, list) or not value:
        return value
    vector: list[Any] = value
    if isinstance(vector[0], float):
        packed: Any = np.array(vector, np.float32)
        return packed if packed.tolist() == vector else vector
    return [*map(_vectors, vector)]


def _made(stored: Any) -> Any:
    if isinstance(stored, list):
        return [*map(_made, stored)]
    if not isinstance(stored, dict):
        return stored
    fields: dict[str, Any] = stored
    return SimpleNamespace(**{name: _lists(each) if name == "embeddings" else each for name, each in fields.items()})


def _lists(value: Any) -> Any:
    if isinstance(value, list):
        return [*map(_lists, value)]
    return value.tolist() if hasattr(value, "tolist") else value
