"""`replay verify`: integrity of a cassette."""

from __future__ import annotations

import dataclasses

import click

from replay.cassette.cassette import load
from replay.cassette.directory import resolve
from replay.cassette.verify import Report, verify
from replay.model.errors import CassetteDamaged
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("verify")
@click.argument("cassette", callback=options.named)
@options.common
def command(cassette: str) -> int:
    """Is the cassette whole and unaltered?

    Reads every byte, and computes every checksum and the hash chain again. Exits with 0 when all of it fits, with 1
    when the recording was tampered with (events dropped, reordered, or altered and given new checksums), with 125 when
    the file is damaged (cut, or bytes changed). A recording whose program was killed is whole as far as it goes.
    """
    report = verify(resolve(cassette))
    code = _judge(report)
    if options.current().json:
        console.document({**dataclasses.asdict(report), "tampered": code == exits.DIFFERENT})
    elif report.intact:
        click.echo(one_line(f"{report.path}: {_state(report)}, {plural(report.events, 'event')}, nothing altered"))
        if report.chain is not None:
            guarded = "" if not report.unchained else f" (the last {plural(report.unchained, 'event')}: checksums only)"
            click.echo(f"sha256 {report.chain}{guarded}")
    if not report.intact:
        _say(report, tampered=code == exits.DIFFERENT)
    return code


def _judge(report: Report) -> int:
    if report.intact:
        return exits.SAME
    if report.problem in {"dropped", "reordered"}:
        return exits.DIFFERENT
    return exits.DIFFERENT if report.problem == "altered" and _checksums_fit(report.path) else exits.CANNOT_JUDGE


def _checksums_fit(path: str) -> bool:
    """Bytes that changed by accident don't come with checksums made for them."""
    try:
        with load(path) as cassette:
            for _ in cassette.reader.frames():
                pass
            return cassette.damage is None
    except CassetteDamaged:
        return False


def _state(report: Report) -> str:
    return "whole" if report.status == "sealed" else "not sealed, whole as far as it goes"


def _say(report: Report, *, tampered: bool) -> None:
    where = "" if report.offset is None else f" at byte {report.offset}"
    what = "tampered with" if tampered else "damaged"
    readable = f"{plural(report.events, 'event')} before it can be read"
    click.echo(
        f"replay: {one_line(f'{report.path}: {what}{where}: {report.detail}; {readable}')} [{CassetteDamaged.slug}]",
        err=True,
    )
