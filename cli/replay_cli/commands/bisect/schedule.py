"""`replay bisect schedule`: which change of the order of answers makes a good run go wrong."""

from __future__ import annotations

import click

from replay_cli import bisecting, options


@click.command("schedule")
@click.argument("good", callback=options.named)
@click.argument("bad", callback=options.named)
@bisecting.flags
@options.reads
def command(good: str, bad: str, **given: bisecting.Given) -> int:
    """Which change of the order in which answers came makes a good run go wrong.

    For two runs that asked and were answered the same, in another order. The good run's program is executed with its
    answers in orders between the two, in the sandbox; what is left is the smallest change that makes it go wrong.

    Exits with 1 when one was found, 125 when it can't be judged.

        \b
        replay bisect schedule good.cassette bad.cassette --expect 'output contains "total: 30"'
    """
    from replay.bisect.hybrids import bisect_schedule

    return bisecting.answer(bisect_schedule(good, bad, bisecting.terms(**given)))
