"""Where an execution that differs from its recording can go on by itself: behind the last answer before that."""

from __future__ import annotations

from typing import Final

from replay.cassette import frame as f
from replay.cassette import records
from replay.cassette.digests import CHANCE
from replay.cassette.reader import Reader

_BEGINNINGS: Final = (f.CALL, f.EVENT)
_OUTCOMES: Final = (f.RETURN, f.EVENT)


def before(reader: Reader, event: int | None) -> int | None:
    """The event whose outcome was the last one before `event` began; draws don't count. None: there is none.

    Args:
        event: None: the end of the recording.

    Raises:
        CassetteDamaged: while it is read.
    """
    last = None
    for type_, number, payload in reader.frames():
        if type_ in _BEGINNINGS and number == event:
            break
        if type_ in _OUTCOMES and (type_ != f.EVENT or records.whole(payload).kind not in CHANCE):
            last = number
    return last
