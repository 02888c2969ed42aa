"""What each event asked and was answered, as digests: two runs are compared by them, and only what differs is read.

They are made when a recording is sealed (docs/format.md, section 6), or of the frames of one that has none.

What goes into them, and what not:

    place    kind and name; of http the method and the path. The host is kept beside it
    ask      place, request and body; of http the query, the headers that count (`matching.normalise`), the body
    answer   whether there is one, the response, its content, the error, the pieces of a stream joined; of http the
             status, a few headers and the bytes, unpacked where they were compressed

All of it without what is new in every run (`matching.stable`): times, random numbers, ids, addresses, temporary paths.
`exact` is a checksum of both with them, by which runs can be told apart that differ in nothing else.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from struct import iter_unpack
from typing import Any, Final, NamedTuple
from zlib import crc32

from replay.cassette import frame as f
from replay.cassette import records
from replay.cassette._msgpack import BAD_INPUT, plain, unplain
from replay.cassette.named import Named, text_of
from replay.cassette.pieces import SIZE, Texts, Whole, digest
from replay.matching import normalise
from replay.matching.stable import stable
from replay.model import encodings

VERSION: Final = 1
"""Of what goes into them. Digests of another version are no use: they are made again."""

UP_TO: Final = 1 << 20
UP_TO_EVENTS: Final = 2_500
"""A recording of more bytes or events is sealed without: it would hold up the program's exit (30 ms at the limits)."""

CHANCE: Final = frozenset({"clock", "entropy"})
"""Kinds of draws. Two runs never draw the same; they have no digests."""

ANSWER_HEADERS: Final = frozenset({"content-type", "location", "retry-after"})
STATS: Final = frozenset({"stat", "lstat", "fstat"})
_UNZIPPED: Final = 1 << 20
_NONE: Final = bytes(SIZE)
_EXACT: Final = 4


class Place(NamedTuple):
    """Of whom it was asked, and how: what events of two runs have in common that are each other's."""

    kind: str
    name: str
    address: str = ""


@dataclass(slots=True)
class Digests:
    """Of all events of a cassette, by their ids.

    Attributes:
        places: the different ones. lane, place: number of each event's lane; of its place.
        at, came: microseconds since the recording began, of the request and of the outcome; -1 where none came.
        ask, answer: SIZE bytes each. exact: a checksum.
    """

    places: list[Place] = field(default_factory=list[Place])
    lane: list[int] = field(default_factory=list[int])
    place: list[int] = field(default_factory=list[int])
    at: list[int] = field(default_factory=list[int])
    came: list[int] = field(default_factory=list[int])
    ask: list[bytes] = field(default_factory=list[bytes])
    answer: list[bytes] = field(default_factory=list[bytes])
    exact: list[int] = field(default_factory=list[int])

    def pack(self) -> bytes:
        """What a DIGESTS frame holds, before it is compressed."""
        exact = b"".join([value.to_bytes(_EXACT, "big") for value in self.exact])
        steps = [now - before for now, before in zip(self.at, [0, *self.at], strict=False)]
        took = [came - at if came >= 0 else -1 for came, at in zip(self.came, self.at, strict=True)]
        numbers = [self.lane, self.place, steps, took]
        return plain([VERSION, list(map(list, self.places)), numbers, b"".join(self.ask), b"".join(self.answer), exact])

    @classmethod
    def unpack(cls, payload: bytes, events: int) -> Digests | None:
        """The opposite of `pack`; None if they are of another version, or not of so many events."""
        try:
            fields: Any = unplain(payload)
            if fields[0] != VERSION:
                return None
            _, places, numbers, ask, answer, exact = fields
            lane, place, steps, took = map(_integers, numbers)
            if {len(lane), len(place), len(steps), len(took)} != {events}:
                return None
            if (len(ask), len(answer), len(exact)) != (SIZE * events, SIZE * events, _EXACT * events):
                return None
            at = list(accumulate(steps))
            found = cls(
                [Place(*map(str, each)) for each in places],
                lane,
                place,
                at,
                [each + now if each >= 0 else -1 for each, now in zip(took, at, strict=True)],
                [digest for (digest,) in iter_unpack(f"{SIZE}s", ask)],
                [digest for (digest,) in iter_unpack(f"{SIZE}s", answer)],
                [checksum for (checksum,) in iter_unpack(">I", exact)],
            )
        except BAD_INPUT:
            return None
        return found if not place or (min(place) >= 0 and max(place) < len(found.places)) else None


def _integers(found: Any) -> list[int]:
    if type(found) is not list or not set(map(type, found)) <= {int}:
        raise ValueError("not numbers")
    return found


def of(frames: Iterable[tuple[int, int, bytes]]) -> Digests:
    """Of the frames of a cassette, in order: (type, event, payload).

    Raises:
        CassetteDamaged: a payload that isn't one.
    """
    making = Making()
    for type_, event, payload in frames:
        making.add(type_, event, payload)
    return making.done()


@dataclass(slots=True)
class _Event:
    """An event of which more may come."""

    call: records.Call | records.Whole
    body: Whole | None
    status: int | None = None
    value: Any = None
    content: Whole | None = None
    pieces: list[Any] = field(default_factory=list[Any])
    waiting: int = 0


class Making:
    """Digests in the making, frame by frame."""

    def __init__(self) -> None:
        self._found = Digests()
        self._texts = Texts()
        self._open: dict[int, _Event] = {}
        self._places: dict[Place, int] = {}

    def add(self, type_: int, event: int, payload: bytes) -> None:
        """The next frame."""
        if type_ == f.EVENT:
            whole = records.whole(payload)
            self._begin(event, whole, whole.at + whole.took)
            going = self._open.get(event)
            if going is not None:
                going.status, going.value = whole.status, whole.value
                if whole.status != 2:
                    self._end(event)
        elif type_ == f.CALL:
            self._begin(event, records.call(payload), -1)
        elif type_ in f.LATER and event in self._open:
            self._later(type_, event, self._open[event], payload)

    def done(self) -> Digests:
        """All of them. What hasn't ended counts as it is."""
        for event in list(self._open):
            self._end(event)
        return self._found

    def _begin(self, event: int, call: records.Call | records.Whole, came: int) -> None:
        place = self._place(call)
        found = self._found
        number = self._places.setdefault(place, len(found.places))
        if number == len(found.places):
            found.places.append(place)
        found.lane.append(call.lane)
        found.place.append(number)
        found.at.append(call.at)
        found.came.append(came)
        found.ask.append(_NONE)
        found.answer.append(_NONE)
        found.exact.append(0)
        body = None if call.body is None else self._texts.add(event, call.body)
        if call.kind not in CHANCE:
            self._open[event] = _Event(call, body)

    def _later(self, type_: int, event: int, going: _Event, payload: bytes) -> None:
        if type_ == f.CONTENT:
            going.content = self._texts.add(event, records.content(payload))
        elif type_ == f.RETURN:
            outcome = records.ret(payload)
            self._found.came[event] = outcome.at
            going.status, going.value = outcome.status, outcome.value
            if outcome.status != 2:
                self._end(event)
        else:
            chunk = records.chunk(payload)
            if chunk.status == records.LATE:
                going.pieces[len(going.pieces) - going.waiting :] = chunk.value[: going.waiting]
                going.waiting = 0
            elif chunk.status in (0, 1, records.WAITS):
                going.pieces.append(chunk.value)
                going.waiting += chunk.status == records.WAITS

    def _end(self, event: int) -> None:
        going = self._open.pop(event)
        call, found = going.call, self._found
        ask = self._ask(call)
        answer = _answer(going)
        body, content = going.body or _NOTHING, going.content or _NOTHING
        found.ask[event] = digest(stable(ask) + body.digest)
        found.answer[event] = digest(stable(answer) + content.digest)
        found.exact[event] = crc32(answer, crc32(ask, body.exact ^ content.exact))

    def _place(self, call: records.Call | records.Whole) -> Place:
        if call.kind == "http" and isinstance(call.request, dict):
            request: Mapping[str, Any] = call.request
            scheme, path, _ = split(normalise.url(str(request.get("url", ""))))
            return Place("http", _text(stable(_bytes(f"{str(request.get('method', '')).upper()} {path}"))), scheme)
        return Place(call.kind, call.name)

    def _ask(self, call: records.Call | records.Whole) -> bytes:
        if call.kind == "http" and isinstance(call.request, dict):
            http = normalise.http(call.request)
            return _bytes(repr((call.kind, http.method, split(http.url)[1:], http.headers)))
        return _bytes(repr((call.kind, call.name, call.request)))


_NOTHING: Final = Whole(b"", 0)


def _answer(going: _Event) -> bytes:
    call, value, status = going.call, going.value, going.status
    pieces = going.pieces[: len(going.pieces) - going.waiting]
    if status is None:
        return b"open" + _joined(pieces)
    if status == 1:
        said = (value.type_name, text_of(value)) if isinstance(value, Named) else (type(value).__name__, str(value))
        return _bytes(repr(said))
    if call.kind == "http" and isinstance(value, dict):
        head: Mapping[str, Any] = value
        headers = dict(normalise.http({"headers": head.get("headers")}).headers)
        body = head.get("body")
        whole = ([body] if isinstance(body, bytes) else []) + pieces
        kept = {name: values for name, values in headers.items() if name in ANSWER_HEADERS}
        return _bytes(repr((head.get("status"), kept))) + _unzipped(_joined(whole), headers)
    if call.kind == "file" and call.name in STATS and isinstance(value, (list, tuple)) and len(value) > 2:
        value = [value[0], *value[3:]]
    return _bytes(repr(value)) + _joined(pieces)


def _joined(pieces: list[Any]) -> bytes:
    return b"".join([piece if isinstance(piece, bytes) else _bytes(repr(piece)) for piece in pieces])


def _unzipped(data: bytes, headers: Mapping[str, tuple[str, ...]]) -> bytes:
    encoding = ",".join(headers.get("content-encoding", ()))
    return encodings.decode(data, encoding, _UNZIPPED)[0] if encoding else data


def split(url: str) -> tuple[str, str, str]:
    """(scheme and host, path, query with its question mark)."""
    scheme, mark, rest = url.partition("://")
    host, slash, rest = rest.partition("/")
    path, query, asked = rest.partition("?")
    return scheme + mark + host, slash + path, query + asked


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
