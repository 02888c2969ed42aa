"""Do something right after a module has been imported; import nothing for it.

A finder at the head of `sys.meta_path` lets the others find the module, and wraps its loader's `exec_module`. A module
that is imported already is served at once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:
    Loader = MetaPathFinder = object  # `importlib.abc` takes 5 ms to import, and nobody asks for the bases

Callback = Callable[[ModuleType], None]

_waiting: dict[str, list[Callback]] = {}
_lock = threading.RLock()


def on_import(name: str, callback: Callback) -> None:
    """Call `callback(module)` once: after `name` is imported, or now if it is."""
    with _lock:
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())
        module = sys.modules.get(name)
        if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
            _waiting.setdefault(name, []).append(callback)
            return
    callback(module)


class _Finder(MetaPathFinder):
    """Finds nothing by itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, fullname)
                return spec
        return None


class _Loader(Loader):
    """The real loader, with the callbacks behind it."""

    def __init__(self, real: Any, name: str) -> None:
        self._real = real
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._real  # the program sees the loader it expects
        module.__loader__ = self._real
        self._real.exec_module(module)
        with _lock:
            callbacks = _waiting.pop(self._name, [])
        for callback in callbacks:
            callback(module)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._real, attribute)
