"""What lies around a replayed part (a block, a call) runs for real, within the sandbox, and was never recorded. Two
habits of the standard library would run into it: looking for a temporary directory writes files, and looking for a
shared library starts `ldconfig` and a compiler. They are answered without.
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
