"""Where the bytes of a cassette come from, by its name and its first bytes: a file, encrypted or not."""

from __future__ import annotations

import os

from replay.cassette.source import ByteSource, FileSource

_START = 32
_ENCRYPTED = (b"agent-replay.journal/", b"age-encryption.org/")


def source(path: str | os.PathLike[str]) -> ByteSource:
    """The bytes of the cassette at `path`, decrypted where that is needed.

    Raises:
        CassetteMissing, CassetteUnreadable: the file. CassetteEncrypted, KeyUnusable, CassetteDamaged: no key opens it.
    """
    return decrypted(FileSource(path))


def decrypted(found: ByteSource) -> ByteSource:
    """`found`, which is taken over, or what it has inside."""
    try:
        start = found.read_at(0, _START)
        if not start.startswith(_ENCRYPTED):
            return found
        from replay.cassette import encrypted  # most cassettes aren't

        return encrypted.opened(found, start) or found
    except BaseException:
        found.close()
        raise
