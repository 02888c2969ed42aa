"""agent-replay: record one run of an AI agent, re-execute it exactly, and see what made it go wrong.

    with replay.record("incident.cassette"): ...
    run = replay.run("incident.cassette")
    cassette = replay.load("incident.cassette")

Everything is resolved when first used, so that importing this costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replay.boundary.acting import agent as agent
    from replay.cassette.cassette import Cassette as Cassette
    from replay.cassette.cassette import load as load
    from replay.cassette.objects import register_codec as codec
    from replay.closing import flush as flush
    from replay.counters import Stats as Stats
    from replay.counters import stats as stats
    from replay.launch import Run as Run
    from replay.launch import run as run
    from replay.model.errors import ReplayError as ReplayError
    from replay.model.event import Event as Event
    from replay.model.verdict import Divergence as Divergence
    from replay.recorder.dumping import dump as dump
    from replay.seams.function import tool as tool
    from replay.seams.memory import memory as memory
    from replay.servers.asgi import asgi as asgi
    from replay.servers.wsgi import wsgi as wsgi
    from replay.session import entrypoint as entrypoint
    from replay.session import record as record

__version__ = "0.1.0"

_WHERE = {
    "Cassette": ("replay.cassette.cassette", "Cassette"),
    "Divergence": ("replay.model.verdict", "Divergence"),
    "Event": ("replay.model.event", "Event"),
    "ReplayError": ("replay.model.errors", "ReplayError"),
    "Run": ("replay.launch", "Run"),
    "Stats": ("replay.counters", "Stats"),
    "agent": ("replay.boundary.acting", "agent"),
    "asgi": ("replay.servers.asgi", "asgi"),
    "codec": ("replay.cassette.objects", "register_codec"),
    "entrypoint": ("replay.session", "entrypoint"),
    "dump": ("replay.recorder.dumping", "dump"),
    "flush": ("replay.closing", "flush"),
    "load": ("replay.cassette.cassette", "load"),
    "memory": ("replay.seams.memory", "memory"),
    "record": ("replay.session", "record"),
    "run": ("replay.launch", "run"),
    "stats": ("replay.counters", "stats"),
    "tool": ("replay.seams.function", "tool"),
    "wsgi": ("replay.servers.wsgi", "wsgi"),
}

__all__ = [
    "Cassette",
    "Divergence",
    "Event",
    "ReplayError",
    "Run",
    "Stats",
    "agent",
    "asgi",
    "codec",
    "dump",
    "entrypoint",
    "flush",
    "load",
    "memory",
    "record",
    "run",
    "stats",
    "tool",
    "wsgi",
]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _WHERE[name]
    except KeyError:
        raise AttributeError(f"module 'replay' has no attribute {name!r}") from None
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
