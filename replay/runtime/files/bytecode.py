"""Caches of compiled code: nobody's input or effect, and a replay writes none.

Whether the interpreter writes bytecode is a setting that the program sees (`sys.dont_write_bytecode`), so a replay
keeps it as it was recorded; it is the writing itself that doesn't happen. pytest keeps rewritten tests in files of its
own: whether there was one already decides what it does, so neither a recording nor a replay looks for one.
"""

from __future__ import annotations

import _frozen_importlib_external
from collections.abc import Callable
from typing import Any

from replay.boundary.imports import on_import
from replay.boundary.lanes import nobody, running
from replay.runtime.files import scope, world

_machinery: Any = _frozen_importlib_external
_installed = False


def install() -> None:
    """In both modes; idempotent."""
    global _installed
    if not _installed:
        _installed = True
        on_import("_pytest.assertion.rewrite", _patch_pytest)


def write_none() -> None:
    """At replay: imports compile what there is no bytecode for, and keep it to themselves."""

    def set_data(self: Any, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        """The interpreter takes it for a directory that can't be written to."""

    _machinery.SourceFileLoader.set_data = set_data
    install()  # what lies around a part of a program keeps to it as well


def _patch_pytest(module: Any) -> None:
    """Of the cached files of installed plugins, which are hundreds, use is made as ever."""
    # Nothing read: the test is compiled anew. Nothing written, in a directory that seems to be there.
    for name, at, answer in (("_read_pyc", 1, None), ("_write_pyc", 3, False), ("try_makedirs", 0, True)):
        if hasattr(module, name):
            setattr(module, name, _without(getattr(module, name), at, answer))


def _without(real: Callable[..., Any], at: int, answer: Any) -> Callable[..., Any]:
    """`real` as nobody where argument `at` is a path in the installation and nothing is replayed; else `answer`."""

    def function(*args: Any, **kwargs: Any) -> Any:
        replaying = world.scratch() is not None
        if running.lane is None and not replaying:
            return real(*args, **kwargs)
        reads = answer is None
        if (replaying and not reads) or not scope.installed(world.absolute(args[at])):
            return answer
        with nobody():
            return real(*args, **kwargs)

    return function
