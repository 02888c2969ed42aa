"""`replay test`: every cassette of a corpus against the present code."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from replay.boundary import originals
from replay.cassette.directory import default_directory
from replay.corpus.causes import Cause, causes
from replay.corpus.engines import tried
from replay.corpus.junit import junit
from replay.corpus.trial import Trial
from replay.limits import Limits
from replay.model.errors import CassetteMissing
from replay.options import size
from replay_cli import console, exits, options
from replay_cli.places import all_in
from replay_cli.render.lines import say
from replay_cli.render.text import one_line, plural

_SHOWN = 3


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("test")
@click.argument("places", metavar="[CASSETTE|DIR|URL]...", nargs=-1)
@click.option("-n", "workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Processes that try.")
@click.option(
    "--engine",
    metavar="NAME",
    default="local",
    help="Where they are tried: local, ray, dask, or what another package adds.",
)
@click.option("--address", metavar="HOST:PORT", help="Of the cluster [default: what its own library finds].")
@click.option("--junitxml", metavar="FILE", type=click.Path(dir_okay=False), help="Write a JUnit report.")
@click.option("-i", "--index", metavar="PARQUET", help="Note what differs beside that index, as its `deviations`.")
@click.option(
    "--time", "seconds", type=click.FloatRange(min=0.01), default=300.0, metavar="SECONDS", help="Of each. [300]"
)
@click.option("--memory", type=_Size(), metavar="SIZE", help="Of each, such as 2GB. [no limit]")
@options.reads
def command(
    places: tuple[str, ...],
    workers: int,
    engine: str,
    address: str | None,
    junitxml: str | None,
    index: str | None,
    seconds: float,
    memory: int | None,
) -> int:
    """Every cassette of a corpus against the present code: what differs, equal causes together.

    Cassettes in each DIR or at each URL; without any, $REPLAY_DIR's. Each is re-executed in a process of its own,
    offline, as by `replay run`. Exits with 0 when all are identical, with 1 when one differs, with 125 when none
    differs and one can't be judged: unreadable, not replayable, over a limit.

        \b
        replay test tests/cassettes
        replay test s3://incidents/2026 -n 8 --junitxml report.xml
        replay test /shared/cassettes --engine ray
    """
    paths = [path for place in places or (str(default_directory()),) for path in all_in(place)]
    if not paths:
        raise CassetteMissing("there is no cassette to test", hint="`replay record` makes one")
    began = originals.clock_ns()
    steps = tried(paths, engine=engine, address=address, workers=workers, limits=Limits(seconds, memory))
    done = list(console.progress(steps, len(paths), "cassettes"))
    took = (originals.clock_ns() - began) / 1e9
    found = causes(done)
    if junitxml is not None:
        Path(junitxml).write_bytes(junit(done))
    if index is not None:
        from replay.corpus.deviations import note, of_trials

        note(index, "test", of_trials(done))
    if options.current().json:
        console.document(_document(done, found, took))
    else:
        _print(done, found, took)
    status = Counter(each.status for each in done)
    return exits.DIFFERENT if status["different"] else exits.CANNOT_JUDGE if status["unjudged"] else exits.SAME


def _document(done: Sequence[Trial], found: Sequence[Cause], took: float) -> dict[str, object]:
    status = Counter(each.status for each in done)
    return {
        "cassettes": len(done),
        **{name: status[name] for name in ("same", "different", "unjudged")},
        "seconds": round(took, 3),
        "causes": [each.to_json() for each in found],
        "alone": dict(Counter(each.why_alone for each in done if each.why_alone)),
        "trials": [each.to_json() for each in sorted(done, key=lambda each: each.cassette)],
    }


def _print(done: Sequence[Trial], found: Sequence[Cause], took: float) -> None:
    out = console.results()
    for cause in found:
        mark = "✗" if cause.status == "different" else "?"
        say(out, f"{mark} {len(cause.cassettes)} × {one_line(cause.summary)}")
        if cause.first.reason:
            say(out, f"    {one_line(cause.first.reason, 300)}")
        if cause.first.likely:
            say(out, f"    likely cause: {one_line(cause.first.likely, 300)}")
        shown = cause.cassettes if options.current().verbose else cause.cassettes[:_SHOWN]
        for path in shown:
            say(out, f"    replay run {one_line(path)}")
        if len(shown) < len(cause.cassettes):
            out.print(f"    … {len(cause.cassettes) - len(shown)} more (--verbose shows all)")
    status = Counter(each.status for each in done)
    mark = "✗" if status["different"] else "?" if status["unjudged"] else "✓"
    parts = [f"{status['same']} same"]
    parts += [f"{status[name]} {name}" for name in ("different", "unjudged") if status[name]]
    why = f" ({plural(len(found), 'reason')})" if found else ""
    say(out, f"{mark} {plural(len(done), 'cassette')} in {took:.1f} s: {', '.join(parts)}{why}")
    for reason, count in Counter(each.why_alone for each in done if each.why_alone).most_common():
        say(out, f"  {count} in a process started for it: {one_line(reason)}")
