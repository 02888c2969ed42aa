"""`replay seal`: sign a cassette."""

from __future__ import annotations

import click

from replay.cassette.directory import resolve
from replay.cassette.keys import fingerprint, raw_public, signing_key
from replay.cassette.resealing import sign
from replay.cassette.signing import Signer
from replay_cli import console, exits, options
from replay_cli.render.text import one_line


@click.command("seal")
@click.argument("cassette", callback=options.named)
@click.option("--sign", "key", required=True, type=click.Path(dir_okay=False), help="A private ed25519 key.")
@options.reads
def command(cassette: str, key: str) -> int:
    """Sign a cassette, so that `replay verify --key` proves that nothing in it has changed since.

    What is recorded stays as it is, byte by byte; the signature goes into the footer. Only a sealed cassette that is
    whole can be signed. `replay record --sign` does it at the recording's end.
    """
    path = resolve(cassette)
    private = signing_key(key)
    sign(path, Signer(private))
    found = {"path": str(path), "key": fingerprint(raw_public(private.public_key()))}
    if options.current().json:
        console.document(found)
    else:
        console.tell(one_line(f"{path}: signed by {found['key']}"))
    return exits.SAME
