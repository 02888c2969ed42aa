"""Tracebacks of errors that were outcomes: what is stored of them, and what is made of it."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from replay.cassette.codec import Encoder, unpack
from replay.cassette.named import Named, RemoteError
from replay.cassette.reader import Reader
from replay.cassette.revive import revive
from replay.cassette.traces import link
from tests.cassette.recordings import begin


def nobodys(_: str) -> bool:
    return False


def stored(error: BaseException, ours: Callable[[str], bool] = nobodys) -> Any:
    encoder = Encoder()
    return unpack(encoder.pack(encoder.error(error, ours)))


def raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def back_and_forth(error: BaseException) -> Any:
    back = revive(stored(error))
    link(back, None)
    return back


def fails() -> None:
    raise ValueError(
        "over several lines",
    )


def fails_on_one() -> None:
    int("no number")


def wrapped() -> None:
    try:
        fails_on_one()
    except ValueError as error:
        raise RuntimeError("wrapped", error) from error


def meanwhile() -> None:
    try:
        wrapped()
    except RuntimeError:
        fails()


def quietly() -> None:
    try:
        fails()
    except ValueError:
        raise TypeError from None


def in_a_group() -> None:
    raise BaseExceptionGroup("all", [raised(fails), raised(meanwhile)])


def far_down(line: int) -> Callable[[], None]:
    """Columns and lines that take several digits, in code that nobody has as a file."""
    source = "\n" * line + " " * 300 + "1 / 0"
    return lambda: exec(compile(f"if 1:\n{source}", "<made>", "exec"))


def without_places() -> None:
    code = compile("\n\n1 / 0", "<bare>", "exec")
    exec(code.replace(co_linetable=b""))


@pytest.mark.parametrize(
    "function", [fails, fails_on_one, wrapped, meanwhile, quietly, in_a_group, far_down(3), far_down(70_000)]
)
def test_it_prints_the_same(function: Callable[[], None]) -> None:
    error = raised(function)
    back = back_and_forth(error)
    assert printed(back) == printed(error)
    assert [step.f_code.co_name for step, _ in traceback.walk_tb(back.__traceback__)] == [
        step.f_code.co_name for step, _ in traceback.walk_tb(error.__traceback__)
    ]


def test_a_place_without_columns_or_without_a_line() -> None:
    error = raised(without_places)
    back = back_and_forth(error)
    found = [(frame.f_code.co_name, line) for frame, line in traceback.walk_tb(back.__traceback__)]
    assert ([name for name, _ in found], found[-1][1]) == (["raised", "without_places", "<module>"], 0)


def test_an_error_that_was_never_raised_has_none() -> None:
    found = stored(ValueError(1))
    assert {"frames", "trace", "context"}.isdisjoint(found.state)
    assert revive(found).__traceback__ is None


def test_frames_that_are_ours_are_left_out() -> None:
    found = stored(raised(wrapped), lambda file: file == __file__)
    assert "trace" not in found.state
    assert "trace" not in found.state["cause"].state


def test_a_recursion_is_short_and_the_longest_keeps_both_ends() -> None:
    def even(n: int) -> None:
        odd(n - 1)

    def odd(n: int) -> None:
        if n < 0:
            raise LookupError
        even(n - 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(4000)
    try:
        error = raised(lambda: even(600))
        longest = raised(lambda: even(3000))
    finally:
        sys.setrecursionlimit(limit)
    assert printed(back_and_forth(error)) == printed(error)
    encoder = Encoder()
    assert len(encoder.pack(encoder.error(error, nobodys))) < 2500
    trace = stored(longest).state["trace"]
    assert (len(trace), trace[:2], trace[-1]) == (2000, [0, 1], max(trace))


def test_what_was_handled_outside_is_what_is_handled_there_again() -> None:
    def crossing() -> Any:
        return stored(raised(wrapped_or_meanwhile))

    def wrapped_or_meanwhile() -> None:
        try:
            fails_on_one()
        except ValueError:
            fails()

    try:
        raise OSError("outside")
    except OSError:
        found = crossing()
    assert found.state["context"].state["context"] is True
    now = OSError("outside, now")
    back = revive(found)
    link(back, now)
    assert back.__context__.__context__ is now
    back.__context__.__cause__ = back  # as registered codecs may give back what was raised before
    link(back, None)
    assert back.__context__.__context__ is now


def test_what_led_to_it_may_be_too_deep_to_store() -> None:
    error = ValueError(0)
    for number in range(40):
        error, error.__context__ = ValueError(number), error
        error.__context__.__traceback__ = raised(fails).__traceback__
    depth, found = 0, stored(error)
    while found.form == "exception":
        depth, found = depth + 1, found.state["context"]
    assert (20 < depth < 40, found.form) == (True, "opaque")
    assert isinstance(back_and_forth(error), ValueError)


def test_a_traceback_that_was_put_together_by_hand() -> None:
    error = raised(fails)
    assert error.__traceback__ is not None
    error.__traceback__ = TracebackType(error.__traceback__, error.__traceback__.tb_frame, -1, 3)
    assert len(stored(error).state["trace"]) == 3


def named(**state: Any) -> Named:
    whole: dict[str, Any] = {"args": (), "text": "", "dict": {}, "attrs": {}, "suppress": False, **state}
    return Named("builtins", "ValueError", "exception", whole)


PLACE = ["/x/agent.py", "step", 3, 3, 4, 9]


@pytest.mark.parametrize(
    "frame",
    [
        ["/etc/passwd", *PLACE[1:]],
        ["/dev/zero", *PLACE[1:]],
        ["/x/\x1b[2J.py", *PLACE[1:]],
        ["/x/agent.py", "step\x9b2J", *PLACE[2:]],
    ],
)
def test_frames_that_nobody_should_look_at_are_left_out(frame: list[Any]) -> None:
    """Whoever prints a traceback reads its files and shows their lines."""
    back = revive(named(frames=[PLACE, frame], trace=[0, 1, 0]))
    names = [step.f_code.co_filename for step, _ in traceback.walk_tb(back.__traceback__)]
    assert names == ["/x/agent.py", "/x/agent.py"]


def test_what_runs_is_source_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "agent"
    script.write_text("\n\nbuy(things)\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    back = revive(named(frames=[[str(script), "f\udc80", 3, 3, 4, 10]], trace=[0]))
    assert "buy(things)" in printed(back)
    linecache.clearcache()


@pytest.mark.parametrize(
    ("frames", "trace"),
    [
        ([PLACE], [1]),
        ([PLACE], ["0"]),
        ([PLACE], 3),
        (3, [0]),
        ([3], [0]),
        ([PLACE[:5]], [0]),
        ([[3, *PLACE[1:]]], [0]),
        ([[b"x", b"y", *PLACE[2:]]], [0]),
        ([[*PLACE[:2], None, None, None, None]], [0]),
        ([[*PLACE[:2], 1 << 31, None, None, None]], [0]),
        ([[*PLACE[:3], 3, -1, 4]], [0]),
        ([[*PLACE[:3], 3, "4", 4]], [0]),
    ],
)
def test_a_forged_traceback_makes_a_stand_in(frames: Any, trace: Any) -> None:
    assert isinstance(revive(named(frames=frames, trace=trace)), RemoteError)


def test_a_frame_whose_end_is_before_its_beginning_has_no_columns() -> None:
    back = revive(named(frames=[["/x/agent.py", "step", 9, 3, 4, 9]], trace=[0]))
    places = set(back.__traceback__.tb_frame.f_code.co_positions())
    assert places == {(9, 9, None, None)}


def test_frames_run_nothing() -> None:
    back = revive(named(frames=[PLACE], trace=[0]))
    frame = back.__traceback__.tb_frame
    assert (frame.f_back, frame.f_locals, frame.f_globals) == (None, {}, {})
    traceback.clear_frames(back.__traceback__)


def test_outcomes_and_pieces_that_are_errors_have_frames(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path)
    error = raised(fails)
    writer.event(0, "tool", "f", "read", 5, 0, {"about": error}, None, None, None, 1, 1, error)
    writer.event(0, "tool", "f", "read", 5, 0, None, None, None, None, 1, 0, error)
    event = writer.call(0, "tool", "f", "read", 5, 0, None, None, None, None)
    writer.ret(event, 6, 1, error, False)
    event = writer.call(0, "tool", "f", "read", 5, 0, None, None, None, None)
    writer.ret(event, 6, 2, None, False)
    writer.chunk(event, 0, 6, 1, error, False)
    event = writer.call(0, "tool", "f", "read", 5, 0, None, None, None, None)
    writer.ret(event, 6, 1, {"gap": "not storable"}, False)
    writer.flush()
    writer.close()
    with Reader.open(path) as reader:
        whole, returned, call = reader.event(0), reader.event(1), reader.event(2)
        assert whole.error is not None
        assert call.error is not None
        assert [place[1] for place in whole.error.value.state["frames"]] == ["raised", "fails"]
        assert "frames" not in whole.request["about"].state
        assert "frames" not in returned.response.state
        assert "frames" in call.error.value.state
        assert "frames" in reader.event(3).pieces[-1].value.state
        assert reader.event(4).error is not None
