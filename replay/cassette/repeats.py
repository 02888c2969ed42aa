"""What a cassette being written has already: bodies and contents, so that what comes again isn't stored again.

A body is stored as its difference to the last one with the same key (`replay.cassette.delta`), a content that is there
in full as a reference. Memory is bounded: the last few bodies, and a digest for each content.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from replay.cassette._msgpack import ext, plain
from replay.cassette.codec import EXT_DELTA
from replay.cassette.delta import Delta, difference
from replay.cassette.lru import Recent
from replay.cassette.redact.bodies import Body, changed, redacted
from replay.cassette.redact.texts import Texts

INLINE: Final = 256
"""Bodies shorter than this are stored whole."""

LINKS: Final = 500
"""How many differences in a row a body may be made of: so many frames are read to put it together."""

_BASES: Final = 16
BASES_BYTES: Final = 16 << 20
"""How many last bodies are kept to make differences to, and how many bytes of them."""


def _size(base: tuple[int, Body]) -> int:
    return base[1].size


class Repeats:
    """Those of one cassette.

    Args:
        texts: finds secrets in bodies; None: they stay as they are.

    Example:
        >>> repeats = Repeats(None)
        >>> stored, body = repeats.body("chat", b"x" * 1000)
        >>> repeats.put("chat", 0, body)
        >>> len(stored), len(repeats.body("chat", b"x" * 1000 + b"y")[0].data)
        (1000, 9)
    """

    def __init__(self, texts: Texts | None) -> None:
        self._texts = texts
        self._bases: Recent[Hashable, tuple[int, Body]] = Recent(_BASES, BASES_BYTES, _size)
        self._links: Recent[Hashable, int] = Recent(_BASES)
        self._known: dict[bytes, tuple[int, int]] = {}  # digest of a content or body: event that has it, its size

    def body(self, chain: Hashable | None, raw: bytes) -> tuple[object, Body]:
        """What is stored of a body, and what to give to `put` once its event has a number."""
        links = 0 if chain is None else self._links.get(chain) or 0
        last = None if chain is None or len(raw) < INLINE or links >= LINKS else self._bases.get(chain)
        if last is None:
            body, delta = redacted(self._texts, raw), None
        else:
            body, delta = changed(self._texts, raw, last[1], last[0])
        if chain is not None:
            self._links.put(chain, 0 if delta is None else links + 1)
        return body.safe if delta is None else _reference(delta), body

    def put(self, chain: Hashable, event: int, body: Body) -> None:
        """That event's body is the last one with this key."""
        self._bases.put(chain, (event, body))

    def content(self, event: int, content: bytes, digest: bytes, chain: Hashable) -> object:
        """What is stored of a content, whose secrets whoever read it has taken out."""
        known = self._known.get(digest)
        if known is not None and known[0] < event:  # a delta can't point forward
            return _reference(Delta(known[0], known[1], 0, b""))
        last = self._bases.get(chain) if len(content) >= INLINE else None
        delta = None if last is None or last[0] >= event else difference(last[0], last[1].safe, content)
        self.put(chain, event, Body(content, []))
        self.remember(digest, event, len(content))
        return content if delta is None else _reference(delta)

    def remember(self, digest: bytes, event: int, size: int) -> None:
        """That event's body or content, of `size` bytes, has this digest: `content` refers to it from now on."""
        if size >= INLINE:
            self._known.setdefault(digest, (event, size))


def _reference(delta: Delta) -> object:
    return ext(EXT_DELTA, plain(list(delta)))
