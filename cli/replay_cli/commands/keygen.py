"""`replay keygen`: keys for signing and encrypting."""

from __future__ import annotations

import click

from replay.boundary import originals
from replay.cassette.age import write_identity
from replay.cassette.header import iso
from replay.cassette.keys import fingerprint, new_signing_key, public_key
from replay_cli import console, exits, options


@click.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--age", is_flag=True, help="A key for encrypting: an identity of age, in FILE.")
@options.common
def command(file: str, age: bool) -> int:
    """Make a key for signing cassettes: the private part in FILE (0600), the public one in FILE.pub.

    Keep FILE away from whoever may want to alter recordings; give FILE.pub to everybody who verifies them. Keys that
    ssh-keygen and openssl make (ed25519) can be used just as well.

    With --age a key for encrypting instead: FILE (0600) is what reads cassettes, and must not lie on hosts that record;
    the recipient that is printed (age1…) is what they are encrypted for. age-keygen makes the same.
    """
    if age:
        identity = write_identity(file, iso(originals.wall_ns() // 1_000_000))
        if options.current().json:
            console.document({"private": file, "recipient": identity.recipient})
        else:
            click.echo(identity.recipient)
        return exits.SAME
    where = new_signing_key(file)
    found = {"private": file, "public": where, "fingerprint": fingerprint(public_key(where))}
    if options.current().json:
        console.document(found)
    else:
        click.echo(f"{where}: {found['fingerprint']}")
    return exits.SAME
