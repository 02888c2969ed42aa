"""`replay baseline learn`: what good runs have in common."""

from __future__ import annotations

from pathlib import Path

import click

from replay.forensics.trust import Trust
from replay.policy import baseline, files
from replay.policy.run import Run, observe
from replay.queries import contents
from replay_cli import console, exits, options


@click.command("learn")
@click.argument("good", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(dir_okay=False), help="YAML.")
@options.reads
def command(good: tuple[str, ...], output: str) -> int:
    """Write what good runs have in common to a file that people can read and edit.

    Agents, tools, arguments and their shapes, numbers, transitions, hosts, memory keys, effects, tokens, and how much
    of calls was accounted for by data: each with how many runs had it. Where FILE is there already, what these runs
    add is put into it; comments, rules and edits stay. A run that was learnt from before isn't counted again.
    """

    def learn(known: baseline.Learnt, trust: Trust) -> baseline.Learnt:
        runs: list[Run] = []
        for name in good:
            with contents.open_(options.named_file(name)) as opened:
                damage = contents.damage_of(opened)
                if damage is not None:
                    raise damage
                runs.append(observe(opened.events, trust, opened.id))
        return baseline.learn(runs, known)

    learnt = files.write(Path(output), learn)
    if options.current().json:
        console.document({"path": output, "runs": learnt["runs"], "requests": learnt["requests"]})
    else:
        console.results().print(f"{output}: learnt from {learnt['runs']} runs, {learnt['requests']} requests")
    return exits.SAME
