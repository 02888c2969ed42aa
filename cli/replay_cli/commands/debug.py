"""`replay debug`: a debugger that goes back."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from replay.model.errors import ReplayError
from replay.timeline.session import LIMITS, Session
from replay_cli import console, exits, options
from replay_cli.debugging import Debugger, split
from replay_cli.render.text import one_line


@click.command("debug")
@click.argument("cassette", callback=options.named)
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
@click.option("--command", "-c", "commands", multiple=True, metavar="TEXT", help="Do this and end; may be repeated.")
@click.option("--run-tools", is_flag=True, help="Run the bodies of tools again, so that one can stop inside them.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=LIMITS.seconds,
    show_default=True,
    help="How long evaluating an expression may take.",
)
@options.reads
def command(cassette: str, cmd: tuple[str, ...], commands: tuple[str, ...], run_tools: bool, seconds: float) -> int:
    """A debugger over time: step forward and back over events, print values, find when something began.

    The recording is executed again, offline and in the sandbox, and stopped before events. Expressions are evaluated in
    the agent's own frame there, in a process that is ended afterwards: nothing that they do stays. Without --command it
    reads from standard input; `help` lists the commands.

    Exits with 1 where the execution was seen to go another way than the recording, with 125 where one of the commands
    that weren't typed at a terminal couldn't be done.

        \b
        replay debug incident.cassette
        replay debug incident.cassette --command 'goto 12; print state'
        replay debug incident.cassette --command 'when total > 100'
        replay debug incident.cassette -- python fixed_agent.py
    """
    chosen = options.current()
    done: list[dict[str, object]] = []
    failed = False
    with Session(cassette, command=cmd or None, run_tools=run_tools, limits=LIMITS.taking(seconds)) as session:
        debugger = Debugger(session, json=chosen.json)
        typed = not commands and not chosen.json and sys.stdin.isatty()
        lines = (part for text in commands for part in split(text)) if commands else _read(debugger, typed=typed)
        try:
            for line in lines:
                if line in ("quit", "exit", "q"):
                    break
                try:
                    found = debugger.answer(line)
                except KeyboardInterrupt:
                    if not typed:
                        raise
                    click.echo("interrupted")
                    continue
                except ReplayError as error:
                    if not typed:
                        raise
                    click.echo(f"replay: {one_line(str(error))}", err=True)
                    continue
                failed = failed or found.failed
                done.append({"command": line, **found.document})
                if not chosen.json:
                    for each in found.lines:
                        click.echo(each)
        finally:
            debugger.close()
        end = session.end
        differs = end is not None and end.differs
        if chosen.json:
            told = None if end is None else {"event": end.event, "what": end.what, "differs": end.differs}
            console.document({"cassette": session.path, "events": session.total, "commands": done, "end": told})
    if differs:
        return exits.DIFFERENT
    return exits.CANNOT_JUDGE if failed and not typed else exits.SAME


def _read(debugger: Debugger, *, typed: bool) -> Iterator[str]:
    """What is typed, or comes through a pipe."""
    if not typed:
        for line in sys.stdin:
            yield from split(line)
        return
    _complete(debugger)
    click.echo("\n".join(debugger.answer("goto 0").lines))
    click.echo("help lists the commands; Ctrl-D ends")
    while True:
        try:
            yield from split(input(f"({debugger.session.position}) "))
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()


def _complete(debugger: Debugger) -> None:
    """Tab completes names of commands, and behind `print` those of local variables."""
    try:
        import readline
    except ImportError:
        return

    def complete(text: str, state: int) -> str | None:
        first = readline.get_begidx() == 0
        try:
            names = debugger.names if first else [name for name, _ in debugger.session.locals(debugger.frame)]
        except ReplayError:
            names = []
        found = [name for name in names if name.startswith(text)]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    readline.set_auto_history(True)
