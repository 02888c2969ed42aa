"""`--block-network`, `@pytest.mark.block_network`: connections fail but to allowed hosts, as with pytest-recording."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

Connect = Callable[..., Any]


@contextmanager
def blocked(allowed: Sequence[str] | None = None) -> Generator[None]:
    """Inside, a socket that is to be connected raises RuntimeError, unless its host matches one of these patterns."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), allowed))
        yield


def _guarded(original: Connect, allowed: Sequence[str] | None) -> Connect:
    def connect(self: socket.socket, address: Any, *args: Any) -> Any:
        host = address[0] if isinstance(address, tuple) else address  # pyright: ignore[reportUnknownVariableType]
        text = host.decode() if isinstance(host, bytes) else str(host)  # pyright: ignore[reportUnknownArgumentType]
        if allowed is not None and any(re.match(pattern, text) for pattern in allowed):
            return original(self, address, *args)
        raise RuntimeError(f"Network is disabled: {text}")

    return connect
