"""Decoded frames for the tape: the one place where the player touches a reader."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from replay.cassette import frame as f
from replay.cassette._msgpack import a_list
from replay.cassette.codec import unpack
from replay.cassette.reader import Reader
from replay.cassette.records import LATE, WAITS
from replay.model.pseudonym import PSEUDONYM
from replay.player.tape import CALL, CHUNK, EVENT, LANE, RETURN, SITE, TRACK, Frame

_USED = frozenset((CALL, RETURN, EVENT, CHUNK, TRACK, LANE, SITE))
_BODY = 7
_STATUS, _VALUE = 2, 3


def decoded(reader: Reader, until: int | None = None) -> Iterator[Frame]:
    """Frames that the tape uses, in file order; bodies whole.

    Args:
        until: only so many of the recording's frames are read.

    Raises:
        CassetteDamaged: while iterating, where the file turns out to be damaged.
    """
    read: deque[Frame] = deque()  # behind a piece that waits for its value
    waiting: dict[int, list[Any]] = {}
    for type_, event, payload in islice(reader.frames(), until):
        if type_ not in _USED:
            continue
        fields: Any = unpack(payload)
        if type_ in (CALL, EVENT) and fields[_BODY] is not None:
            fields[_BODY] = reader.body(event, fields[_BODY])
        elif type_ == CHUNK and fields[_STATUS] == LATE:
            for piece, value in zip(waiting.pop(event, ()), a_list(fields[_VALUE]), strict=False):
                piece[_STATUS], piece[_VALUE] = 0, value
            while read and not _waits(read[0]):
                yield read.popleft()
            continue
        frame = (type_, event, fields)
        if _waits(frame):
            waiting.setdefault(event, []).append(fields)
        elif not read:
            yield frame
            continue
        read.append(frame)
    yield from (frame for frame in read if not _waits(frame))


def _waits(frame: Frame) -> bool:
    return frame[0] == CHUNK and frame[2][_STATUS] == WAITS


def environment_of(reader: Reader) -> dict[str, str | None]:
    """The environment variables the program read, with their recorded values; None where one wasn't set."""
    found: dict[str, str | None] = {}
    for type_, _, payload in reader.frames():
        if type_ == EVENT and b"\xa3env" in payload:
            fields: Any = unpack(payload)
            if fields[1] == "env":
                found[fields[6]] = fields[11]
    return found


_STAND_IN: Final = re.compile(PSEUDONYM.encode())
_ANSWERS: Final = frozenset((f.RETURN, f.EVENT, f.CHUNK, f.CONTENT))


def first_replaced(path: str, until: int | None) -> int | None:
    """The first event of that cassette, up to `until`, whose answer has a stand-in for a secret; None if none has."""
    with Reader.open(path) as reader:
        for type_, event, payload in reader.frames():
            if type_ in _ANSWERS and (until is None or event <= until) and _STAND_IN.search(payload):
                return event
    return None
