"""`Watched` behaves as `await` does, for any coroutine and any way to drive it, and knows whether control went back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.boundary.awaiting import Watched


class Pause:
    """Yields to whoever drives; gives back what it is sent."""

    def __init__(self, said: object) -> None:
        self.said = said

    def __await__(self) -> Generator[object, object, object]:
        return (yield self.said)


class Expected(Exception):
    """Raised by the generated coroutines."""


class Thrown(Exception):
    """Thrown into them."""


STEPS = st.lists(st.sampled_from(["pause", "swallow", "change", "finally", "raise"]), max_size=5)
DRIVES = st.lists(st.sampled_from(["next", "send", "throw", "throw exit", "close"]), max_size=8)


async def coroutine(steps: list[str], log: list[object]) -> object:
    """Pauses once for each step, and deals with what comes back in its way."""
    for step in steps:
        if step == "raise":
            raise Expected
        try:
            log.append(await Pause(step))
        except Thrown as error:
            log.append("thrown")
            if step == "pause":
                raise
            if step == "change":
                raise Expected from error
        finally:
            if step == "finally":
                log.append("finally")
    return "result"


async def plain(inner: Awaitable[Any]) -> Any:
    """What `Watched` is measured by."""
    return await inner


def drive(steps: list[str], drives: list[str], wrap: Callable[[Any], Any]) -> list[object]:
    """Everything that can be seen of it from outside and inside."""
    log: list[object] = []
    driven = plain(wrap(coroutine(steps, log)))
    try:
        for how in ["next", *drives]:
            try:
                match how:
                    case "next":
                        log.append(driven.send(None))
                    case "send":
                        log.append(driven.send("sent"))
                    case "throw":
                        log.append(driven.throw(Thrown()))
                    case "throw exit":
                        log.append(driven.throw(GeneratorExit()))
                    case _:
                        driven.close()
                        log.append("closed")
            except StopIteration as done:
                log.append(("done", done.value))
                break
            except BaseException as error:  # whatever it is, both have to do the same
                log.append((type(error), type(error.__cause__)))
                break
            if how == "close":
                break
    finally:
        driven.close()
    return log


@settings(max_examples=300)
@given(STEPS, DRIVES)
def test_as_await(steps: list[str], drives: list[str]) -> None:
    watched: list[Watched[Any]] = []

    def watch(inner: Any) -> Watched[Any]:
        watched.append(Watched(inner))
        return watched[0]

    # A "send" before the first pause can't be told apart, since both start with "next".
    assert drive(steps, drives, watch) == drive(steps, drives, lambda inner: inner)
    assert watched[0].suspended is (bool(steps) and steps[0] != "raise")


def test_iterators_without_throw_and_close() -> None:
    class Bare:
        def __init__(self) -> None:
            self.left = 2

        def __await__(self) -> Any:
            return self

        def __iter__(self) -> Bare:
            return self

        def __next__(self) -> str:
            self.left -= 1
            if self.left < 0:
                raise StopIteration("end")
            return "step"

    driven = plain(Watched(Bare()))
    assert [driven.send(None), driven.send(None)] == ["step", "step"]
    with pytest.raises(StopIteration) as done:
        driven.send(None)
    assert done.value.value == "end"
    driven = plain(Watched(Bare()))
    driven.send(None)
    with pytest.raises(Thrown):
        driven.throw(Thrown())
    driven = plain(Watched(Bare()))
    driven.send(None)
    driven.close()


def test_tasks_futures_and_cancellation() -> None:
    async def main() -> list[object]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(1)
        at_once = Watched(done)
        seen: list[object] = [await at_once, at_once.suspended]
        slow = Watched(asyncio.sleep(0, "later"))
        seen += [await slow, slow.suspended]
        never = Watched(asyncio.Event().wait())

        async def wait() -> None:
            await never

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError as error:
            seen += [error.args, never.suspended]
        return seen

    assert asyncio.run(main()) == [1, False, "later", True, ("enough",), True]
