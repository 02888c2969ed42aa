"""`replay why`: what accounts for a decision or a call, ranked, with evidence; `--intervene` puts it to the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from replay.forensics.why import Why, why
from replay.model.errors import UsageError
from replay.queries import contents, labels
from replay_cli import console, exits, options
from replay_cli.render.text import one_line

if TYPE_CHECKING:
    from replay.cassette.cassette import Cassette
    from replay.intervene.trials import Intervened


@click.command("why")
@click.argument("cassette", callback=options.named)
@click.argument("event", type=click.IntRange(min=0))
@click.option("--intervene", is_flag=True, help="Mask the best causes, one by one, and ask the model again.")
@click.option(
    "--model",
    metavar="recorded|live|PROGRAM",
    help="Who answers then: nobody (default), the model itself (effects are held), or a command.",
)
@click.option("--samples", type=click.IntRange(min=1), metavar="K", help="Ask up to K times each (default 10).")
@click.option("--causes", type=click.IntRange(min=1), metavar="N", help="Test the N best causes (default 3).")
@click.option(
    "--argument",
    "arguments",
    multiple=True,
    metavar="NAME",
    help="The argument in question; repeatable. Otherwise those whose values the model had read.",
)
@click.option("--one-step", is_flag=True, help="Ask the deciding call alone; don't execute the program.")
@click.option("-n", "width", type=click.IntRange(min=1), metavar="N", help="Take N samples at a time.")
@click.option("--keep", metavar="DIR", type=click.Path(file_okay=False), help="Keep the recordings of executions.")
@click.option("--policy", metavar="F", help="Whose words may count: `trust` in this file, docs/check.md.")
@options.reads
def command(cassette: str, event: int, intervene: bool, policy: str | None, **given: Any) -> int:
    """What accounts for a decision or a call, ranked, with the evidence.

    EVENT is an answer of a model, a call of a tool, or anything that happened inside one. Each cause is a text that the
    model had before it, with the event it came from. Links are told apart: recorded (it was in the window; this answer
    asked for the call) and inferred (a span tells somebody to do this; a value of the call stands in it).

    With --intervene the best causes are put to the test: each is masked, by something of its shape that says nothing,
    the program is executed again from there in the sandbox, and it is counted how often the same call is made, beside
    as many executions with nothing masked. What the call needs is confirmed, what it doesn't need is refuted. Where
    there is no program (a transcript), the deciding call of the model is asked again by itself. No effect fires.

    Exits with 125 where --intervene could decide nothing.

        \b
        replay why run.cassette 7
        replay why run.cassette 7 --intervene --model live --samples 20 -n 4
        replay why run.cassette 7 --intervene --argument recipient \\
            --model 'python model.py'
    """
    if not intervene and any(given.values()):
        name = next(name for name, value in given.items() if value)
        flag = {"arguments": "--argument", "width": "-n", "one_step": "--one-step"}.get(name, f"--{name}")
        raise UsageError(f"{flag} says how to test causes", hint="it belongs to --intervene")
    tested = None
    with contents.open_(cassette) as opened:
        if event >= len(opened.events):
            raise UsageError(f"no event {event} in {opened.path}; there are {len(opened.events)}")
        found = why(opened.events, event, labels.of_file(policy))
        if intervene:
            tested = _tested(opened, found, given)
            found = tested.why
    if options.current().json:
        console.document(found.to_json() if tested is None else tested.to_json())
    else:
        from replay_cli.render.reasons import print_why

        print_why(console.results(), found, tested, verbose=options.current().verbose)
    return exits.SAME if tested is None or tested.decided else exits.CANNOT_JUDGE


def _tested(opened: Cassette, found: Why, given: dict[str, Any]) -> Intervened:
    from replay.intervene.trials import Terms, intervene

    notes = console.notes()

    def heard(line: str) -> None:
        notes.print(one_line(line), soft_wrap=True, markup=False, highlight=False)

    asked = {name: value for name, value in given.items() if value}
    return intervene(str(opened.path), opened.events, found, Terms(**asked, heard=heard))
