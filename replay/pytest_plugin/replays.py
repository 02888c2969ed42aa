"""`@pytest.mark.replay` and `replayed`: the re-execution, and what a report says of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast
from unittest import TestCase

import pytest

from replay.launch import Run, run
from replay.launch.told import verdict_lines
from replay.model.errors import ReplayError
from replay.model.visible import one_line

DONE = pytest.StashKey[tuple[Run, ...]]()
"""What was re-executed for a test."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a marker asks for; see `replay.run`."""

    path: Path | str
    match: Literal["strict", "lenient"] = "strict"
    run_tools: bool | None = None
    allow: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    until: int | None = None

    def done(self) -> Run:
        """Re-execute it; pytest shows one line where that isn't possible."""
        try:
            return run(
                self.path,
                match=self.match,
                run_tools=self.run_tools,
                allow=self.allow,
                command=self.command,
                until=self.until,
            )
        except ReplayError as error:
            pytest.fail(f"{self.path}: {error}", pytrace=False)


@dataclass(slots=True)
class Replays:
    """Re-executions by what was asked for."""

    known: dict[Wanted, Run] = field(default_factory=dict[Wanted, Run])

    def of(self, wanted: Wanted) -> Run:
        """The one that there is, or a new one."""
        if wanted not in self.known:
            self.known[wanted] = wanted.done()
        return self.known[wanted]


def replayed_for(request: pytest.FixtureRequest, cache: Callable[[], Replays]) -> Run:
    """The Run for the test that asks. Where the test doesn't name `replayed`, it has to be identical.

    Raises:
        pytest.UsageError, as a failure of the test: there is no marker, or what it says makes no sense.
    """
    mark = request.node.get_closest_marker("replay")
    if mark is None:
        pytest.fail("`replayed` needs to know which: @pytest.mark.replay('x.cassette')", pytrace=False)
    named = cast("str | None", getattr(request, "param", None))
    if named is None and len(mark.args) != 1:
        pytest.fail("@pytest.mark.replay names one cassette, or the test takes `replayed` for each", pytrace=False)
    item = cast("pytest.Item", request.node)
    found = cache().of(_wanted(item, str(named or mark.args[0]), mark.kwargs))
    note(item, found)
    instance = request.instance
    if isinstance(instance, TestCase):
        cast("Any", instance).replayed = found
    elif "replayed" not in _own_arguments(item) and not found.identical:
        pytest.fail(f"{found.cassette} isn't replayed identically", pytrace=False)
    return found


def _own_arguments(item: pytest.Item) -> Sequence[str]:
    """Those that the test or its fixtures name."""
    info = getattr(item, "_fixtureinfo", None)
    return () if info is None else tuple(cast("Sequence[str]", info.initialnames)) + tuple(_of_fixtures(info))


def _of_fixtures(info: Any) -> list[str]:
    found: list[str] = []
    for definitions in info.name2fixturedefs.values():
        found += definitions[-1].argnames
    return found


def _wanted(item: pytest.Item, name: str, options: dict[str, Any]) -> Wanted:
    try:
        for each in ("allow", "command"):
            given: Any = options.get(each)
            if given is not None:
                options = {**options, each: tuple(shlex.split(given) if isinstance(given, str) else given)}
        return Wanted(where(item, name), **options)
    except TypeError as error:
        pytest.fail(f"@pytest.mark.replay: {error}".replace("Wanted.__init__()", "it"), pytrace=False)


def where(item: pytest.Item, name: str) -> Path | str:
    """Beside the test, else below the root directory; a URL as it is."""
    if "://" in name:
        return name
    beside = item.path.parent / name
    return beside if beside.exists() else Path(item.config.rootpath, name)


def note(item: pytest.Item, found: Run) -> None:
    """What reports of that test say of the replay: JUnit and HTML have the cassette with it."""
    if found in item.stash.get(DONE, ()):
        return
    item.stash[DONE] = (*item.stash.get(DONE, ()), found)
    item.user_properties += [("replay_cassette", found.cassette), ("replay_identical", found.identical)]
    if found.divergence is not None:
        item.user_properties.append(("replay_divergence", one_line(found.divergence.reason)))


def tell(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add what is known of the replays to the report of a test that failed."""
    for found in item.stash.get(DONE, ()):
        if report.failed:
            report.sections.append((f"replay of {one_line(found.cassette)}", "\n".join(told(found))))
        if report.when == "call" and item.config.pluginmanager.hasplugin("html"):
            link = {"name": "cassette", "format_type": "url", "content": found.cassette}
            extras: Any = getattr(report, "extras", [])
            cast("Any", report).extras = [*extras, {**link, "mime_type": None, "extension": None}]


def debug(item: pytest.Item) -> None:
    """Re-execute what diverged once more, in the foreground, and stop in the debugger there."""
    capture: Any = item.config.pluginmanager.getplugin("capturemanager")
    for found in item.stash.get(DONE, ()):
        if found.divergence is None:
            continue
        if capture is not None:
            capture.suspend(in_=True)
        event = found.divergence.event
        tools = found.tools == "run"
        run(found.cassette, pdb=-1 if event is None else event, run_tools=tools, output="inherit")


def told(found: Run) -> list[str]:
    """The verdict as `replay run` says it, and the command that shows more."""
    lines = verdict_lines(found, 1, lenient=bool(found.drift), verbose=False)
    shown = [line if line.startswith("    ") else one_line(line) for line in lines]
    return [*shown, "", f"to debug it: {command(found)}"]


def command(found: Run, event: int | None = None) -> str:
    """The command line that stops in the debugger where it went another way, or at an event."""
    if event is None and found.divergence is not None:
        event = found.divergence.event
    stop = [] if event is None else ["--pdb", str(event)]
    tools = ["--run-tools"] if found.tools == "run" and stop else []
    return shlex.join(["replay", "run", found.cassette, *stop, *tools])


__all__ = ["DONE", "Replays", "Wanted", "command", "note", "replayed_for", "tell", "told", "where"]
