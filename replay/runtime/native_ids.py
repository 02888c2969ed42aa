"""Ids made in native code, which clock and chance of Python never see: `uuid_utils` (langchain's run ids are of it)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from replay.boundary.imports import on_import
from replay.boundary.lanes import running

_NUMBERS = ("_uuid4_int", "_uuid7_int", "getnode")
_IDS = ("uuid1", "uuid4", "uuid6", "uuid7")
_SOURCE = "uuid_utils"


def install() -> None:
    """Make each new id a draw, as soon as the library is imported."""
    on_import("uuid_utils._uuid_utils", _patch)


def _patch(module: Any) -> None:
    for name in _NUMBERS:
        if hasattr(module, name):
            setattr(module, name, _drawn(getattr(module, name), int, int))
    for name in _IDS:
        setattr(module, name, _drawn(getattr(module, name), int, lambda number: module.UUID(int=number)))


def _drawn(real: Callable[..., Any], number_of: Callable[[Any], int], made: Callable[[int], Any]) -> Callable[..., Any]:
    def new(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return real(*args, **kwargs)
        return made(lane.door.draw(lane, _SOURCE, lambda: number_of(real(*args, **kwargs))))

    new.__name__, new.__doc__ = real.__name__, real.__doc__
    return new
