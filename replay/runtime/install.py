"""Everything that is patched in a process, in the order that works. Idempotent; without a lane it all passes through.

Recording and replaying install the same and import the same: a module that one of them imported before the program does
would run its own first lines (locks it takes, clocks it reads) outside of the recording, or outside of the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from replay.boundary.imports import on_import
from replay.runtime import (
    ambient,
    blindspots,
    chance,
    descent,
    environ,
    files,
    identity,
    import_lanes,
    locks,
    native_ids,
    natives,
    signals,
    threads,
    tracebacks,
)
from replay.seams import registry

if TYPE_CHECKING:
    from replay.runtime.trace import Trace
    from replay.seams._seam import Seam


_ahead = False


def install(blind: Callable[[str, str], None], seams: Iterable[Seam] = ()) -> None:
    """Clock, chance, environment, threads now; asyncio and the seams when their libraries are imported.

    Args:
        blind: told of libraries that a seam doesn't fit: (what, detail).
        seams: other packages', behind ours.
    """
    if not _ahead:  # for a replay, which tells nobody of blind spots
        _install(blind)
    registry.add(seams)


def _install(blind: Callable[[str, str], None]) -> None:
    ambient.install()
    chance.install()
    native_ids.install()
    environ.install()
    files.install()
    locks.install()
    threads.install()
    import_lanes.install()
    identity.install()
    signals.install()
    descent.install()
    blindspots.install()
    tracebacks.install()
    on_import("asyncio", _install_loops)
    on_import("uvloop", _install_uvloop)
    on_import("trio", _install_trio)
    on_import("anyio._backends._asyncio", _install_anyio)
    natives.install(blind)
    registry.install(blind)


def install_ahead() -> None:
    """`install` for the replays that are going to be forked from this process: they find it done."""
    global _ahead
    install(lambda what, detail: None)
    _ahead = True


def _install_loops(_: object) -> None:
    from replay.runtime import loops

    loops.install()


def _install_uvloop(module: object) -> None:
    from replay.runtime import uvloops

    uvloops.record_uvloop(module)


def _install_trio(module: object) -> None:
    from replay.runtime import trios

    trios.install(module)


def _install_anyio(module: object) -> None:
    from replay.runtime import anyio_threads

    anyio_threads.install(module)


def trace_to(path: str | None) -> Trace | None:
    """Trace the values of the program's lines into that file, if there is one."""
    if path is None:
        return None
    from replay.runtime.trace import Trace

    trace = Trace(path)
    trace.install()
    return trace
