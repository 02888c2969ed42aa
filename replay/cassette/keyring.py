"""Which identities open encrypted cassettes here: those of the files that `REPLAY_IDENTITY` names, and those lent for a
while, by `replay record`, whose own is forgotten when the program has ended."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

from replay.cassette.age import Identity, new_identity, read_identities

VARIABLE = "REPLAY_IDENTITY"
"""Paths of identity files, with `:` between them."""

_lent: list[Identity] = []


def identities() -> list[Identity]:
    """All of them. Raises KeyUnusable for a file that can't be used."""
    paths = [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]
    return [*_lent, *(identity for path in paths for identity in read_identities(path))]


@contextmanager
def lent() -> Generator[Identity]:
    """A new identity that is nowhere but in this process, and there until the block ends."""
    identity = new_identity()
    _lent.append(identity)
    try:
        yield identity
    finally:
        _lent.remove(identity)
