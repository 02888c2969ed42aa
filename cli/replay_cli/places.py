"""Cassettes that are named by where they are: a file, a directory, a URL."""

from __future__ import annotations

import os
from collections.abc import Iterator

from replay.cassette.directory import SUFFIX, cassettes, descendants
from replay.cassette.remote import listed
from replay.cassette.urls import url_of
from replay.model.errors import CassetteMissing


def all_in(place: str) -> Iterator[str]:
    """A cassette itself; those in a directory or at a URL, and those of the child processes below them in a directory.

    Raises:
        CassetteMissing: there is no such place.
    """
    if os.path.isdir(place):
        for path in cassettes(place):
            yield from map(str, (path, *descendants(path)))
    elif os.path.exists(place):
        yield place
    else:
        url = url_of(place)
        if url is None:
            raise CassetteMissing(f"no such directory: {place}")
        yield from [url] if url.endswith(SUFFIX) else listed(url)
