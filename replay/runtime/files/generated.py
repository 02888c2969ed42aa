"""Modules that the program has written itself are imported from where it wrote them: at replay, from the overlay.

What is imported is the program, and is taken as it is now; what this very run has made is no older than the run. The
interpreter reuses bytecode while the second and the size of a source are the same, so both are drawn: a module that was
rewritten and reloaded within a second stays the old one at replay as well.

Also here: data that lies beside a module and is read by way of its loader (`pkgutil.get_data`), which is a file as any.
"""

from __future__ import annotations

import _frozen_importlib_external
import io
import os
import sys
from importlib.util import source_from_cache
from types import CodeType
from typing import Any

from replay.boundary import originals
from replay.boundary.lanes import Lane, running
from replay.runtime.files import opening, questions, scope, world

_REAL = originals.REAL_OS
_machinery: Any = _frozen_importlib_external

_stated: dict[str, list[Any]] = {}
"""At replay, by source: its time, its size and whether no bytecode was written, when it was last asked for."""

_compiled: dict[str, tuple[Any, bytes]] = {}
"""At replay, by source: second and size that there is bytecode for, and what it was compiled from."""


def install() -> None:
    """Replace what imports look at files with. While recording only the state of a source is drawn."""
    _machinery._path_stat = _like(_path_stat(_machinery._path_stat), _machinery._path_stat)
    finder, loader, source = _machinery.FileFinder, _machinery.FileLoader, _machinery.SourceFileLoader
    for kind, name, wrap in (
        (finder, "find_spec", _find_spec),
        (finder, "_fill_cache", _fill_cache),
        (source, "path_stats", _path_stats),
        (loader, "get_data", _get_data),
    ):
        real = getattr(kind, name)
        setattr(kind, name, _like(wrap(real), real))
    real_open_code = io.open_code

    def open_code(path: str) -> Any:
        return real_open_code(_made(path) or path)

    setattr(io, "open_code", open_code)  # noqa: B010 - `runpy` looks it up there


def _like(function: Any, real: Any) -> Any:
    """The interpreter cuts the frames of its own file out of an ImportError's traceback."""
    code: CodeType = function.__code__
    function.__code__ = code.replace(co_filename=real.__code__.co_filename, co_name=real.__code__.co_name)
    return function


def _absolute(path: str) -> str:
    return world.absolute(world.named(path))


def _made(path: str) -> str | None:
    """Where a file that the program has written lies at replay."""
    if world.scratch() is None:
        return None
    absolute = _absolute(path)
    if absolute not in scope.written:
        return None
    target = world.inside(absolute)
    return target if _REAL.path.exists(target) else None


def _path_stat(real: Any) -> Any:
    def path_stat(path: str) -> Any:
        if world.scratch() is None:
            return real(path)
        made = _made(path)
        if made is not None:
            return real(made)
        try:
            return real(path)
        except OSError:
            target = world.inside(_absolute(path))
            if not _REAL.path.isdir(target):
                raise
            return real(target)  # a directory that has been removed since

    return path_stat


def _find_spec(real: Any) -> Any:
    def find_spec(self: Any, fullname: str, target: Any = None) -> Any:
        if world.scratch() is not None and _REAL.path.isdir(world.inside(_absolute(self.path))):
            self._path_mtime = None  # the real directory's time doesn't tell what has been written
        return real(self, fullname, target)

    return find_spec


def _fill_cache(real: Any) -> Any:
    def fill_cache(self: Any) -> None:
        real(self)
        if world.scratch() is None:
            return
        absolute = _absolute(self.path)
        try:
            names = _REAL.listdir(world.inside(absolute))
        except OSError:
            return
        known = {name for name in names if f"{absolute}/{name}" in scope.written}
        self._path_cache = self._path_cache | known
        self._relaxed_path_cache = self._relaxed_path_cache | {name.lower() for name in known}

    return fill_cache


def _path_stats(real: Any) -> Any:
    def path_stats(self: Any, path: str) -> Any:
        lane = running.lane
        absolute = None if lane is None else _absolute(path)
        if lane is None or absolute is None or absolute not in scope.written:
            return real(self, path)

        def dump(found: Any) -> list[Any]:
            return [found["mtime"], found["size"], bool(sys.dont_write_bytecode)]

        def load(found: list[Any]) -> Any:
            _stated[absolute] = found
            return {"mtime": found[0], "size": found[1]}

        asked = (path, absolute, scope.LIBRARY)
        return questions.ask(lane, "stat", asked, {}, lambda: real(self, _made(path) or path), dump, load)

    return path_stats


def _get_data(real: Any) -> Any:
    def get_data(self: Any, path: str) -> bytes:
        lane = running.lane
        name = os.fspath(path)
        if not name.endswith(scope.CODE):
            return real(self, path) if lane is None or scope.installed(_absolute(name)) else _data(lane, name)
        if world.scratch() is None:
            return real(self, path)  # type: ignore[no-any-return]
        if name.endswith(".pyc"):
            if _absolute(_source(name)) in scope.written:
                raise FileNotFoundError(2, "No such file or directory", path)
            return real(self, path)  # type: ignore[no-any-return]
        made = _made(name)
        return real(self, path) if made is None else _text(_absolute(name), real(self, made))

    return get_data


def _data(lane: Lane, name: str) -> bytes:
    asked = (world.named(name), _absolute(name), scope.PROGRAM)
    with open(opening.cross(lane, name, asked, os.O_RDONLY | os.O_CLOEXEC, 0o666, None), "rb") as file:
        return file.read()


def _source(name: str) -> str:
    try:
        return source_from_cache(name)
    except ValueError:
        return name


def _text(absolute: str, content: bytes) -> bytes:
    """What the interpreter has of a source whose state was just asked: maybe bytecode of an older text."""
    stated = _stated.get(absolute)
    if stated is None:
        return content
    key = (int(stated[0]), stated[1])
    if stated[2]:
        return content
    known = _compiled.get(absolute)
    if known is not None and known[0] == key:
        return known[1]
    _compiled[absolute] = key, content
    return content
