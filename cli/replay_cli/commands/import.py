"""`replay import`: what other programs wrote down about agents, as cassettes."""  # noqa: N999 - the command's name

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from replay.cassette.directory import SUFFIX
from replay.interop import formats
from replay.model.errors import CassetteUnreadable
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("import")
@click.argument("format")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, metavar="P", type=click.Path(), help="A cassette; of several runs a directory."
)
@options.common
def command(format: str, files: Sequence[Path], output: str) -> int:  # noqa: A002 - as the command line has it
    """Recordings and transcripts of agents, from elsewhere, as cassettes.

    FORMAT is one of:

    \b
    chat    what was said: messages as OpenAI or Anthropic have them; exports of
            LangSmith, Langfuse, Phoenix; logs of Inspect, SWE-agent, AgentDojo,
            tau-bench; told by what is in a file; a directory of them
    json    what `replay export json` wrote
    otel    traces in OTLP JSON
    vcr     vcrpy's YAML or JSON, gzipped or not; a directory of them

    A cassette of a transcript is one that `show`, `why` and `triage` read, and that can't be executed again. What a
    transcript doesn't have (times, order, code, effects) is listed as blind spots. Other packages may add formats.

    P is a cassette where it ends in .cassette, or where there is one run and no such directory; otherwise a directory
    of cassettes named after the files.
    """
    reads = formats.importer(format)
    found = [run for file in files for run in reads(file)]
    if not options.current().quiet:
        _left_out(files, {run.file for run in found})
    target = Path(output)
    single = len(found) == 1 and not target.is_dir() and not output.endswith(os.sep)
    if not single and target.suffix == SUFFIX:
        raise click.UsageError(f"-o {output}: there are {plural(len(found), 'run')}; name a directory")
    made: list[dict[str, object]] = []
    if not single:
        _directory(target)
    for run, path in zip(found, [target] if single else _names(found, target), strict=True):
        events = run.write(path)
        made.append(
            {"path": str(path), "from": str(run.file), "part": run.part, "format": run.format, "events": events}
        )
        if not options.current().json:
            console.tell(one_line(f"{path}: {events} events, {run.format}"))
    if options.current().json:
        console.document({"imported": made})
    return exits.SAME


def _left_out(places: Sequence[Path], taken: set[Path]) -> None:
    """Of directories: how many files nobody knew."""
    for place in places:
        left = [file for file in place.rglob("*") if file.is_file() and file not in taken] if place.is_dir() else []
        if left:
            first = min(left).relative_to(place)
            click.echo(one_line(f"replay: {place}: left out {plural(len(left), 'file')}, such as {first}"), err=True)


def _directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CassetteUnreadable(f"can't create {path}: {error.strerror}") from None


def _names(found: Sequence[formats.Run], directory: Path) -> Iterator[Path]:
    """A file's path below what all have in common, and the run's number where it has several."""
    whole = [run.file.absolute() for run in found]
    common = Path(os.path.commonpath([path.parent for path in whole])) if whole else Path()
    several = {run.file for run in found if run.part > 0}
    taken: set[str] = set()
    for run, path in zip(found, whole, strict=True):
        name = _ENDING.sub("", "__".join(path.relative_to(common).parts))
        name += f"-{run.part}" if run.file in several else ""
        while name in taken:
            name += "-again"
        taken.add(name)
        yield directory / f"{name}{SUFFIX}"


_ENDING = re.compile(r"(?:\.(?:json|jsonl|ya?ml|har|traj|eval|log|txt))*(?:\.gz)?$")
