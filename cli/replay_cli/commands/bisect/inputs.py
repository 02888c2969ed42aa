"""`replay bisect inputs`: which of the differing inputs make a good run go wrong."""

from __future__ import annotations

import click

from replay_cli import bisecting, options


@click.command("inputs")
@click.argument("good", callback=options.named)
@click.argument("bad", callback=options.named)
@bisecting.flags
@click.option("--spans", is_flag=True, help="Look inside of inputs, too: fields, messages, paragraphs, sentences.")
@options.reads
def command(good: str, bad: str, spans: bool, **given: bisecting.Given) -> int:
    """Which of the inputs in which two runs differ make the good one go wrong.

    Mixtures of both runs are executed: the good run's program, in the sandbox, with the bad run's answers at some
    events; nothing is done to the world. What is left is needed, all of it: with these alone the good run goes wrong,
    and the bad one without them doesn't. --expect says what good is; it holds of GOOD and not of BAD.

    In between the program comes to states that neither run saw. --model says who answers there.

    Exits with 1 when causes were found, 125 when it can't be judged.

        \b
        replay bisect inputs good.cassette bad.cassette --expect 'tool refund called at most once'
        replay bisect inputs good bad --expect 'exit == 0' --spans --model 'python model.py'
        replay bisect inputs good bad --expect 'not tool refund' --model live --samples 20
    """
    from replay.bisect.hybrids import bisect_inputs

    return bisecting.answer(bisect_inputs(good, bad, bisecting.terms(**given), spans=spans))
