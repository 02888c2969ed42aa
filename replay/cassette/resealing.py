"""Signing a sealed cassette that lies there. Its frames stay as they are, byte by byte; only the footer is new."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

from replay.cassette import footer as foot
from replay.cassette import frame as f
from replay.cassette import layout, opening
from replay.cassette._msgpack import plain, unplain
from replay.cassette.disk import put_in_place
from replay.cassette.journal import Ended
from replay.cassette.scan import Scan
from replay.cassette.signing import Marks, Signer
from replay.cassette.source import FileSource
from replay.cassette.verify import verify
from replay.model.errors import CassetteDamaged, ReplayError, UsageError

_PIECE: Final = 1 << 20


def sign(path: str | os.PathLike[str], signer: Signer) -> None:
    """Add a signature to a sealed cassette; others that it has stay.

    Raises:
        UsageError: it isn't sealed. CassetteDamaged: it isn't whole: nobody should sign that.
        OSError: nothing has changed.
    """
    where = os.fspath(path)
    report = verify(where)
    if not report.intact:
        what = f"{where} isn't whole: {report.detail}"
        raise CassetteDamaged(what, offset=report.offset or 0, good_events=report.events)
    if report.status != "sealed":
        raise UsageError(f"{where} isn't sealed: its recording goes on, or was killed")
    source = opening.source(where)
    try:
        end = source.size - f.TRAILER.size
        index_at, seed = foot.find(source.read_at(end, f.TRAILER.size)) or (end, 0)
        payload = source.read_at(index_at + f.HEAD.size, end - index_at - f.HEAD.size)
        known: dict[str, Any] = unplain(payload, int_keys=True)
        marks = Marks()
        for run in Scan(source).runs():
            marks.add(run.data, run.frames)
        entry = signer.sign(marks, str(layout.header(source).get("id")))
        known["signatures"] = [*known.get("signatures", ()), entry]
        index, _ = f.encode(f.INDEX, f.NO_EVENT, plain(known), seed)

        def pieces() -> Iterator[bytes]:
            for at in range(0, index_at, _PIECE):
                yield source.read_at(at, min(_PIECE, index_at - at))
            yield index + foot.trailer(index_at, seed)

        if isinstance(source, FileSource):
            os.close(put_in_place(where, os.stat(where).st_mode, pieces()))
        else:
            Ended(where, source, layout.header(source).get("recipients")).replace(where, pieces())
    finally:
        source.close()


def sign_all(paths: Iterable[str | os.PathLike[str]], signer: Signer) -> list[str]:
    """Sign those cassettes, as far as they are sealed. Returns what couldn't be signed."""
    unsigned: list[str] = []
    for each in paths:
        try:
            sign(each, signer)
        except (ReplayError, OSError) as error:
            unsigned.append(f"{os.fspath(each)}: not signed: {error}")
    return unsigned
