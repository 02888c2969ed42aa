"""Everything that is patched in a process, in the order that works. Idempotent; without a lane it all passes through."""

from __future__ import annotations

from replay.boundary.imports import on_import
from replay.runtime import ambient, chance, environ, threads


def install() -> None:
    """Clock, chance, environment, threads now; asyncio and the seams when their libraries are imported."""
    ambient.install()
    chance.install()
    environ.install()
    threads.install()
    on_import("asyncio", _install_loops)


def _install_loops(_: object) -> None:
    from replay.runtime import loops

    loops.install()
