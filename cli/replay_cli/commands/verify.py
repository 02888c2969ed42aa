"""`replay verify`: integrity of a cassette."""

from __future__ import annotations

import dataclasses

import click

from replay.cassette.cassette import load
from replay.cassette.directory import resolve
from replay.cassette.keys import fingerprint, public_key
from replay.cassette.verify import Report, verify
from replay.model.errors import CassetteDamaged
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("verify")
@click.argument("cassette", callback=options.named)
@click.option(
    "--key", metavar="FILE", type=click.Path(dir_okay=False), help="A public key: it has to be signed by that one."
)
@options.reads
def command(cassette: str, key: str | None) -> int:
    """Is the cassette whole and unaltered?

    Reads every byte, and computes every checksum and the hash chain again. Exits with 0 when all of it fits, with 1
    when the recording was tampered with (events dropped, reordered, or altered and given new checksums), with 125 when
    the file is damaged (cut, or bytes changed). A recording whose program was killed is whole as far as it goes.

    All that can be made to fit by who rewrites the whole file, except a signature: with --key it exits with 1 where the
    cassette isn't signed by that key, or isn't what was signed.
    """
    trusted = None if key is None else public_key(key)
    report = verify(resolve(cassette), trusted)
    code = _judge(report)
    if options.current().json:
        signatures = [
            {"key": fingerprint(each.key), "genuine": each.genuine, "trusted": each.key == trusted}
            for each in report.signatures
        ]
        whole = {**dataclasses.asdict(report), "signatures": signatures, "tampered": code == exits.DIFFERENT}
        console.document(whole)
    elif report.intact:
        console.tell(one_line(f"{report.path}: {_state(report)}, {plural(report.events, 'event')}, nothing altered"))
        if report.chain is not None:
            guarded = "" if not report.unchained else f" (the last {plural(report.unchained, 'event')}: checksums only)"
            console.tell(f"sha256 {report.chain}{guarded}")
        for line in _signed(report, trusted):
            console.tell(line)
    if not report.intact:
        _say(report, tampered=code == exits.DIFFERENT)
    return code


def _judge(report: Report) -> int:
    if report.intact:
        return exits.SAME
    if report.problem in {"dropped", "reordered", "signature"}:
        return exits.DIFFERENT
    if report.problem == "truncated" and report.status == "sealed":
        return exits.DIFFERENT  # a signature says so: it was made to look whole
    return exits.DIFFERENT if report.problem == "altered" and _checksums_fit(report.path) else exits.CANNOT_JUDGE


def _signed(report: Report, trusted: bytes | None) -> list[str]:
    """What the signatures of an intact one say, and what they don't."""
    if not report.signatures:
        return ["not signed: whoever can write the file could have made all of it"]
    lines: list[str] = []
    for each in report.signatures:
        by = fingerprint(each.key)
        if each.genuine is None:
            lines.append(f"a signature by {by}: NOT checked (pip install 'agent-replay[keys]')")
        elif each.key == trusted:
            lines.append(f"signed by {by}, the key that was given")
        else:
            lines.append(f"signed by {by}, {'another key' if trusted else 'whoever that is: --key says whom to trust'}")
    return lines


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
    readable = f"; {plural(report.events, 'event')} before it can be read"
    if report.problem == "signature":
        what, readable = "not to be trusted", ""
    click.echo(
        f"replay: {one_line(f'{report.path}: {what}{where}: {report.detail}{readable}')} [{CassetteDamaged.slug}]",
        err=True,
    )
