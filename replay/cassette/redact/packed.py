"""Compressed bodies of HTTP: what they unpack to is searched as if it had come unpacked.

What has nothing in it is stored as it came. From the piece on in which something was found, the text without it is
packed again. Rules:

- Pieces wait while what they unpack to ends within what may be a secret (`streams`), and while nobody could go on
  behind them: that is possible behind a whole text, and where a server that streams has flushed deflate.
- A body whose length was said before waits until it is whole, and is packed again into the same length.
- What waits is bounded: `HELD` bytes, and `MOST` bytes of what a body unpacks to. Past the first, pieces are stored as
  they came while nothing was found; past the second they aren't searched any more.
- What can't be searched is stored as it came, and said. What has to be replaced and can't be is stored as zeros, and
  said as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, cast

from replay.cassette.redact import packing
from replay.cassette.redact.pseudonyms import plainer
from replay.cassette.redact.texts import Texts

HELD: Final = 4 << 20
MOST: Final = 16 << 20

_NOT_SEARCHED: Final = "a body of content-encoding {} isn't searched for secrets: {}"
_NOT_REPLACED: Final = "a secret in a body of content-encoding {} couldn't be replaced: the replay can't read it"
_LONGER: Final = "a body of content-encoding {} got longer without its secrets: who counts can't read it at replay"

Begin = Callable[[], "Searched"]


class Searched(NamedTuple):
    """A text in pieces, as `streams` searches it.

    Attributes:
        add: the next piece -> None while its value waits, else the values of all that waited and its own.
        rest: the values of those that wait.
    """

    add: Callable[[bytes], list[bytes] | None]
    rest: Callable[[], list[bytes]]


class Answer(NamedTuple):
    """As of `streams`: the values of those that waited, and of this piece, unless it waits."""

    waits: bool
    values: list[bytes]


def encoding_of(head: Any) -> tuple[str, int | None] | None:
    """How the pieces of a response are packed, and how many bytes were said to come; None where they aren't packed."""
    headers: Any = cast("dict[str, Any]", head).get("headers") if isinstance(head, dict) else None
    if not isinstance(headers, list):
        return None
    lines = cast("list[tuple[Any, Any]]", headers)
    if "content-encoding" not in [str(name).lower() for name, _ in lines]:
        return None  # as nearly always
    said = {str(name).lower(): str(value) for name, value in lines}
    name = said["content-encoding"].strip().lower().removeprefix("x-")
    if name in ("", "identity"):
        return None
    length = said.get("content-length", "")
    return name, int(length) if length.isdecimal() and "transfer-encoding" not in said else None


class Packed:
    """One body.

    Args:
        name: its content-encoding. size: its length, where it was said.
        search: begins to search a text.
        tell: gets what couldn't be done.
    """

    def __init__(self, name: str, size: int | None, search: Begin, tell: Callable[[str], None]) -> None:
        self._name = name
        self._size = size
        self._search = search
        self._searched = search()
        self._tell = tell
        self._raw: list[bytes] = []  # pieces that wait, and what they unpack to
        self._texts: list[bytes] = []
        self._safe: list[bytes] = []
        self._came = self._unpacked = self._held = 0
        self._before = packing.NOTHING  # the text that was stored as it came, since the last one was whole
        self._fresh = self._goes_on = True  # nothing of a text is stored; another packer can go on behind what is
        self._packer: packing.Packer | None = None
        self._lost = False
        self._unpacker: packing.Unpacker | None = None
        if packing.known(name):
            self._unpacker = packing.unpacker(name)
        else:
            self._blind("nothing here can unpack it")

    def add(self, piece: bytes) -> Answer:
        """The next piece."""
        if self._unpacker is None:
            return Answer(False, [bytes(len(piece)) if self._lost else piece])
        try:
            text = self._unpacker.feed(piece, MOST - self._unpacked)
        except packing.Unreadable as error:
            return self._give_up(piece, str(error))
        self._came += len(piece)
        self._unpacked += len(text)
        self._held += len(piece)
        self._raw.append(piece)
        self._texts.append(text)
        found = self._searched.add(text)
        self._safe += found or []
        if self._came == self._size:
            self._safe += self._searched.rest()
        elif found is None or not (self._packer or self._held > HELD or self._borders(piece)):
            return Answer(True, [])
        values = self._values()
        self._goes_on = self._packer is not None or packing.flushed(self._name, piece)
        if self._unpacker.ended:
            self._packer, self._before, self._fresh = None, packing.NOTHING, True
        return Answer(False, values)

    def rest(self) -> list[bytes]:
        """It has ended: what waited."""
        self._safe += self._searched.rest()
        return self._values()

    def _ended(self) -> bool:
        return self._unpacker is not None and self._unpacker.ended

    def _borders(self, piece: bytes) -> bool:
        """Whether another packer can go on behind that piece."""
        return self._size is None and (self._ended() or packing.flushed(self._name, piece))

    def _values(self) -> list[bytes]:
        """What is to be stored of those that waited."""
        raw, texts, safe = self._raw, self._texts, self._safe
        self._raw, self._texts, self._safe, self._held = [], [], [], 0
        if self._packer is None and not self._lost:
            if safe == texts:
                self._before = self._before.and_(b"".join(texts))
                self._fresh = self._fresh and not raw
                return raw
            if self._came == self._size == sum(map(len, raw)):
                made = self._exactly(raw, safe)
                if made is not None:
                    return made
                self._tell(_LONGER.format(self._name))
            self._begin()
        if self._packer is None:
            return [bytes(len(piece)) for piece in raw]
        return list(self._packed(self._packer, safe))

    def _packed(self, packer: packing.Packer, safe: list[bytes]) -> Iterator[bytes]:
        """A piece that unpacks to nothing, as a format's head does, gets a byte of the next one."""
        last, nothing = len(safe) - 1, 0
        for number, text in enumerate(safe):
            if not text and number < last:
                nothing += 1
                continue
            made = packer.piece(text, last=False)
            while len(made) <= nothing:
                made += packer.piece(b"", last=False)
            if number == last and self._ended():
                made += packer.piece(b"", last=True)
            yield from (made[n : n + 1] for n in range(nothing))
            yield made[nothing:]
            nothing = 0

    def _begin(self) -> None:
        """Something was found: from here on it is packed again."""
        assert self._unpacker is not None
        if self._fresh or (self._goes_on and self._size is None):
            after = None if self._fresh else self._before
            self._packer = packing.packer(self._name, raw=self._unpacker.raw, after=after)
        else:
            self._lose()

    def _exactly(self, raw: list[bytes], safe: list[bytes]) -> list[bytes] | None:
        """Packed into the same length; with stand-ins that pack better, if need be."""
        assert self._unpacker is not None
        sizes = [len(piece) for piece in raw]
        text = b"".join(safe)
        for stands in (text, plainer(text, 4), plainer(text, 0)):
            made = packing.exactly(self._name, stands, sum(sizes), raw=self._unpacker.raw)
            if made is not None:
                return list(_cut(made, sizes))
        return None

    def _give_up(self, piece: bytes, why: str) -> Answer:
        """It can't be unpacked, or not with bounds: what comes now isn't searched."""
        values = self.rest()
        again = self._packer is not None
        self._unpacker = self._packer = None
        if again:
            self._lose()
        else:
            self._blind(why)
        return Answer(False, [*values, bytes(len(piece)) if self._lost else piece])

    def _lose(self) -> None:
        self._lost = True
        self._tell(_NOT_REPLACED.format(self._name))

    def _blind(self, why: str) -> None:
        self._tell(_NOT_SEARCHED.format(self._name, why))


def whole(texts: Texts, headers: Any, body: bytes, tell: Callable[[str], None]) -> bytes:
    """The body of a request without its secrets, as `headers` say that it is packed; itself where it has none."""
    how = encoding_of({"headers": headers})
    if how is None or not body:
        return body
    name = how[0]
    if not packing.known(name):
        tell(_NOT_SEARCHED.format(name, "nothing here can unpack it"))
        return body
    unpacker = packing.unpacker(name)
    try:
        text = unpacker.feed(body, MOST)
    except packing.Unreadable as error:
        tell(_NOT_SEARCHED.format(name, error))
        return body
    safe = texts.redact(text).text
    return body if safe is text else packing.packer(name, raw=unpacker.raw).piece(safe, last=unpacker.ended)


def _cut(data: bytes, sizes: Iterable[int]) -> Iterable[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
