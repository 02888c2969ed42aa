"""`replay demo`: the whole story in one command, with real processes and a real server on loopback."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from replay.boundary import originals
from replay.cassette.cassette import load
from replay.cassette.directory import default_directory
from replay.demo import story
from replay.demo.server import environment, spawn
from replay.launch import Run, record_command, run
from replay.launch.told import verdict_lines
from replay.model.errors import ReplayError
from replay.queries import contents
from replay_cli import console, exits, options
from replay_cli.render.path import print_path
from replay_cli.render.text import one_line

_TIMES = 3


class DemoNeeds(ReplayError):
    """A library of the demonstration's agent isn't installed."""

    slug = "demo-needs"


@click.command("demo")
@options.common
def command() -> int:
    """A support agent refunds a customer twice: record it, replay it, see why, fix it.

    Needs no network and no key: a small server on loopback plays the model, at random. Leaves the recording, the
    agent and its notes in the directory `demo` of the cassette directory, to play with.
    """
    if importlib.util.find_spec("openai") is None:
        raise DemoNeeds("the demo's agent uses openai", hint="pip install openai")
    began = originals.monotonic()
    place = _fresh_place()
    agent = Path(shutil.copy(story.AGENT, place / "agent.py"))
    notes = story.write_notes(place / "notes.json")
    first, second = place / "planted.cassette", place / "double-refund.cassette"
    with _server() as variables:
        _say("1  A customer quotes an e-mail. The agent notes down what it says.")
        _record(first, [agent, notes, story.PLANTING_TICKET], variables)
        _say("2  Days later another customer's lamp arrives broken. The agent reads its notes, and pays twice.")
        _record(second, [agent, notes, story.TICKET], variables)
    _say("   The server is gone now. What is left is the recording.")
    _say(f"3  Replay it {_TIMES} times: the same program, offline, touching nothing.")
    judged = [run(second, output="discard") for _ in range(_TIMES)]
    for each in judged:
        _verdict(each)
    _say("4  What happened, from decision to effect:")
    with load(second) as cassette:
        print_path(console.results(), contents.read(cassette), verbose=False)
    _say(f"5  Change the agent's code ({story.GUARD.name}) and replay the same recording:")
    fixed = place / "agent_fixed.py"
    fixed.write_text(story.GUARD.apply(story.AGENT.read_text()))
    changed = run(second, command=[sys.executable, str(fixed), str(notes), story.TICKET], output="discard")
    _verdict(changed)
    _say("   The fixed agent leaves the recording where it no longer pays twice.")
    _next(second, fixed, notes, originals.monotonic() - began)
    held = all(each.identical for each in judged) and changed.divergence is not None
    return exits.SAME if held else exits.DIFFERENT


def _fresh_place() -> Path:
    place = default_directory() / "demo"
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


@contextmanager
def _server() -> Generator[Mapping[str, str]]:
    with spawn() as url:
        yield environment(url)


def _record(path: Path, arguments: Sequence[str | Path], variables: Mapping[str, str]) -> None:
    program = [sys.executable, *map(str, arguments)]
    record_command(program, os.fspath(path), tags={"demo": "yes"}, variables=variables)


def _verdict(judged: Run) -> None:
    for line in verdict_lines(judged, 1, lenient=False, verbose=False):
        click.echo("   " + (line if line.startswith("    ") else one_line(line)))


def _say(text: str) -> None:
    sys.stdout.flush()
    click.secho(f"\n{text}" if text[0].isdigit() else text, bold=text[0].isdigit(), color=None)
    sys.stdout.flush()


def _next(cassette: Path, fixed: Path, notes: Path, seconds: float) -> None:
    shown = os.path.relpath(cassette)
    changed = shlex.join(["python", os.path.relpath(fixed), os.path.relpath(notes), story.TICKET])
    with load(cassette) as recorded:
        refunds = [event.id for event in recorded.events if event.name == "refund"]
    click.secho(f"\nThat took {seconds:.0f} s. Try next:", bold=True)
    for line in (
        f"replay show {shown}",
        *(f"replay show {shown} {event}" for event in refunds[-1:]),
        f"replay run {shown}",
        f"replay run --match lenient {shown} -- {changed}",
        f"replay verify {shown}",
        f"replay ls {os.path.relpath(cassette.parent)}",
    ):
        click.echo(f"  {line}")
