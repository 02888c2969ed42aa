"""`replay repair`: what is left of a damaged cassette, in a new one."""

from __future__ import annotations

import click

from replay.cassette.directory import resolve
from replay.cassette.repairing import repair
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("repair")
@click.argument("cassette", callback=options.named)
@click.option("-o", "--output", metavar="F", required=True, type=click.Path(), help="The new cassette.")
@options.reads
def command(cassette: str, output: str) -> int:
    """What is left of a damaged cassette, in a new one.

    All that can be read is copied, also from behind the damage; the damaged one stays as it is. Events that are lost
    are gaps in the copy: it can be looked at whole, and replays up to the first of them. Exits with 1 where something
    is lost, with 0 where the copy has everything.
    """
    done = repair(resolve(cassette), output)
    if options.current().json:
        holes = [{"offset": each.offset, "size": each.size, "reason": each.reason} for each in done.holes]
        console.document(
            {"path": output, "events": done.events, "lost": list(done.lost), "holes": holes, "ended": done.ended}
        )
    else:
        for hole in done.holes:
            console.tell(one_line(f"bytes {hole.offset} to {hole.offset + hole.size}: {hole.reason}"))
        lost = f", {plural(len(done.lost), 'event')} lost ({_ranges(done.lost)})" if done.lost else ""
        console.tell(one_line(f"{output}: {plural(done.events, 'event')}{lost}{'' if done.ended else ', unfinished'}"))
    return exits.DIFFERENT if done.lost or done.holes else exits.SAME


def _ranges(numbers: tuple[int, ...]) -> str:
    """`3, 5-9`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
