"""`replay run`: re-execute a recording."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import ip_address
from typing import Literal

import click

from replay import expect as expectations
from replay.cassette.cassette import load
from replay.launch import Run, run
from replay.launch.told import again_line, verdict_lines
from replay_cli import console, exits, options
from replay_cli.going_on import gone_on
from replay_cli.render.expected import exit_code, expected_lines
from replay_cli.render.text import one_line


def listening(_ctx: click.Context, _param: click.Parameter, given: str | None) -> tuple[str, int] | None:
    """The address of `--debugpy`."""
    if given is None:
        return None
    host, _, port = given.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise click.BadParameter(f"{host} isn't loopback: whoever reaches a debugger can do anything in the program")
    if not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{port!r} is no port")
    return host, int(port)


@click.command("run")
@click.argument("cassette", callback=options.named)
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
@click.option("--until", type=click.IntRange(min=0), metavar="N", help="Stop before event N.")
@click.option(
    "--pdb",
    "pdb",
    type=click.IntRange(min=0),
    metavar="N",
    help="Stop in the debugger, in the program's own code, at event N, and where it goes another way.",
)
@click.option(
    "--debugpy",
    callback=listening,
    metavar="[HOST:]PORT",
    help="Wait for an editor's debugger (VS Code) there, on loopback, before the program's first line.",
)
@click.option("--at", type=click.IntRange(min=0), metavar="N", help="With --debugpy: stop at event N, too.")
@click.option(
    "--match",
    type=click.Choice(["strict", "lenient"]),
    default="strict",
    help="lenient: answer a differing request at the same place; each is counted as drift.",
)
@click.option(
    "--on-divergence",
    "then",
    type=click.Choice(["stop", "continue", "live"]),
    default="stop",
    help="continue: go on behind it in a fork, by the recording's answers; live: by the world's, effects held.",
)
@click.option(
    "-o",
    "--output",
    callback=options.fresh,
    metavar="NEW",
    help="Record what was executed, or what --on-divergence went on with, into a new cassette.",
)
@click.option("--times", type=click.IntRange(min=1), default=1, metavar="K", help="Replay K times; all must agree.")
@click.option(
    "--allow",
    multiple=True,
    metavar="HOLE",
    help="Let one thing out: connect:HOST[:PORT], process:NAME, write:PATH, signal:PID, native:NAME; may be repeated.",
)
@click.option(
    "--run-tools/--no-run-tools",
    default=None,
    help="Run the bodies of tools again, inside the sandbox; or only answer their calls. Default: answer, and run "
    "where answers alone don't lead to the same execution.",
)
@click.option("--expect", "expression", metavar="EXPR", help="Judge what the re-execution did; that is the exit code.")
@options.reads
def command(
    cassette: str,
    cmd: tuple[str, ...],
    until: int | None,
    pdb: int | None,
    debugpy: tuple[str, int] | None,
    at: int | None,
    match: Literal["strict", "lenient"],
    then: Literal["stop", "continue", "live"],
    output: str | None,
    times: int,
    allow: tuple[str, ...],
    run_tools: bool | None,
    expression: str | None,
) -> int:
    """Re-execute a recording: offline, touching nothing, the same execution or the first difference.

    The program's output goes where it would go (to stderr with --json, nowhere with --quiet). Exits with 0 when the
    execution is identical (for an unfinished recording: up to its cut), 1 when it diverged or tried to get out, 125
    when that can't be judged. What --allow let out is listed with the verdict; * stands for any host, name or path.

    --on-divergence continue goes on behind a divergence, in a fork: into a new recording beside this one, from the last
    answer before it, by answers to equal requests. What it does there is no evidence of what it did (docs/drift.md).

    With --expect it exits with 0 when the expectation holds of what the re-execution did, with 1 when it doesn't, with
    125 when that can't be decided, wherever it differs from the recording: for git bisect run (docs/expressions.md).

        \b
        replay run incident.cassette
        replay run incident.cassette -- python fixed_agent.py
        replay run incident.cassette --on-divergence continue \\
            -o fixed.cassette -- python fixed_agent.py
        replay run incident.cassette --allow connect:127.0.0.1:8080
        replay run incident.cassette --run-tools
        replay run incident.cassette --pdb 17
        replay run incident.cassette --debugpy 5678 --at 17
        replay run incident.cassette --expect 'tool refund called at most 1'
    """
    chosen = options.current()
    _check_debuggers(pdb, debugpy, at, often=times > 1)
    expected = None if expression is None else expectations.parse(expression)
    printed: Literal["stderr", "discard", "inherit"] = (
        "stderr" if chosen.json else "discard" if chosen.quiet or times > 1 else "inherit"
    )

    def again(first: Run) -> None:
        if not chosen.quiet:
            click.echo(one_line(f"replay: {again_line(first)}"), err=True)

    def once(run_tools: bool | None) -> Run:
        return run(
            cassette,
            command=cmd or None,
            match=match,
            until=until,
            pdb=pdb if debugpy is None else at,
            debugpy=debugpy,
            output=printed,
            allow=allow,
            run_tools=run_tools,
            again=again,
        )

    result = once(run_tools)
    if run_tools is None and result.tools == "run":
        run_tools = True  # what answers alone come to is known by now

    def judged() -> tuple[int, expectations.Judged | None]:
        if expected is None:
            return _code(result, lenient=match == "lenient"), None
        with load(result.cassette) as recording:
            found = expectations.judge(expected, expectations.reexecuted(recording, result))
        return exit_code(found), found

    code, said = judged()
    agreed = 1
    while agreed < times and code == exits.SAME:
        result = replace(once(run_tools), by_answers=result.by_answers)
        code, said = judged()
        agreed += 1
    if chosen.json:
        more = (
            {}
            if said is None or expected is None
            else {"expected": {"expression": expectations.show(expected)} | said.to_json()}
        )
        console.document({**result.to_json(), "times": agreed, **more, **gone_on(result, then, cmd, output).document})
    else:
        for line in verdict_lines(
            result, agreed, lenient=match == "lenient", verbose=chosen.verbose, until=pdb if until is None else until
        ):
            console.tell(line if line.startswith("    ") else one_line(line))
        for line in expected_lines(expected, said) if said is not None and expected is not None else ():
            console.tell(line)
        for line in gone_on(result, then, cmd, output).lines:
            click.echo(one_line(line), err=True)
    if not cmd and not chosen.quiet:
        _note_other_program(result)
    return code


def _check_debuggers(pdb: int | None, debugpy: tuple[str, int] | None, at: int | None, *, often: bool) -> None:
    if at is not None and debugpy is None:
        raise click.UsageError("--at is where --debugpy stops")
    if debugpy is not None and (pdb is not None or often):
        raise click.UsageError("--debugpy shows one execution, to an editor: without --pdb and --times")
    if pdb is not None and (often or options.current().quiet):
        raise click.UsageError("--pdb shows one execution: without --times and --quiet")


def _note_other_program(result: Run) -> None:
    """Another file of the recorded program's name lies in the current directory: it wasn't run."""
    name = next((word for word in result.command[1:] if not word.startswith("-")), "")
    here, there = os.path.abspath(name), os.path.join(result.directory, name)
    if os.path.isfile(here) and os.path.isfile(there) and not os.path.samefile(here, there):
        said = f"replay: {there} was run, where it was recorded; the {name} here: -- python {name}"
        click.echo(one_line(said), err=True)


def _code(result: Run, *, lenient: bool = False) -> int:
    if result.divergence is not None or result.escapes:
        return exits.DIFFERENT
    if result.gap is not None:
        return exits.CANNOT_JUDGE
    if result.drift and not lenient:
        return exits.DIFFERENT
    return exits.SAME
