"""Where an application lies, so that a replay can import it again."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from replay.boundary import sites
from replay.session import own_path


def place_of(things: tuple[Any, ...], where: str | None) -> dict[str, Any]:
    """The entry's part that says where one of `things` is; with a `gap` where it isn't found.

    Args:
        where: `module:name`, or `module:name()` for a function that makes the application; looked for if None.
    """
    path = own_path()
    if where is not None:
        module, _, name = where.partition(":")
        found = sys.modules.get(module)
        file = os.path.abspath(getattr(found, "__file__", None) or "")
        return {
            "module": module,
            "qualname": name.removesuffix("()"),
            "call": name.endswith("()"),
            "file": file,
            "path": path,
        }
    for module, namespace, file in _own_modules():
        for name, value in namespace.items():
            if any(value is thing for thing in things):
                return {"module": module, "qualname": name, "call": False, "file": file, "path": path}
    return {"gap": "where the application lies isn't known: say so with where='module:name' or where='module:make()'"}


def _own_modules() -> list[tuple[str, Mapping[str, Any], str]]:
    """Modules of the program: what it runs first, then the others as they were imported."""
    found: list[tuple[str, Mapping[str, Any], str]] = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not sites.is_library(file) and not sites.is_ours(file):
            found.append((name, dict(vars(module)), os.path.abspath(file)))
    return found
