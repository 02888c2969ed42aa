"""`replay import`: what other programs wrote down about agents, as cassettes."""  # noqa: N999 - the command's name

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from replay.cassette.directory import SUFFIX
from replay.interop import importing
from replay.interop.chat import Transcript
from replay.model.errors import CassetteUnreadable
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("import")
@click.argument("format", type=click.Choice(["chat"]))
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, metavar="P", type=click.Path(), help="A cassette; of several runs a directory."
)
@options.common
def command(format: str, files: Sequence[Path], output: str) -> int:  # noqa: A002 - as the command line has it
    """Transcripts of agents, from elsewhere, as cassettes.

    chat: messages as OpenAI or Anthropic have them, AgentDojo's runs, tau-bench's trajectories, Who&When's logs. Each
    becomes a cassette that `show`, `why` and `triage` read, and that can't be executed again. What a transcript doesn't
    have (times, order, code, effects) is listed as blind spots.

    P is a cassette where it ends in .cassette, or where there is one run and no such directory; otherwise a directory
    of cassettes named after the files.
    """
    found = [(file, run) for file in files for run in importing.load(file)]
    target = Path(output)
    single = len(found) == 1 and not target.is_dir() and not output.endswith(os.sep)
    if not single and target.suffix == SUFFIX:
        raise click.UsageError(f"-o {output}: there are {plural(len(found), 'run')}; name a directory")
    made: list[dict[str, object]] = []
    if not single:
        _directory(target)
    for (file, run), path in zip(found, [target] if single else _names(found, target), strict=True):
        events = importing.write(run, path, file.read_bytes())
        made.append({"path": str(path), "from": str(file), "part": run.part, "format": run.format, "events": events})
    if options.current().json:
        console.document({"imported": made})
    else:
        for each in made:
            click.echo(one_line(f"{each['path']}: {each['events']} events, {each['format']}"))
    return exits.SAME


def _directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CassetteUnreadable(f"can't create {path}: {error.strerror}") from None


def _names(found: Sequence[tuple[Path, Transcript]], directory: Path) -> Iterator[Path]:
    """A file's path below what all have in common, and the run's number where it has several."""
    whole = [file.absolute() for file, _ in found]
    common = Path(os.path.commonpath([file.parent for file in whole]))
    several = {file for file, run in found if run.part > 0}
    for (file, run), path in zip(found, whole, strict=True):
        name = "__".join(path.relative_to(common).with_suffix("").parts)
        yield directory / f"{name}{f'-{run.part}' if file in several else ''}{SUFFIX}"
