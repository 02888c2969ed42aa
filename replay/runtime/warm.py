"""What a process finds out once and keeps, in whichever request happens to need it first.

A replay of any other request, in a process that has just begun, would find it out again. What it asks of the machine,
the machine answers there (`sources.FIXED`). What a library awaits for it, the library is given before.
"""

from __future__ import annotations

import functools
import platform
from typing import Any

from replay.boundary.imports import on_import
from replay.boundary.lanes import nobody

_CLIENTS = ("openai", "anthropic", "groq", "together", "cerebras.cloud.sdk")
"""Libraries with the same asynchronous client: it asks for the platform in a thread, at its first request."""


_state = {"installed": False}


def installed() -> bool:
    """Whether this process has found it out."""
    return _state["installed"]


def install() -> None:
    """For the recorded calls of a server, and for their replay: there first before walls are around it."""
    _state["installed"] = True
    with nobody():
        known: Any = platform
        known._uname_cache = _machine()  # which `identity.install` has cleared
    _install_clients()


@functools.cache
def _machine() -> Any:
    """Who wants to know the processor starts `uname` for it."""
    platform.processor()
    return platform.uname()


@functools.cache
def _install_clients() -> None:
    for name in _CLIENTS:
        on_import(f"{name}._base_client", _know_platform)


def _know_platform(module: Any) -> None:
    client, platform = getattr(module, "AsyncAPIClient", None), getattr(module, "get_platform", None)
    original = getattr(client, "request", None)
    if original is None or platform is None:
        return
    once = functools.cache(platform)

    @functools.wraps(original)
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "_platform", "") is None:
            with nobody():
                self._platform = once()
        return original(self, *args, **kwargs)

    client.request = request  # type: ignore[union-attr]
