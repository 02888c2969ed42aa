"""`replay record`: run a program and record it."""

from __future__ import annotations

import json
import os
from typing import Literal

import click

from replay import options as settings
from replay.boundary import originals
from replay.cassette.directory import default_directory, descendants
from replay.cassette.header import new_id
from replay.cassette.keeping import Keeping, Kept
from replay.launch import Recording, record_command
from replay.model.errors import CassetteEncrypted, NotRecorded, NotReplayable, ReplayError
from replay_cli import options
from replay_cli.render.text import one_line, plural


@click.command("record", context_settings={"ignore_unknown_options": False})
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="The cassette; a new one in $REPLAY_DIR by default."
)
@click.option("--name", help="A name for the header.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A label for the header; may be repeated.")
@click.option("--audit", is_flag=True, help="Name what C extensions open and connect to, as well; slower.")
@click.option(
    "--threads",
    type=click.Choice(["order", "strict"]),
    help="strict: one thread at a time, so that data races in memory replay exactly; slower.",
)
@click.option(
    "--sign",
    metavar="KEY",
    type=click.Path(dir_okay=False),
    help="Sign the cassettes at the end, with this private key (`replay keygen`).",
)
@click.option(
    "--seam", "seams", multiple=True, metavar="NAME", help="A seam that another package adds; may be repeated."
)
@click.option("--redact", metavar="F", help="A TOML file: what is a secret besides what looks like one.")
@click.option(
    "--flight-recorder", metavar="SIZE", help="Keep the newest events only (64MB), saved on failure or signal."
)
@click.option("--sample", metavar="SHARE", help="Record this share of the runs, from 0 to 1, by trace id.")
@click.option("--keep", metavar="RULE", help="always, or on-failure: what ends well is removed.")
@click.option("--retain-age", metavar="AGE", help="Remove sealed cassettes of the directory that are older (7d).")
@click.option("--retain-size", metavar="SIZE", help="Remove the oldest ones beyond this much in all (2GB).")
@click.option(
    "--encrypt",
    metavar="RECIPIENT",
    multiple=True,
    help="Encrypt for this age recipient (age1…), or those in a file; may be repeated. This host can't read it then.",
)
@click.option(
    "--upload",
    metavar="URL",
    help="Copy the cassette to this folder (s3://…) when it is sealed, in the background (`replay upload`).",
)
@click.argument("cmd", nargs=-1, required=True, type=click.UNPROCESSED)
@options.common
def command(
    output: str | None,
    name: str | None,
    tags: tuple[str, ...],
    audit: bool,
    threads: Literal["order", "strict"] | None,
    sign: str | None,
    seams: tuple[str, ...],
    redact: str | None,
    flight_recorder: str | None,
    sample: str | None,
    keep: str | None,
    retain_age: str | None,
    retain_size: str | None,
    encrypt: tuple[str, ...],
    upload: str | None,
    cmd: tuple[str, ...],
) -> int:
    """Run a Python program and record everything nondeterministic it reads.

    The program is any command that starts Python: a script, -m module, a console script. It needs no change. Its exit
    code is passed through.

        \b
        replay record -o incident.cassette -- python agent.py
    """
    rules: Kept = {"flight_recorder": flight_recorder, "sample": sample, "keep": keep}
    rules |= {"retain_age": retain_age, "retain_size": retain_size}
    keeping = Keeping.of(settings.current(), **rules)
    path = output or os.path.join(default_directory(), f"{_new_name()}.cassette")
    known = settings.current()
    try:
        labels = dict(map(_tag, tags))
        recording = record_command(
            cmd,
            path,
            name=name or known.name,
            tags={**known.tags, **labels},
            audit=audit or known.audit,
            threads=threads or ("strict" if known.threads == "strict" else "order"),
            propagate=known.propagate,
            sign=sign or known.sign,
            encrypt=encrypt or known.encrypt,
            redact=redact or known.redact,
            seams=seams or known.seams,
            keeping=keeping,
            warn=_warn,
        )
    except NotReplayable as error:
        if cmd[0].endswith(".py") and os.path.isfile(cmd[0]) and not error.hint:
            raise NotReplayable(error.what, hint=f"a file, not a command: did you mean python {cmd[0]}?") from error
        raise
    if recording.unwritable is not None:
        pass  # it was said before the program began
    elif not recording.kept:
        if not options.current().quiet:
            click.echo("replay: nothing is kept of it, as asked", err=True)
    elif os.path.exists(recording.path):
        try:
            _report(recording.path, finished=recording.finished)
        except CassetteEncrypted:  # as it was wanted
            _encrypted(recording)
        for line in recording.unsigned:
            click.echo(one_line(f"replay: {line}"), err=True)
    else:  # the program failed; its exit code stands
        click.echo(f"replay: {one_line(cmd[0])} failed, and nothing was recorded [{NotRecorded.slug}]", err=True)
    upload = upload or known.upload
    if upload is not None and recording.finished and os.path.exists(recording.path):
        from replay.uploading import in_background  # a program that isn't uploaded doesn't wait for it

        try:
            in_background(recording.path, upload, descendants(recording.path))
        except (ReplayError, OSError) as error:  # the program's exit code stands
            click.echo(one_line(f"replay: {recording.path}: not uploaded: {error}"), err=True)
    return recording.exit_code


def _warn(what: str) -> None:
    click.echo(f"replay: {one_line(what)} [{NotRecorded.slug}]", err=True)


def _encrypted(recording: Recording) -> None:
    """As `_report`, of what was seen before nobody here could read it any more."""
    from replay_cli.render.spots import spot_lines

    events, gaps, spots = recording.seen or (0, 0, ())
    if options.current().json:
        note = {"cassette": recording.path, "events": events, "finished": recording.finished, "gaps": gaps}
        click.echo(json.dumps({**note, "blind_spots": len(spots)}), err=True)
        return
    lines = [f"replay: {recording.path}: {plural(events, 'event')} recorded, and encrypted"]
    lines += [_gaps(gaps)] if gaps else []
    lines += [] if options.current().quiet else spot_lines(spots)
    for line in lines:
        click.echo(one_line(line), err=True)


def _gaps(count: int) -> str:
    return f"replay: {plural(count, 'gap')}: seen, but not stored; replay ends there"


def _new_name() -> str:
    return new_id(originals.wall_ns() // 1_000_000, originals.urandom(10))


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"a tag is K=V, not {text!r}", click.get_current_context())
    return name, value


def _report(path: str, *, finished: bool) -> None:
    """On stderr: stdout is the program's. What reads cassettes is imported now, not while the program waits."""
    from replay.cassette.cassette import load
    from replay_cli.render.spots import spot_lines

    with load(path) as cassette:
        shown = os.path.relpath(path)
        shown = path if shown.startswith("..") else shown
        gaps = int((cassette.outcome or {}).get("gaps", 0)) or len(cassette.gaps)  # outcomes that weren't stored, too
        if options.current().json:
            note = {"cassette": path, "events": len(cassette.events), "finished": finished, "gaps": gaps}
            click.echo(json.dumps({**note, "blind_spots": len(cassette.blind_spots)}), err=True)
            return
        lines = [f"replay: {shown}: {plural(len(cassette.events), 'event')} recorded"]
        if cassette.stopped is not None:
            lines[0] += f"; {cassette.stopped}"
        elif not finished:
            lines[0] += "; the program was killed: the recording is unfinished and replays to the cut"
        if gaps:
            lines.append(_gaps(gaps))
        if not options.current().quiet:
            lines += spot_lines(cassette.blind_spots)
    for line in lines:
        click.echo(one_line(line), err=True)
