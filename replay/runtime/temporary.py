"""Temporary files: at replay they lie in the scratch directory, the only one that may change.

The environment can't say so, since the program sees the recorded one. How `tempfile` looks for a directory (it tries
names by chance and writes files) is the interpreter's business.
"""

from __future__ import annotations

from typing import Any

from replay.boundary.imports import on_import
from replay.boundary.lanes import nobody

_installed = False
_scratch: str | None = None


def install() -> None:
    """Once `tempfile` is imported, nobody's lane looks for its directory; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    on_import("tempfile", _patch)


def use(scratch: str) -> None:
    """This process replays: that is the directory."""
    global _scratch
    _scratch = scratch


def _patch(module: Any) -> None:
    real = module._get_default_tempdir

    def default() -> str:
        if _scratch is not None:
            return _scratch
        with nobody():
            return str(real())

    module._get_default_tempdir = default
