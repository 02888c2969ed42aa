"""`replay promote`: an incident as a regression test."""

from __future__ import annotations

import click

from replay import expect as expectations
from replay import options as settings
from replay.cassette.cassette import load
from replay.cassette.directory import resolve
from replay.cassette.redact.rules import Rules
from replay.corpus.promotion import Promoted, promote
from replay.launch import run
from replay.model.errors import ReplayError
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("promote")
@click.argument("incident", callback=options.named)
@click.option("--to", required=True, metavar="DIR|FILE", help="Where the test goes: a directory, or test_….py itself.")
@click.option("--expect", "expression", required=True, metavar="EXPR", help="What should have held, and didn't.")
@click.option(
    "--name", metavar="NAME", help="Of the test and its cassette [default: the recording's, or its program's]."
)
@click.option("--redact", metavar="F", help="A TOML file: what is a secret besides what looks like one.")
@options.reads
def command(incident: str, to: str, expression: str, name: str | None, redact: str | None) -> int:
    """An incident as a regression test: a cassette, and a test that fails on the code it shows.

    The cassette is cut behind what decides that EXPR doesn't hold, and secrets in it are replaced. Nothing is written
    if one can't be, or if EXPR holds of the recording. What the test comes to with the present code is said.

        \b
        replay promote latest --to tests/incidents \\
            --expect 'tool refund called at most 1'
    """
    rules_file = redact or settings.current().redact
    made = promote(
        resolve(incident), to, expression, name=name, rules=None if rules_file is None else Rules.load(rules_file)
    )
    now = _now(made)
    if options.current().json:
        console.document(
            {
                "test": str(made.test),
                "cassette": str(made.cassette),
                "expression": made.expression,
                "events": {"kept": made.kept, "of": made.events},
                "why": made.why,
                "redacted": made.redacted,
                "now": now,
            }
        )
    else:
        console.tell(one_line(f"{made.test}: {made.expression}"))
        console.tell(one_line(f"{made.cassette}: {made.kept} of {plural(made.events, 'event')}; {made.why}"))
        if made.redacted:
            console.tell(f"{plural(made.redacted, 'secret')} replaced")
        console.tell(f"with the present code the test {now}")
    return exits.SAME


def _now(made: Promoted) -> str:
    """What the test comes to: it is run from here, as pytest would."""
    try:
        with load(made.cassette) as recording:
            found = run(made.cassette)
            judged = expectations.judge(expectations.parse(made.expression), expectations.reexecuted(recording, found))
    except ReplayError as error:
        return f"can't be judged: {one_line(str(error))}"
    return {True: "passes: it is fixed, or another program", False: "fails", None: "can't be decided"}[judged.holds]
