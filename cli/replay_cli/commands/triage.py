"""`replay triage`: evidence for and against four hypotheses, and the owners of what is on the causal path."""

from __future__ import annotations

from pathlib import Path

import click

from replay.forensics.triage import triage
from replay.queries import contents, labels
from replay.queries.answerable import answerable, rules
from replay_cli import console, exits, options


@click.command("triage")
@click.argument("cassette", callback=options.named)
@click.option(
    "--owners",
    "file",
    metavar="F",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Who owns what: docs/triage.md.",
)
@click.option("--policy", metavar="F", help="Whose words may count: `trust` in this file, docs/check.md.")
@options.reads
def command(cassette: str, file: Path | None, policy: str | None) -> int:
    """Evidence for and against four things that may have gone wrong, and who answers for it.

    The four: prompt injection, policy scope too wide, excessive tool capability, reasoning drift. Each has its evidence
    by event, and what would decide it. Owners are those named by owner= of tools and stores, by F, and by CODEOWNERS
    for the files of call sites on the causal path.

    Exits with 1 where something speaks for one of the four, with 0 where nothing does.
    """
    known = rules(file)
    with contents.open_(cassette) as opened:
        found = triage(opened.events, answerable(opened.header, known), labels.of_file(policy))
        damage = contents.damage_of(opened)
    if options.current().json:
        console.document(found.to_json())
    else:
        from replay_cli.render.reasons import print_triage

        print_triage(console.results(), found, verbose=options.current().verbose)
    if damage is not None:
        raise damage
    return exits.SAME if found.verdict == "none" else exits.DIFFERENT
