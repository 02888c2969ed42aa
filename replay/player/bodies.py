"""Tools whose bodies run at a replay.

The call is compared with the recorded one, as ever. Then the body runs in its inner lane, where everything it asks of
the world is answered. What came of it is compared with the recorded outcome, and the program goes on with the body's
own: the very object, which may share memory with the rest of the program. Except where a fork has put another outcome
in the place of the body's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, nobody, step_inside, step_out
from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named
from replay.matching.compare import alike
from replay.model.errors import NotStorable
from replay.player import divergence as explain
from replay.player.answers import CLOSED, ERROR, RESULT, STREAM
from replay.player.stopped import Stopped
from replay.player.tape import Entry
from replay.recorder.outcomes import ended

if TYPE_CHECKING:
    from replay.player.player import Player

R = TypeVar("R")


def cross(player: Player, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
    """`Door.cross` of a tool."""
    body = _Body(player, lane, call)
    body.begin()
    step_inside(lane, call)
    try:
        result = perform()
        body.rest()
    except Stopped:
        raise
    except BaseException as error:
        step_out(lane, call)
        if body.replaced:
            return body.recorded()  # type: ignore[no-any-return]
        body.came(ERROR, error)
        raise
    step_out(lane, call)
    if body.replaced:
        return body.recorded()  # type: ignore[no-any-return]
    body.returned(result)
    return result


async def across(player: Player, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
    """`Door.across` of a tool."""
    body = _Body(player, lane, call)
    body.begin()
    step_inside(lane, call)
    try:
        result = await perform()
        body.rest()
    except (Stopped, GeneratorExit):
        raise
    except BaseException as error:
        step_out(lane, call)
        if body.replaced:
            return body.recorded()  # type: ignore[no-any-return]
        body.came(ERROR, error)
        raise
    step_out(lane, call)
    if body.replaced:
        return body.recorded()  # type: ignore[no-any-return]
    body.returned(result)
    return result


def pull(player: Player, lane: Lane, call: Call[Any], step: Callable[[], Any], closes: bool) -> Any:
    """`Door.pull` of a tool's stream."""
    body = _Body(player, lane, call)
    if not body.begin_piece(closes):
        with nobody():  # the garbage collector closed it
            return step()
    step_inside(lane, call)
    try:
        piece = step()
        body.rest()
    except Stopped:
        raise
    except BaseException as error:
        step_out(lane, call)
        body.came(*ended(error, StopIteration))
        raise
    step_out(lane, call)
    body.came(CLOSED if closes else RESULT, piece)
    return piece


async def apull(player: Player, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], closes: bool) -> Any:
    """`Door.apull` of a tool's stream."""
    body = _Body(player, lane, call)
    if not body.begin_piece(closes):
        with nobody():
            return await step()
    step_inside(lane, call)
    try:
        piece = await step()
        body.rest()
    except (Stopped, GeneratorExit):
        raise
    except BaseException as error:
        step_out(lane, call)
        body.came(*ended(error, StopAsyncIteration))
        raise
    step_out(lane, call)
    body.came(CLOSED if closes else RESULT, piece)
    return piece


class _Body:
    """One run of a body, or of a piece of it: what was recorded of it, and what comes of it now."""

    def __init__(self, player: Player, lane: Lane, call: Call[Any]) -> None:
        self._player = player
        self._lane = lane
        self._call = call
        self._entry: Entry | None = None
        self._outcome: Entry | None = None
        self._known = False
        self.replaced = False
        """Its outcome was another one's than its own: a fork put it there."""

    def begin(self) -> None:
        with self._player.mutex:
            self._entry = entry = self._player.begin(self._lane, self._call, originals.frame(2))
            meta: dict[str, Any] = entry.detail[6] or {}
            self.replaced = "replaced" in meta or entry.event in self._player.replaced

    def begin_piece(self, closes: bool) -> bool:
        """False where the recording has no such piece, and needs none."""
        player = self._player
        with player.mutex:
            self._outcome = player.piece(self._lane, self._call, originals.frame(2), closes)
            self._known = True
        return self._outcome is not None or not (closes and player.complete)

    def rest(self) -> None:
        """The body has ended: handlers of signals that came in it are called, and what they raise comes out of it."""
        player, inner = self._player, self._lane.enter()
        if inner.unfinished is not None:
            inner.unfinished()
        with player.mutex:
            while (left := self._left()) is not None and left.op == "signal":
                player.handlers.come(inner, left)

    def recorded(self) -> Any:
        """The recorded outcome, in its turn."""
        with self._player.mutex:
            outcome = self._find_outcome()
            if outcome is None:
                self._player.never_returned(self._lane, self._call)
            self._player.turn(outcome)
        return self._player.answer(self._call, outcome)

    def _left(self) -> Entry | None:
        """What its inner lane did before the outcome and hasn't done now."""
        return self._player.tape.left_of(self._lane.enter().path, self._find_outcome())

    def returned(self, result: Any) -> None:
        call = self._call
        try:
            value = result if call.dump is None else call.dump(result)
        except Exception as error:  # the recording has a gap there
            value = error
        self.came(STREAM if call.streams else RESULT, value)

    def came(self, status: int, value: Any) -> None:
        """Compare what came of the body with the recorded outcome, in whose turn the lane goes on."""
        player, call = self._player, self._call
        with player.mutex:
            outcome = self._find_outcome()
            if outcome is None:
                player.never_returned(self._lane, call)
            then, recorded = outcome.detail
            gap = then == ERROR and isinstance(recorded, dict) and "gap" in recorded  # nothing to compare it with
            stored = value if gap else _stored(value)
            if status == ERROR and not gap:
                recorded, stored = _untraced(recorded), _untraced(stored)
            if not gap and not (then == status and alike(recorded, stored)):
                with nobody():
                    now = status, stored
                    found = explain.of_body(player.tape, call.name, self._entry, outcome, now, player.facts)
                player.end(found)
            left = self._left()
            if left is not None:
                player.end(explain.of_body_left(player.tape, call.name, left, player.facts))
            player.turn(outcome)

    def _find_outcome(self) -> Entry | None:
        if not self._known:
            self._known = True
            assert self._call.event is not None
            self._outcome = self._player.tape.outcome(self._call.event)
        return self._outcome


def _stored(value: Any) -> Any:
    """As a cassette would give it back; what can't be stored, in words."""
    try:
        return unpack(pack(value))
    except NotStorable:
        return repr(value)


def _untraced(value: Any) -> Any:
    """An exception without what its traceback shows: a body of the same answers may have other lines."""
    if isinstance(value, Named) and value.form == "exception":
        state = {name: _untraced(part) for name, part in value.state.items() if name not in _TRACES}
        return Named(value.module, value.qualname, value.form, state)
    if isinstance(value, (list, tuple)):
        return [_untraced(part) for part in cast("Sequence[Any]", value)]
    return value


_TRACES = frozenset(("frames", "trace", "context"))
