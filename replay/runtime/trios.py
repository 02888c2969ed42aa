"""trio isn't recorded: running it is a blind spot. Importing it isn't, since libraries do wherever it is installed."""

from __future__ import annotations

from typing import Any

from replay.boundary.lanes import running


def install(module: Any) -> None:
    """Watch the two ways in: `trio.run` and `trio.lowlevel.start_guest_run` (anyio takes them, too)."""
    for holder, name in ((module, "run"), (module.lowlevel, "start_guest_run")):
        setattr(holder, name, _naming(getattr(holder, name)))


def _naming(real: Any) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is not None:
            lane.door.blind("event loop", "trio isn't supported: its schedule isn't recorded")
        return real(*args, **kwargs)

    run.__name__, run.__doc__ = real.__name__, real.__doc__
    return run
