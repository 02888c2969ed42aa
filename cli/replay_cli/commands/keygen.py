"""`replay keygen`: keys for signing."""

from __future__ import annotations

import click

from replay.cassette.keys import fingerprint, new_signing_key, public_key
from replay_cli import console, exits, options


@click.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False))
@options.common
def command(file: str) -> int:
    """Make a key for signing cassettes: the private part in FILE (0600), the public one in FILE.pub.

    Keep FILE away from whoever may want to alter recordings; give FILE.pub to everybody who verifies them. Keys that
    ssh-keygen and openssl make (ed25519) can be used just as well.
    """
    where = new_signing_key(file)
    found = {"private": file, "public": where, "fingerprint": fingerprint(public_key(where))}
    if options.current().json:
        console.document(found)
    else:
        click.echo(f"{where}: {found['fingerprint']}")
    return exits.SAME
