"""`expect(run)`: claims about a run, judged at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replay.expect import Expression, judge, parse, show
from replay.expect.syntax import And, Fact, Not
from replay.testing.claims import Claim, Selecting, Value
from replay.testing.judging import Failure, path_of, subject_of
from replay.testing.trajectories import Trajectory, trajectory

__tracebackhide__ = True  # a failed test shows its own line, not ours


def expect(run: Any) -> Expectations:
    """What is expected of a run: `replayed`, `replay.run(...)`, or a cassette from `replay.load(...)`.

    Each expectation raises `Failure`, an AssertionError, where it doesn't hold or can't be decided, and else gives back
    what the next one is asked of.

    Example:
        expect(replayed).tool("refund").with_(amount=5).once().tool("send_email").never()
    """
    return Expectations(run)


class Expectations(Selecting["Expectations"]):
    """Of one run; within one agent, or the contrary of what is said, where that was asked for."""

    def __init__(self, run: Any, *, agent: str | None = None, denied: bool = False) -> None:
        super().__init__(self._judged, agent)
        self._run = run
        self._subject = subject_of(run)
        self._denied = denied

    def _judged(self, expression: Expression) -> Expectations:
        if self._denied:
            expression = Not(expression)
        found = judge(expression, self._subject)
        if not found.holds:
            raise Failure.of(show(expression), found, self._run)
        return Expectations(self._run, agent=self._agent)

    @property
    def not_(self) -> Expectations:
        """The next expectation must not hold. What can't be decided fails all the same."""
        return Expectations(self._run, agent=self._agent, denied=not self._denied)

    def within(self, agent: str) -> Expectations:
        """Only what this agent did."""
        return Expectations(self._run, agent=agent, denied=self._denied)

    def holds(self, *claims: Claim | str) -> Expectations:
        """All of these: combined claims, or texts of the language (docs/expressions.md)."""
        parts = tuple(parse(each) if isinstance(each, str) else each.expression for each in claims)
        if not parts:
            raise TypeError("holds(): what?")
        return self._judged(parts[0] if len(parts) == 1 else And(parts))

    def identical(self) -> Expectations:
        """The replay was the same execution."""
        return self._judged(Fact("identical"))

    def policy(self, path: str | Path) -> Expectations:
        """No rule of that policy or baseline is broken by what the run did (docs/check.md).

        Raises:
            PolicyInvalid: the file can't be read.
        """
        from replay.testing.policies import deviations

        if self._denied:
            raise TypeError("not_.policy(): say which deviation instead")
        lines = deviations(Path(path), self._run, self._subject)
        if lines:
            raise Failure("\n".join([f"{path}: {path_of(self._run) or 'the run'} deviates", *lines]))
        return self

    baseline = policy

    @property
    def trajectory(self) -> Trajectory:
        """Its steps, a line each, without times and ids: for `== snapshot(...)`."""
        return trajectory(self._subject.events, agent=self._agent)

    @property
    def exit(self) -> Value[Expectations]:
        """The exit code."""
        return self.value("exit")

    @property
    def output(self) -> Value[Expectations]:
        """What it printed."""
        return self.value("output")

    @property
    def result(self) -> Value[Expectations]:
        """Of an entry point's call."""
        return self.value("result")

    @property
    def tokens(self) -> Value[Expectations]:
        """Of all calls of models together."""
        return self.value("tokens")

    @property
    def took(self) -> Value[Expectations]:
        """Seconds that the recorded run took, to its last event."""
        return self.value("took")
