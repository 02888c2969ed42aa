"""`replay fork`: execute a recording again with an answer changed, into a new recording."""

from __future__ import annotations

import json
import os
import sys

import click

from replay.cassette.cassette import load
from replay.cassette.directory import resolve
from replay.fork import editing
from replay.fork.plan import RECORDED, Plan, Substitute
from replay.model.errors import NotForkable, UsageError
from replay.model.event import Event
from replay_cli import console, exits, options
from replay_cli.forking import asks, executed, free, lines
from replay_cli.render.text import one_line


@click.command("fork")
@click.argument("cassette", callback=options.named)
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
@click.option("--at", type=click.IntRange(min=0), required=True, metavar="N", help="The event to change (replay show).")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change one place of its answer; repeatable.")
@click.option("--edit", is_flag=True, help="Change the answer in $EDITOR.")
@click.option(
    "--response", metavar="FILE", type=click.Path(dir_okay=False), help="Answer with what is in FILE; - reads."
)
@click.option("--drop", is_flag=True, help="No answer comes: the call fails, and does nothing.")
@click.option(
    "--prompt",
    metavar="[ROLE=]TEXT",
    help="From there on the model is told TEXT in the last system message, or in that of another ROLE (user=…).",
)
@click.option(
    "--then",
    "--model",
    "then",
    default=RECORDED,
    metavar="HOW",
    help="Who answers behind it: recorded (default), live, or a PROGRAM that reads a request and prints an answer.",
)
@click.option("--allow-effects", is_flag=True, help="Let live calls that change the world out, without asking.")
@click.option("-o", "--output", metavar="NEW", type=click.Path(dir_okay=False), help="The new cassette.")
@options.reads
def command(
    cassette: str,
    cmd: tuple[str, ...],
    at: int,
    sets: tuple[str, ...],
    edit: bool,
    response: str | None,
    drop: bool,
    prompt: str | None,
    then: str,
    allow_effects: bool,
    output: str | None,
) -> int:
    """Execute a recording again with an answer changed, into a new recording.

    Everything before event N is replayed. Its answer is changed, and the program goes on: answered by the recording, by
    the world (live), or by a program of yours. Files that it writes stay in the fork. A live call that would change the
    world is asked about on a terminal; elsewhere the fork stops there. The new cassette replays by itself, and knows
    its parent (`replay tree`).

    Exits with 0 when the program came to its end, with 125 when the fork stopped before.

        \b
        replay fork bad.cassette --at 8 --set state=shipped -o if.cassette
        replay fork bad.cassette --at 7 --prompt "Never twice." --then live
        replay fork bad.cassette --at 8 --drop --then "python fake_model.py"
        replay diff bad.cassette if.cassette
    """
    chosen = options.current()
    path = os.fspath(resolve(cassette))
    if sum(map(bool, (sets, edit, response, drop))) > 1:
        raise click.UsageError("--set, --edit, --response and --drop are different changes of one answer: choose one")
    with load(path) as known:
        if at >= len(known.events):
            raise NotForkable(f"{path} has no event {at}: they are numbered from 0 to {len(known.events) - 1}")
        event = known.events[at]
    wanted, edits = _changed(event, sets, edit, response, drop)
    told = None if prompt is None else _prompt(prompt)
    if told is not None:
        edits.append(f"{told[0]} prompt = {json.dumps(told[1])}")
    new = output or free(path)
    plan = Plan(
        path,
        at=at,
        substitutes={} if wanted is None else {at: wanted},
        then=then,
        allow_effects=allow_effects,
        ask=asks(then),
        prompt=told,
        edits=edits,
    )
    found = executed(plan, new, cmd)
    if chosen.json:
        console.document({**found.to_json(), "parent": path, "at": at, "edits": edits, "then": then})
    else:
        for line in lines(found, plan, event):
            click.echo(one_line(line), err=True)
    return exits.SAME if found.status == "ended" else exits.CANNOT_JUDGE


def _changed(
    event: Event, sets: tuple[str, ...], edit: bool, response: str | None, drop: bool
) -> tuple[Substitute | None, list[str]]:
    """What is asked for, and the same in words."""
    if drop:
        editing.check_is_answer(event)
        return Substitute("drop"), ["dropped"]
    if response is not None:
        editing.check_is_answer(event)
        try:
            data = sys.stdin.buffer.read() if response == "-" else _read(response)
        except OSError as error:
            raise UsageError(f"{response}: {error.strerror}") from None
        return editing.from_text(event, data), [f"answer from {os.path.basename(response)}"]
    if edit:
        return _edited(event)
    if not sets:
        return None, []
    found, status = editing.document(event), None
    edits: list[str] = []
    for each in sets:
        place, equals, text = each.partition("=")
        if not equals:
            raise UsageError(f"--set is PATH=VALUE, not {each!r}", hint="such as --set total=3")
        value = editing.parse_value(text)
        if place == editing.STATUS and event.kind == "http" and isinstance(value, int):
            status = value
        else:
            found = editing.changed(found, editing.parse_path(place), value)
        edits.append(f"{place} = {json.dumps(value)}")
    return editing.substitute(event, found, status), edits


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _edited(event: Event) -> tuple[Substitute | None, list[str]]:
    before = editing.document(event)
    is_text = isinstance(before, str)
    try:
        text = before if is_text else json.dumps(before, indent=2, ensure_ascii=False)
    except (TypeError, ValueError):
        raise NotForkable(
            f"event {event.id} ({event.kind} {event.name}) has an answer that can't be shown as JSON",
            hint="--set changes one place of it",
        ) from None
    if not (sys.stdin.isatty() or os.environ.get("VISUAL") or os.environ.get("EDITOR")):
        raise UsageError(
            "--edit opens an editor, and there is no terminal here", hint="--set or --response; or $EDITOR"
        )
    after = click.edit(text, extension=".txt" if is_text else ".json")
    if after is None or after.strip() == text.strip():
        raise UsageError("nothing was changed in the editor")
    if is_text:
        return editing.substitute(event, after), ["answer edited"]
    try:
        return editing.substitute(event, json.loads(after)), ["answer edited"]
    except ValueError as error:
        raise UsageError(f"what was edited isn't JSON any more: {error}") from None


def _prompt(text: str) -> tuple[str, str]:
    role, equals, said = text.partition("=")
    return (role, said) if equals and role in ("system", "developer", "user") else ("system", text)
