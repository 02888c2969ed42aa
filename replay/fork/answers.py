"""The answers that recordings still have behind a fork point. Pure: no I/O, no clock.

Rules:
- Each lane has its own sequence of calls and draws. A call that is the next one of its lane gets that one's outcome.
- Any other call gets the outcome of the first one, not used yet, that asked exactly the same: of its own lane first,
  then of any, in the order of the recordings. Where it is its lane's, the lane goes on behind it.
- A draw gets the lane's next value, if that is a draw of the same source; nothing is skipped to find one.
- Every outcome is given once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from replay.boundary.schedule import DRAW
from replay.cassette.stopping import is_stop
from replay.matching.compare import Request, same
from replay.player.tape import CALL, CHUNK, EVENT, LANE, RETURN, TRACK, Frame

RESULT, ERROR, STREAM, END, CLOSED = range(5)
MISSING: Final = object()

Piece = tuple[int, Any, bool, int]


@dataclass(slots=True, eq=False)
class Answer:
    """The outcome of one recorded call.

    Attributes:
        cassette: number of the recording, 0 for the base. event: its id there.
        place: position of the outcome in the recording's order.
        status: RESULT, ERROR or STREAM; None where the recording ended before it. value: stored.
        suspended: the lane gave way to others meanwhile.
        pieces: of the stream, (status, value, suspended, place).
        used: it was given.
    """

    cassette: int
    event: int
    lane: str
    request: Request
    place: int = 0
    status: int | None = None
    value: Any = None
    suspended: bool = False
    pieces: list[Piece] = field(default_factory=list[tuple[int, Any, bool, int]])
    content: bytes | None = None
    used: bool = False


AT_ONCE: Final = -1
"""The place before all others."""


@dataclass(slots=True, eq=False)
class Draw:
    """A read of clock or chance. Of the program's own: the event, and which of its values it is."""

    source: str
    value: Any
    event: int = -1
    number: int = 0


class Script:
    """What one recording has, from a frame on.

    Args:
        frames: decoded, from the beginning of the recording. cassette: its number.
        behind: how many of them have happened already.
        sources: names of draw sources by position.

    Attributes:
        lanes: path -> what it does behind the cut. under_way: by event id, calls that began before it.
    """

    def __init__(self, frames: Iterable[Frame], cassette: int, behind: int, sources: Sequence[str]) -> None:
        self.lanes: dict[str, list[Answer | Draw]] = {}
        self.under_way: dict[int, Answer] = {}
        self.calls: list[Answer] = []
        self._cassette = cassette
        self._sources = sources
        self._names: dict[int, str] = {}
        self._known: dict[int, Answer] = {}
        self._before: set[int] = set()
        for place, frame in enumerate(frames):
            self._add(place, *frame, now=place >= behind)

    def _add(self, place: int, type_: int, event: int, payload: Any, *, now: bool) -> None:
        if type_ == LANE:
            self._names[payload[0]] = payload[1]
        elif type_ in (CALL, EVENT):
            self._call(place, event, payload, now=now)
        elif type_ == RETURN and event in self._known:
            _, status, value, suspended = payload
            answer = self._known[event]
            answer.place, answer.status, answer.value, answer.suspended = place, status, value, suspended
            if now and event in self._before:
                self.under_way[event] = answer
        elif type_ == CHUNK and now and event in self._known:
            _, _, status, value, suspended = payload
            self._known[event].pieces.append((status, value, suspended, place))
            if event in self._before:
                self.under_way[event] = self._known[event]
        elif type_ == TRACK and now:
            for lane, source, value in _draws(payload):
                self._lane(lane).append(Draw(self._sources[source], value))

    def _call(self, place: int, event: int, payload: Any, *, now: bool) -> None:
        lane, kind, name, effect, _at, _site, request, body, _meta, *rest = payload
        if kind in ("env", "output") or is_stop(kind, request):
            return
        if effect == "draw":
            drawn = zip(request, rest[2], strict=True) if now else ()
            self._lane(lane).extend(Draw(*each, event, number) for number, each in enumerate(drawn))
            return
        request = Request(kind, name, request, body)
        answer = self._known[event] = Answer(self._cassette, event, self._names[lane], request, place)
        if rest:
            answer.status, answer.value = rest[1], rest[2]
        if now:
            self._lane(lane).append(answer)
            self.calls.append(answer)
        else:
            self._before.add(event)

    def _lane(self, number: int) -> list[Answer | Draw]:
        return self.lanes.setdefault(self._names[number], [])


def reorder(script: Script, order: Sequence[int]) -> list[Answer]:
    """Let the outcomes of those events change places among themselves. Returns them in their new order.

    What happened before the fork point isn't moved. The pieces of a stream come right behind its head.
    """
    known = {answer.event: answer for answer in (*script.calls, *script.under_way.values())}
    moved = [known[event] for event in order if event in known and known[event].status is not None]
    places = sorted(answer.place for answer in moved)
    for answer, place in zip(moved, places, strict=True):
        answer.place = place
        answer.pieces = [(*piece[:3], place) for piece in answer.pieces]
    return moved


def _is_free(answer: Answer) -> bool:
    return not answer.used and answer.status is not None


def _draws(flat: Sequence[Any]) -> Iterator[tuple[int, int, Any]]:
    position = 0
    while position < len(flat):
        if flat[position] == DRAW:
            yield flat[position + 1], flat[position + 2], flat[position + 3]
            position += 4
        else:
            position += 3


class Answers:
    """All of them.

    Args:
        scripts: of the base, then of the further recordings.
    """

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._lanes: Mapping[str, list[Answer | Draw]] = scripts[0].lanes
        self._at: dict[str, int] = {}
        self._pool: dict[tuple[str, str], list[Answer]] = {}
        for script in scripts:
            for answer in script.calls:
                self._pool.setdefault((answer.request.kind, answer.request.name), []).append(answer)

    def next(self, lane: str, request: Request) -> Answer | None:
        """What that lane did next, if it is that call; it is given by `take`."""
        found = next((each for each in self._rest(lane) if isinstance(each, Answer)), None)
        return found if found is not None and _is_free(found) and same(found.request, request) else None

    def own(self, lane: str, request: Request) -> Answer | None:
        """What that lane did next, or later, if it is that call: where it did something else meanwhile, it is back."""
        pool = self._free(request)
        later = (each for each in pool if each.lane == lane and each.cassette == 0)
        return self.next(lane, request) or next((each for each in later if same(each.request, request)), None)

    def find(self, lane: str, request: Request) -> Answer | None:
        """An answer to exactly that request."""
        pool = self._free(request)
        return self.own(lane, request) or next((each for each in pool if same(each.request, request)), None)

    def _free(self, request: Request) -> list[Answer]:
        return [each for each in self._pool.get((request.kind, request.name), ()) if _is_free(each)]

    def take(self, answer: Answer) -> Answer:
        """It is given: its lane goes on behind it."""
        answer.used = True
        script = self._lanes.get(answer.lane, ())
        if answer.cassette == 0 and answer in script:
            self._at[answer.lane] = max(self._at.get(answer.lane, 0), script.index(answer) + 1)
        return answer

    def draw(self, lane: str, source: str) -> Draw | None:
        """The lane's next draw, if it is of that source."""
        script, at = self._lanes.get(lane, ()), self._at.get(lane, 0)
        if at < len(script) and isinstance(found := script[at], Draw) and found.source == source:
            self._at[lane] = at + 1
            return found
        return None

    def _rest(self, lane: str) -> Iterator[Answer | Draw]:
        script = self._lanes.get(lane, ())
        return (script[place] for place in range(self._at.get(lane, 0), len(script)))
