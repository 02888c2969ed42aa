"""Calling the entry point that a session recorded again, with the recorded arguments, in a process that started again.

python -c "import replay.reenter; replay.reenter.main()"
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import threading
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any, cast

from replay.cassette.revive import revive
from replay.model.errors import NotReplayable
from replay.part import Part, prepared


def main() -> None:
    """Call the entry point again, with the recorded arguments."""
    part = prepared()
    if part is None:
        raise NotReplayable("this process replays nothing")
    if part.entry.get("thread") == "worker":  # what a thread sees of itself differs from what the main one does
        worker = threading.Thread(target=_again, args=(part,))
        worker.start()
        worker.join()
    else:
        _again(part)


def _again(part: Part) -> None:
    found = _function(part.entry)
    kind = part.entry["type"]
    if kind == "asgi":
        import asyncio  # now: a replay imports nothing earlier than the recorded process did

        from replay.servers import asgi

        asyncio.run(asgi.call_again(part, found() if part.entry["call"] else found))
    elif kind == "wsgi":
        from replay.servers import wsgi

        wsgi.call_again(part, found() if part.entry["call"] else found)
        part.rest_of_threads()
    else:
        _call(part, found)


def _call(part: Part, function: Any) -> None:
    args, kwargs = revive(tuple(part.entry["args"])), revive(dict(part.entry["kwargs"]))
    if inspect.iscoroutinefunction(function):
        import asyncio

        async def call() -> None:
            with part.play() as ended:
                ended["result"] = await function(*args, **kwargs)
            await part.rest()

        asyncio.run(call())
    else:
        with part.play() as ended:
            ended["result"] = function(*args, **kwargs)
        part.rest_of_threads()


def _function(entry: Mapping[str, Any]) -> Any:
    """The undecorated or decorated function of that name; the decorator is transparent in a replay."""
    if entry["module"] == "__main__":
        sys.path.insert(0, os.path.dirname(entry["file"]))
        found: Any = _program(entry["file"])
        rest = entry["qualname"].split(".")
    else:
        sys.path[:0] = entry.get("path", ())
        found, rest = importlib.import_module(entry["module"]), entry["qualname"].split(".")
    for name in rest:
        found = getattr(found, name)
    return found


def _program(file: str) -> ModuleType:
    """The program's module, without what it does `if __name__ == "__main__"`; its classes are those of `__main__`, as
    in the recording."""
    module = ModuleType(_NAME)
    module.__file__ = file
    sys.modules[_NAME] = module
    with open(file, "rb") as source:
        code = compile(source.read(), file, "exec")
    exec(code, module.__dict__)
    _rename(vars(module), set())
    module.__name__ = "__main__"
    _kept.append(sys.modules["__main__"])  # the code that runs here is its own
    sys.modules["__main__"] = module
    return module


def _rename(names: Mapping[str, Any], seen: set[int]) -> None:
    for value in list(names.values()):
        if isinstance(value, (type, FunctionType)) and value.__module__ == _NAME and id(value) not in seen:
            seen.add(id(value))
            value.__module__ = "__main__"
            if isinstance(value, type):
                _rename(vars(cast("type[Any]", value)), seen)


_NAME = "__replayed__"
_kept: list[ModuleType] = []
