"""`replay check`: whether runs are what is expected of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from replay import expect
from replay.cassette.cassette import Cassette
from replay.policy import baseline, files, outputs, rules
from replay.policy.baseline import Deviation
from replay.policy.run import observe
from replay.queries import contents, labels
from replay_cli import console, exits, options
from replay_cli.render.lines import say
from replay_cli.render.text import one_line, plural


@click.command("check")
@click.argument("cassettes", nargs=-1, required=True)
@click.option("--baseline", "learnt", metavar="FILE", help="What `replay baseline learn` wrote, with its rules.")
@click.option("--policy", metavar="FILE", help="Rules and trust: YAML, or functions `policy_...` in Python.")
@click.option("--sarif", metavar="FILE", type=click.Path(dir_okay=False), help="Write deviations as SARIF 2.1.0.")
@click.option("--junitxml", metavar="FILE", type=click.Path(dir_okay=False), help="Write a JUnit report.")
@click.option("-i", "--index", metavar="PARQUET", help="Note deviations beside that index, as its `deviations`.")
@options.reads
def command(
    cassettes: tuple[str, ...],
    learnt: str | None,
    policy: str | None,
    sarif: str | None,
    junitxml: str | None,
    index: str | None,
) -> int:
    """Whether runs are what is expected of them; each deviation with its event, how surprising it is, and why.

    Exits with 0 when no deviation is an error, with 1 when one is, with 125 when a rule can't be decided. Of a
    baseline, what is as surprising as its `alarm` is an error, the rest are warnings and notes. A Python policy is
    run: it has to be your own.
    """
    if learnt is None and policy is None:
        raise click.UsageError("name what to check against: --baseline or --policy")
    said = [files.load(Path(name)) for name in (learnt, policy) if name is not None]
    if learnt is not None and said[0].learnt is None:
        raise click.UsageError(f"--baseline {learnt}: nothing was learnt in it; `replay baseline learn` does that")
    found: dict[str, list[Deviation]] = {}
    undecided: dict[str, dict[str, str]] = {}
    for name in cassettes:
        with contents.open_(options.named_file(name)) as opened:
            path = str(opened.path)
            found[path], undecided[path] = _checked(said, opened)
            damage = contents.damage_of(opened)
            if damage is not None:
                undecided[path]["(recording)"] = damage.what
    if sarif is not None:
        Path(sarif).write_text(json.dumps(outputs.sarif(found), indent=1), encoding="ascii")
    if junitxml is not None:
        Path(junitxml).write_bytes(outputs.junit(found, undecided))
    if index is not None:
        from replay.corpus.deviations import note, of_checks

        note(index, "check", of_checks(found))
    broken = any(each.severity == "error" for deviations in found.values() for each in deviations)
    unsure = any(undecided.values())
    if options.current().json:
        _document(found, undecided, holds=not broken and not unsure)
    else:
        _print(found, undecided)
    return exits.DIFFERENT if broken else exits.CANNOT_JUDGE if unsure else exits.SAME


def _checked(said: list[files.Policy], opened: Cassette) -> tuple[list[Deviation], dict[str, str]]:
    trust = labels.trust(*said)
    judged = rules.judged([rule for each in said for rule in each.rules], expect.recorded(opened), trust)
    found = judged.deviations
    for each in said:
        found += files.run_checks(each.checks, opened)
        if each.learnt is not None:
            found += baseline.deviations(observe(opened.events, trust, opened.id), each.learnt, each.alarm)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda each: order.get(each.severity, 3)), judged.undecided


def _document(found: dict[str, list[Deviation]], undecided: dict[str, dict[str, str]], *, holds: bool) -> None:
    console.document(
        {
            "holds": holds,
            "deviations": [
                {"cassette": path, **each.to_json()} for path, deviations in found.items() for each in deviations
            ],
            "undecided": [
                {"cassette": path, "rule": rule, "why": why}
                for path, each in undecided.items()
                for rule, why in each.items()
            ],
        }
    )


def _print(found: dict[str, list[Deviation]], undecided: dict[str, dict[str, str]]) -> None:
    out = console.results()
    for path, deviations in found.items():
        shown = [each for each in deviations if each.severity != "note" or options.current().verbose]
        errors = sum(each.severity == "error" for each in deviations)
        unsure = undecided[path]
        mark = "✗" if errors else "?" if unsure else "✓"
        say(out, f"{mark} {one_line(path)}: {_counted(deviations)}")
        for each in shown:
            where = "" if each.event is None else f"event {each.event} "
            surprise = "" if each.bits is None else f" ({each.bits:.1f} bits)"
            say(out, f"  {each.severity:<7} {where}{one_line(each.rule)}{surprise}: {one_line(each.why, 400)}")
        for rule, why in unsure.items():
            say(out, f"  undecided {one_line(rule)}: {one_line(why, 300)}")


def _counted(deviations: list[Deviation]) -> str:
    """`1 error, 2 warnings, 3 notes (--verbose)`: of what there is none isn't said."""
    counts = Counter(each.severity for each in deviations)
    told = [plural(counts[name], name) for name in ("error", "warning", "note") if counts[name]]
    hidden = " (--verbose shows them)" if counts["note"] and not options.current().verbose else ""
    return f"{', '.join(told)}{hidden}" if told else "as expected"
