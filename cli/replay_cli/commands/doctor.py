"""`replay doctor`: what would be captured here; or which lines of a program read what isn't."""

from __future__ import annotations

import click

from replay.doctor.examine import Diagnosis, examine
from replay.doctor.here import Library, libraries, summary
from replay.launch.told import verdict_lines
from replay_cli import console, exits, options
from replay_cli.render.spots import spot_lines
from replay_cli.render.text import one_line, plural

_SHOWN = 20


@click.command("doctor")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
@options.common
def command(cmd: tuple[str, ...]) -> int:
    """What would be captured here; which lines of a program read what isn't.

    With a command: it is recorded for real (with --audit), replayed twice against its own recording, and the source
    lines whose values differ are named. Its output goes to stderr. Exits with 0 when nothing was found, 1 when
    something was, 125 when that can't be judged.

        \b
        replay doctor
        replay doctor -- python agent.py
    """
    return _program(cmd) if cmd else _here()


def _here() -> int:
    found = libraries()
    if options.current().json:
        console.document({**summary(), "libraries": [each.to_json() for each in found]})
        return exits.SAME
    for name, value in summary().items():
        console.tell(f"{name + ':':<12}{value}")
    for state, headline in (
        ("seam", "recorded, by a seam"),
        ("named", "not recorded: native, named as a blind spot when it is imported"),
        (
            "unknown",
            "not known: native code that opens connections by itself; record with --audit, or use @replay.tool",
        ),
    ):
        _list(headline, [each for each in found if each.state == state])
    console.tell("everything else is recorded where it uses Python's own clocks, chance, files, threads and asyncio;")
    console.tell("replay doctor -- CMD says what one program reads besides")
    return exits.SAME


def _list(headline: str, libraries: list[Library]) -> None:
    if libraries:
        console.tell(f"{headline}:")
    for each in libraries:
        console.tell(one_line(f"  {each.name} {each.version}  {each.why}".rstrip()))


def _program(cmd: tuple[str, ...]) -> int:
    diagnosis = examine(cmd, output="discard" if options.current().quiet else "stderr")
    if options.current().json:
        console.document(diagnosis.to_json())
    else:
        for line in _lines(diagnosis):
            console.tell(line if line.startswith("    ") else one_line(line))
    if not diagnosis.sound:
        return exits.DIFFERENT
    return exits.CANNOT_JUDGE if diagnosis.gaps else exits.SAME


def _lines(diagnosis: Diagnosis) -> list[str]:
    lines: list[str] = []
    code = diagnosis.exit_code
    if code:
        how = f"was ended by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
        why = f" ({diagnosis.exception})" if diagnosis.exception else ""
        lines.append(f"! the program {how}{why}: what it does behind that wasn't examined")
    found = diagnosis.findings
    if found:
        lines.append(f"✗ {plural(len(found), 'line')} with other values at replay, first causes only:")
    for each in found[:_SHOWN]:
        lines.append(f"  {each.site}  {one_line(each.expression)}")
        lines.append(f"      {each.name}: {one_line(each.recorded)} -> {one_line(each.replayed)}")
        lines.append(f"      {each.hint}")
    bad = next((run for run in diagnosis.runs if not run.identical), None)
    if bad is not None:
        lines += verdict_lines(bad, 1, lenient=False, verbose=False)
    elif not found:
        times = plural(len(diagnosis.runs), "replay")
        lines.append(f"✓ {plural(diagnosis.events, 'event')}, {times} identical; no line had another value")
    if diagnosis.gaps:
        lines.append(f"? {plural(diagnosis.gaps, 'gap')}: seen, but not stored; a replay stops there")
    return [*lines, *spot_lines(diagnosis.blind_spots)]
