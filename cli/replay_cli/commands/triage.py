"""`replay triage`: evidence for and against four hypotheses, and the owners of what is on the causal path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from replay.cassette.cassette import Cassette
from replay.forensics import owners
from replay.forensics.triage import triage
from replay.model.event import Event
from replay_cli import console, contents, exits, labels, options

_CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where it may be, in the order in which GitHub looks."""


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
    known = _rules(file)
    with contents.open_(cassette) as opened:
        roots = _roots(opened)
        code = _codeowners(roots)

        def named(event: Event) -> list[owners.Owner]:
            return owners.of_event(event, known, code, [str(root) for root in roots])

        found = triage(opened.events, named, labels.of_file(policy))
        damage = contents.damage_of(opened)
    if options.current().json:
        console.document(found.to_json())
    else:
        from replay_cli.render.reasons import print_triage

        print_triage(console.results(), found, verbose=options.current().verbose)
    if damage is not None:
        raise damage
    return exits.SAME if found.verdict == "none" else exits.DIFFERENT


def _rules(file: Path | None) -> list[owners.Rule]:
    try:
        return [] if file is None else owners.rules(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--owners {file}: {getattr(error, 'strerror', None) or error}") from None


def _roots(opened: Cassette) -> list[Path]:
    """The directory that the program ran in, and those above it up to the root of its repository."""
    where = opened.header.get("cwd")
    if not isinstance(where, str):
        return []
    above = [Path(where), *Path(where).parents]
    top = next((number for number, path in enumerate(above) if (path / ".git").exists()), 0)
    return above[top::-1]


def _codeowners(roots: Sequence[Path]) -> list[owners.Rule]:
    files = (root / name for root in roots for name in _CODEOWNERS)
    found = next((file for file in files if file.is_file()), None)
    return [] if found is None else owners.rules(found.read_text("utf-8", "replace"))
