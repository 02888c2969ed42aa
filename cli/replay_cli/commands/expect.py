"""`replay expect`: whether an expectation holds of a recording."""

from __future__ import annotations

import click

from replay import expect
from replay.queries import contents
from replay_cli import console, options
from replay_cli.render.expected import exit_code, expected_lines


@click.command("expect")
@click.argument("cassette", callback=options.named)
@click.argument("expression", metavar="EXPR")
@options.reads
def command(cassette: str, expression: str) -> int:
    """Whether an expectation holds of what was recorded.

    Nothing is executed. Exits with 0 when it holds, with 1 when it doesn't, with 125 when the recording doesn't show
    it. `replay run --expect` judges a re-execution. docs/expressions.md has the language.

        \b
        replay expect incident.cassette 'tool refund called at most 1'
        replay expect latest 'tool send_email never after tool read_webpage'
        replay expect latest 'output contains "done" and exit == 0'
    """
    parsed = expect.parse(expression)
    with contents.open_(cassette) as found:
        judged = expect.judge(parsed, expect.recorded(found))
        path = str(found.path)
    if options.current().json:
        console.document({"cassette": path, "expression": expect.show(parsed), **judged.to_json()})
    else:
        for line in expected_lines(parsed, judged):
            console.tell(line)
    return exit_code(judged)
