"""Entry point of `replay`: finds the command, runs it, and turns every outcome into an exit code.

A command's module is imported when that command runs; `replay --help` reads the table below and imports none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from replay_cli import exits, options
from replay_cli.lazy import Commands, PipeClosed

# question -> name -> what it is for. The module is `replay_cli.commands.<name>`, with `-` as `_`; its click command is
# `command`.
QUESTIONS: dict[str, dict[str, str]] = {
    "Record, and execute again": {
        "record": "Run a Python program and record everything nondeterministic it reads.",
        "run": "Re-execute a recording: offline, touching nothing, the same execution or the first difference.",
        "debug": "A debugger over time: step forward and back over events, print values, find when something began.",
        "fork": "Execute a recording again with an answer changed, into a new recording.",
        "tree": "Recordings and their forks.",
        "doctor": "What would be captured here; which lines of a program read what isn't.",
        "init": "Set this repository up for cassettes: git shows them as text, pytest collects them.",
        "demo": "A support agent refunds a customer twice: record it, replay it, see why, fix it.",
    },
    "What happened?": {
        "ls": "Cassettes: when, program, outcome, events, blind spots.",
        "show": "The action path as a timeline; one event whole.",
        "context": "The model's window at a call, each message with where it came from; "
        "what changed in it since the last.",
        "memory": "What stores held before and after, who wrote it, out of what, and which decision it reached.",
        "effects": "Writes to the world, in order, with what decided each and what it set off.",
        "view": "A recording in the browser: timeline, events, windows, memory, causes; two runs side by side.",
        "report": "An incident as one page, for people who never saw this tool.",
    },
    "Why did it happen, and who answers for it?": {
        "why": "What accounts for a decision or a call, ranked, with the evidence.",
        "triage": "Evidence for and against four things that may have gone wrong, and who answers for it.",
        "diff": "What differs between two recordings, and which of it is a cause.",
        "bisect": "Which of many differences made it go wrong: searched by executions, and proved by them.",
        "mcp": "An MCP server on stdin and stdout, with which a coding assistant investigates an incident.",
    },
    "Will it come back?": {
        "check": "Whether runs are what is expected of them; each deviation with its event, "
        "how surprising it is, and why.",
        "baseline": "What good runs have in common, for `replay check`.",
        "expect": "Whether an expectation holds of what was recorded.",
        "test": "Every cassette of a corpus against the present code: what differs, equal causes together.",
        "promote": "An incident as a regression test: a cassette, and a test that fails on the code it shows.",
    },
    "How often does it happen?": {
        "index": "Many cassettes as one Parquet file.",
        "query": "SQL over an index: events, llm_calls, tool_calls, effects, cassettes, deviations.",
    },
    "Is the file whole, and safe to give away?": {
        "verify": "Is the cassette whole and unaltered?",
        "repair": "What is left of a damaged cassette, in a new one.",
        "seal": "Sign a cassette, so that `replay verify --key` proves that nothing in it has changed since.",
        "keygen": "Make a key for signing cassettes: the private part in FILE (0600), the public one in FILE.pub.",
        "scan": "Secrets that are still in recordings.",
        "upload": "Copy sealed cassettes to a URL; what doesn't get there is tried again by the next `replay upload`.",
    },
    "To and from other programs": {
        "import": "Recordings and transcripts of agents, from elsewhere, as cassettes.",
        "export": "A cassette as something that other programs read.",
        "textconv": "A cassette as text, for `git diff` and `git log -p`; `replay init` tells git.",
    },
}
COMMANDS: dict[str, str] = {name: what for members in QUESTIONS.values() for name, what in members.items()}


def _version(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    if given and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"replay {version('agent-replay')}")
        ctx.exit()


@click.group(
    cls=Commands,
    table=COMMANDS,
    questions=QUESTIONS,
    package="replay_cli.commands",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 same, 1 different, 125 cannot judge, 129 wrong usage; `record` exits as the program did.",
)
@options.common
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def group() -> None:
    """Record one execution of an AI agent; replay it identically, offline, with no side effects."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Never raises for anything that a user can cause."""
    settings = options.Options()
    try:
        code: Any = group.main(
            args=None if argv is None else list(argv), prog_name="replay", obj=settings, standalone_mode=False
        )
    except click.UsageError as error:
        error.show()
        return exits.USAGE
    except click.Abort:
        _say("interrupted")
        return exits.INTERRUPTED
    except PipeClosed:
        # What is still buffered must not raise again while the interpreter shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.PIPE_CLOSED
    except Exception as error:
        return _failed(error, verbose=settings.verbose)
    return code if isinstance(code, int) else exits.SAME


def main() -> NoReturn:
    """The console script."""
    sys.exit(run())


def _failed(error: Exception, *, verbose: bool) -> int:
    from replay.model.errors import ExpressionInvalid, ReplayError

    if verbose:
        import traceback

        traceback.print_exc()
    if isinstance(error, ReplayError):
        if isinstance(error, ExpressionInvalid):
            click.echo("\n".join(f"    {line}" for line in error.excerpt), err=True)
        _say(str(error))
        return error.exit_code
    if isinstance(error, click.ClickException):
        _say(error.format_message())
    elif isinstance(error, OSError):
        _say(str(error))
    else:
        _say(f"internal error: {type(error).__name__}: {error} (a bug of ours; --verbose shows where)")
    return exits.CANNOT_JUDGE


def _say(line: str) -> None:
    from replay_cli.render.text import one_line

    click.echo(f"replay: {one_line(line)}", err=True)
