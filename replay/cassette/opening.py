"""Where the bytes of a cassette come from, by its name and its first bytes: a file or a URL, encrypted or not."""

from __future__ import annotations

import os

from replay.cassette.source import ByteSource, FileSource
from replay.cassette.urls import url_of

_START = 32
PIECE = 4 << 20
_ENCRYPTED = (b"agent-replay.journal/", b"age-encryption.org/")


def source(path: str | os.PathLike[str]) -> ByteSource:
    """The bytes of the cassette at `path`, a file or a URL, decrypted where that is needed.

    Raises:
        CassetteMissing, CassetteUnreadable: the file. CassetteEncrypted, KeyUnusable, CassetteDamaged: no key opens it.
    """
    if ":/" not in os.fspath(path):
        return decrypted(FileSource(path))
    from replay.cassette import remote

    url = None if os.path.exists(path) else url_of(path)
    return decrypted(FileSource(path) if url is None else remote.source(url))


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
