"""Random recordings, well-formed: frames, and what a tape has to say of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from replay.player.tape import CALL, CHUNK, EVENT, HEADER, LANE, RETURN, SITE, TRACK, Frame

SOURCES = ("time.time", "os.urandom", "loop.time")
NO_EVENT = 0xFFFFFFFF
WORDS = ("step", "callback", "timer", "stop", "draw", "acquire", "signal", "arrival", "takeover", "switch")
DRAW = 4


@dataclass(frozen=True)
class Happened:
    """One entry as it should be read. `frame`: position of the frame that holds it."""

    op: str
    lane: str
    event: int
    detail: Any
    at: int
    suspended: bool
    frame: int

    @property
    def gated(self) -> bool:
        """It has a place in the total order."""
        return self.op not in ("draw", "echo")


@dataclass
class Made:
    """A recording under construction."""

    frames: list[Frame] = field(default_factory=list[Frame])
    happened: list[Happened] = field(default_factory=list[Happened])
    lanes: list[str] = field(default_factory=list[str])
    sites: int = 0
    events: int = 0
    at: int = 0
    open: dict[int, str] = field(default_factory=dict[int, str])
    streams: list[int] = field(default_factory=list[int])

    def frame(self, type_: int, event: int, payload: Any) -> None:
        self.frames.append((type_, event, payload))

    def note(self, op: str, lane: str, event: int, detail: Any, at: int = 0, suspended: bool = False) -> None:
        self.happened.append(Happened(op, lane, event, detail, at, suspended, len(self.frames)))

    def new_event(self) -> int:
        self.events += 1
        self.at += 10
        return self.events - 1


class Counted:
    """Iterates over frames and counts those it gave."""

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = iter(frames)
        self.given = 0

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame = next(self._frames)
        self.given += 1
        return frame


_ACTIONS = ("lane", "site", "other", "call", "return", "event", "draws", "env", "echo", "chunk", "track")


@st.composite
def recordings(draw: st.DrawFn) -> Made:
    """Lanes that spawn others, and call, return, stream, step and draw in any order that a recorder could write."""
    made = Made()
    _lane(made, "m")
    for action in draw(st.lists(st.sampled_from(_ACTIONS), max_size=40)):
        number = draw(st.integers(0, len(made.lanes) - 1))
        _act(draw, made, action, number)
    return made


def _lane(made: Made, path: str) -> None:
    made.frame(LANE, NO_EVENT, [len(made.lanes), path])
    made.lanes.append(path)


def _act(draw: st.DrawFn, made: Made, action: str, number: int) -> None:
    path = made.lanes[number]
    site = draw(st.none() | st.integers(0, made.sites - 1)) if made.sites else None
    match action:
        case "lane":
            children = [lane for lane in made.lanes if lane.rpartition("/")[0] == path]
            _lane(made, f"{path}/t{len(children) + 1}")
        case "site":
            made.frame(SITE, NO_EVENT, [made.sites, "agent.py", made.sites + 1, "main"])
            made.sites += 1
        case "other":
            made.frame(draw(st.sampled_from([HEADER, 9, 10])), NO_EVENT, [])
        case "call":
            event = made.new_event()
            detail = ("tool", f"tool{event}", "write", site, {"n": event}, None, None)
            made.note("call", path, event, detail, made.at)
            made.frame(CALL, event, [number, *detail[:3], made.at, *detail[3:]])
            made.open[event] = path
            made.streams.append(event)
        case "return" if made.open:
            event = draw(st.sampled_from(sorted(made.open)))
            suspended = draw(st.booleans())
            made.note("return", made.open.pop(event), event, (0, event), made.at, suspended)
            made.frame(RETURN, event, [made.at, 0, event, suspended])
        case "chunk" if made.streams:
            event = draw(st.sampled_from(made.streams))
            suspended = draw(st.booleans())
            status = draw(st.sampled_from([0, 1, 3, 4]))
            made.note("chunk", path, event, (status, "piece"), made.at, suspended)
            made.frame(CHUNK, event, [number, made.at, status, "piece", suspended])
        case "event" | "env":
            event = made.new_event()
            kind = "env" if action == "env" else "http"
            whole = (kind, "GET /", "read", site, event, b"body", {"owner": "me"})
            if action == "event":
                made.note("call", path, event, whole, made.at)
                made.note("return", path, event, (0, "done"), made.at + 3)
            made.frame(EVENT, event, [number, *whole[:3], made.at, *whole[3:], 3, 0, "done"])
        case "echo":
            event = made.new_event()
            made.note("echo", path, event, ("stdout", "text"), made.at)
            made.frame(
                EVENT,
                event,
                [number, "output", "stdout", "write", made.at, site, "text", None, {"inside": True}, 0, 0, None],
            )
        case "draws":
            event = made.new_event()
            names = draw(st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3))
            for name in names:
                made.note("draw", path, event, (name, f"{name} {event}", site), made.at)
            values = [f"{name} {event}" for name in names]
            made.frame(
                EVENT, event, [number, "clock", names[0], "draw", made.at, site, names, None, None, 0, 0, values]
            )
        case "track":
            _track(draw, made)
        case _:
            pass  # nothing is open that could return


def _track(draw: st.DrawFn, made: Made) -> None:
    flat: list[Any] = []
    for mark in draw(st.lists(st.integers(0, len(WORDS) - 1), min_size=1, max_size=4)):
        number = draw(st.integers(0, len(made.lanes) - 1))
        path = made.lanes[number]
        if mark == DRAW:
            source = draw(st.integers(0, len(SOURCES) - 1))
            flat += (DRAW, number, source, 1.5)
            made.note("draw", path, -1, (SOURCES[source], 1.5, None))
        else:
            argument = draw(st.integers(0, 3))
            flat += (mark, number, argument)
            made.note(WORDS[mark], path, -1, argument)
    made.frame(TRACK, NO_EVENT, flat)
