"""Replaying a part of a program: the block or the call that a session recorded, in a process that started again.

What lies around the part runs for real, within the sandbox, and is nobody's lane. When the part is over, so is the
process.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, cast

from replay.boundary.lanes import Lane, become
from replay.cassette.codec import pack, unpack
from replay.cassette.revive import revive
from replay.matching.compare import alike
from replay.model.errors import NotReplayable, NotStorable
from replay.player.player import Player


class Part:
    """The recorded part of a program, about to be replayed.

    Attributes:
        entry: the header's entry. outcome: what the recording says of its end; None if it never ended.
        done: called when the part is over; ends the process.
    """

    def __init__(
        self,
        player: Player,
        entry: Mapping[str, Any],
        outcome: Mapping[str, Any] | None,
        done: Callable[[Any], None],
    ) -> None:
        self.entry = entry
        self.ordinal: int | None = entry.get("ordinal")
        self._player = player
        self._outcome = outcome
        self._done = done
        self._root: Lane = player.new_lane("m")
        player.active = False

    @contextmanager
    def play(self) -> Generator[dict[str, Any]]:
        """The part begins; at its end its outcome is compared. `["result"]` is to be set by whoever has one."""
        ended: dict[str, Any] = {}
        self._player.active = True
        become(self._root)
        try:
            yield ended
        except Exception as error:
            kind = type(error)
            ended["exception"] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        become(None)
        self._player.active = False
        self._compare(ended)
        self._done(ended.get("result"))

    def _compare(self, ended: Mapping[str, Any]) -> None:
        """An exception that wasn't recorded is why crossings are missing; another result comes after those."""
        if self._outcome is None:
            return
        player = self._player
        then, now = self._outcome.get("exception"), ended.get("exception")
        if now is not None and not alike(then, now):
            player.differs("exception", then, now)
        player.finish()
        for name in ("exception", "result"):
            then, now = self._outcome.get(name), ended.get(name)
            try:
                now = unpack(pack(now))
            except NotStorable:
                now = None
            if not alike(then, now):
                player.differs(name, then, now)


_part: Part | None = None


def prepare(part: Part) -> None:
    """Called before the program: this is what its process is for."""
    global _part
    _part = part


def prepared() -> Part | None:
    """The part that this process is to replay."""
    return _part


def main() -> None:
    """Call the entry point again, with the recorded arguments."""
    part = prepared()
    if part is None:
        raise NotReplayable("this process replays nothing")
    function = _function(part.entry)
    args, kwargs = revive(tuple(part.entry["args"])), revive(dict(part.entry["kwargs"]))
    if inspect.iscoroutinefunction(function):
        import asyncio  # now: a replay imports nothing earlier than the recorded process did

        async def call() -> None:
            with part.play() as ended:
                ended["result"] = await function(*args, **kwargs)

        asyncio.run(call())
    else:
        with part.play() as ended:
            ended["result"] = function(*args, **kwargs)


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
