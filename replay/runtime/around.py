"""What lies around a replayed part (a block, a call) runs for real, within the sandbox, and was never recorded. Three
habits of the standard library would run into it: looking for a temporary directory writes files, looking for a shared
library starts `ldconfig` and a compiler, and looking for a user asks a service. They are answered without.
"""

from __future__ import annotations

import os
import re
import sysconfig
from typing import Any

from replay.boundary import originals
from replay.boundary.imports import on_import


def install(scratch: str) -> None:
    """At replay, before anything of the program has run; the part's own questions are answered from the recording."""

    def keep_to_scratch(module: Any) -> None:
        module.tempdir = scratch

    def look_only(module: Any) -> None:
        module.find_library = find_library

    on_import("tempfile", keep_to_scratch)
    on_import("ctypes.util", look_only)
    for name in _TABLES:
        on_import(name, _from_file)


def find_library(name: str) -> str | None:
    """The file name of a shared library, such as `libm.so.6` for `m`, by looking into the usual directories."""
    wanted = re.compile(rf"lib{re.escape(name)}\.so(\.\d+)*")
    found = [file for place in _places() for file in _names(place) if wanted.fullmatch(file)]
    # `libm.so` is for linkers; of the others the one with the shortest version is the name that programs load by
    return min(found, key=lambda file: (file.endswith(".so"), len(file), file), default=None)


def _places() -> list[str]:
    own = (originals.environ_get("LD_LIBRARY_PATH") or "").split(":")
    machine = sysconfig.get_config_var("MULTIARCH") or ""
    usual = ("/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64")
    return [place for place in (*own, *usual, *(os.path.join(place, machine) for place in usual[:2])) if place]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


_TABLES: dict[str, tuple[str, str, tuple[int, ...], dict[str, int], str]] = {
    "pwd": ("/etc/passwd", "struct_passwd", (2, 3), {"getpwnam": 0, "getpwuid": 2}, "getpwall"),
    "grp": ("/etc/group", "struct_group", (2,), {"getgrnam": 0, "getgrgid": 2}, "getgrall"),
}
"""Where a module's entries are; their type; which of their fields are numbers; functions, by field; that for all."""


def _from_file(module: Any) -> None:
    """Users and groups that the machine itself knows; of others it is said that there are none."""
    path, kind, numbers, functions, every = _TABLES[module.__name__]

    def entries() -> list[Any]:
        found: list[Any] = []
        for line in _lines(path):
            fields: list[Any] = line.split(":")
            for at in numbers:
                fields[at] = int(fields[at])
            if kind == "struct_group":
                fields[3] = [name for name in fields[3].split(",") if name]
            found.append(getattr(module, kind)(fields))
        return found

    def by(name: str, at: int) -> Any:
        def look(wanted: Any) -> Any:
            for entry in entries():
                if entry[at] == wanted:
                    return entry
            raise KeyError(f"{name}(): not found: {wanted}")

        look.__name__ = name
        return look

    for name, at in functions.items():
        setattr(module, name, by(name, at))
    setattr(module, every, entries)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return [line for line in file.read().splitlines() if line.count(":") > 2]
    except OSError:
        return []
