"""`replay report`: an incident as one page, for people who never saw this tool."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from replay.forensics import owners
from replay.model.errors import CassetteExists
from replay.model.visible import one_line, size
from replay.policy import files
from replay.queries import contents
from replay.report import Incident, Wanted
from replay.report import report as made
from replay_cli import console, exits, options


@click.command("report")
@click.argument("cassette", callback=options.named)
@click.option("-o", "--output", required=True, metavar="F", help="The file to write, a new one; `-` is stdout.")
@click.option("--at", type=click.IntRange(min=0), metavar="N", help="The event in question (default: triage's).")
@click.option("--title", metavar="TEXT", help="The heading.")
@click.option("--owners", "file", metavar="F", type=click.Path(dir_okay=False), help="Who owns what: docs/triage.md.")
@click.option("--policy", metavar="F", help="Rules, and whose words may count: docs/check.md.")
@click.option("--baseline", metavar="F", help="What good runs have in common: `replay baseline learn`.")
@click.option("--tested", metavar="F", help="What `replay why N --intervene --json` found: confirmed links.")
@click.option("--earlier", multiple=True, metavar="C", help="A recording that may have written the memory; repeatable.")
@click.option("--force", is_flag=True, help="Overwrite F.")
@options.reads
def command(cassette: str, output: str, file: str | None, earlier: tuple[str, ...], force: bool, **given: Any) -> int:
    """An incident as one page, for people who never saw this tool.

    Verdict and owners, what happened, why, what the model had read, memory, effects, and what the recording didn't see.

    F is one HTML file. It asks nothing of any network, and whatever was recorded stands in it as text: who gets it by
    mail can open it, read it without knowing this tool, and print it. Readable by nobody else than you, as the
    recording is.

    The event in question is the one that triage points at; where it points at none, the last effect; or N.

        \b
        replay report run.cassette -o incident.html
        replay report run.cassette -o - --at 31 \\
            --owners OWNERS --policy policy.yaml > incident.html
    """
    if output != "-" and os.path.lexists(output) and not force:
        raise CassetteExists(
            f"{output} exists already", hint="a report never overwrites; choose another -o, or --force"
        )
    policies = [files.load(Path(given[name])) for name in ("baseline", "policy") if given[name] is not None]
    with ExitStack() as stack:
        opened = stack.enter_context(contents.open_(cassette))
        others = [stack.enter_context(contents.open_(options.named_file(each))) for each in earlier]
        wanted = Wanted(given["at"], given["title"], _rules(file), policies, _tested(given["tested"]), others)
        document, found = made(opened, wanted)
        damage = contents.damage_of(opened)
    data = document.encode("utf-8")
    _write(output, data)
    if options.current().json:
        console.document(_told(output, len(data), found))
    elif output != "-":
        click.echo(one_line(f"{output}: {_verdict(found)}, {size(len(data))}"))
    if damage is not None:
        raise damage
    return exits.SAME


def _write(output: str, data: bytes) -> None:
    """Whole or not at all."""
    if output == "-":
        if not options.current().json:
            sys.stdout.buffer.write(data)
        return
    beside = f"{output}.{os.getpid()}.new"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(data)
        os.replace(beside, output)
    except BaseException:
        os.unlink(beside)
        raise


def _rules(file: str | None) -> list[owners.Rule]:
    try:
        return [] if file is None else owners.rules(Path(file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--owners {file}: {getattr(error, 'strerror', None) or error}") from None


def _tested(file: str | None) -> dict[str, Any] | None:
    try:
        found: Any = None if file is None else json.loads(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--tested {file}: {getattr(error, 'strerror', None) or error}") from None
    if found is not None and not isinstance(found, dict):
        raise click.UsageError(f"--tested {file}: not what `replay why --intervene --json` prints")
    return found  # pyright: ignore[reportUnknownVariableType]


def _verdict(found: Incident) -> str:
    verdict = "nothing found" if found.triage.verdict == "none" else found.triage.verdict.replace("_", " ")
    return verdict if found.at is None else f"{verdict}, event {found.at}"


def _told(output: str, count: int, found: Incident) -> dict[str, Any]:
    return {
        "report": output,
        "bytes": count,
        "verdict": found.triage.verdict,
        "event": found.at,
        "decision": None if found.window is None else found.window.event,
        "events": len(found.contents.events),
        "sha256": found.digest,
        "intact": found.integrity is not None and found.integrity.intact,
        "blind_spots": len(found.contents.blind_spots),
        "gaps": len(found.contents.gaps),
        "deviations": None if found.deviations is None else [each.to_json() for each in found.deviations],
    }
