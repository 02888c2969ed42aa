"""Secrets that reach the program in pieces: a piece that ends within what may be one waits for the next ones.

Its place in the recording is kept, what it was is written as soon as that is known (docs/format.md, 6). Pieces are
looked at as bytes one behind the other, and by the fields of JSON in them that carry texts in pieces, which is how
models stream. Pure, but for what waits.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from os.path import commonprefix
from typing import Any, Final, NamedTuple

from replay.cassette import _msgpack as msgpack
from replay.cassette.redact.detectors import REACH, begins
from replay.cassette.redact.packed import Packed, Searched, encoding_of
from replay.cassette.redact.pseudonyms import FORM
from replay.cassette.redact.texts import Texts
from replay.cassette.redact.values import CONTAINERS

_type: Callable[[Any], Any] = type

_KEPT: Final = 96
"""Bytes before a piece that are looked at with it: a secret's first letters say nothing, so they don't wait."""

_FEW: Final = 3
_SHARES: Final = 64
"""Parts of secrets that are looked for in what is printed: the last ones, if they aren't too short."""

_WINDOW: Final = 600
_MOST: Final = 4 * REACH
"""Bytes that wait at most: no secret is longer."""

_DELTA: Final = re.compile(
    rb'"(content|text|delta|partial_json|arguments|thinking|reasoning(?:_content|_text)?|summary|transcript|refusal'
    rb'|output|data|token|chunk|message|value)"\s?:\s?"([^"\\]*(?:\\.[^"\\]*)*)'
)
_BREAK: Final = re.compile(rb"[\s\"'<>]")
_NEWLINE: Final = 10
_CLOSED: Final = frozenset(b"\n\r}]>;!")
"""Nothing that may be a secret goes on behind these, but a private key."""
_WORD: Final = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.+/=@%:?& ()\"'\\")

Span = tuple[int, int]
Share = tuple[bytes, bytes]
"""A text that came in a piece and has a part of a secret, or may have one, and how it is stored."""


class Answer(NamedTuple):
    """What is to be written for a piece.

    Attributes:
        waits: its value comes later. value: otherwise, without the secrets that began before it.
        late: the values of those that waited for it, to be written before it.
    """

    waits: bool
    value: Any
    late: list[Any]


class Streams:
    """The streams of one recording.

    Args:
        texts: finds and replaces.
        pack: a value to bytes of msgpack, with its secrets.

    Attributes:
        unable: what couldn't be searched or replaced; whoever says so empties it.
    """

    def __init__(self, texts: Texts, pack: Callable[[object], bytes]) -> None:
        self._texts = texts
        self._pack = pack
        self._streams: dict[int, _Stream] = {}
        self._packed: dict[int, Packed] = {}
        self._shares: deque[Share] = deque(maxlen=_SHARES)
        self.unable: list[str] = []

    @property
    def unpacks(self) -> bool:
        """A compressed stream goes on: what comes of it can't be searched without what came."""
        return bool(self._packed)

    def opened(self, event: int, head: Any) -> None:
        """That event is a stream: of a response to HTTP, `head` says whether its pieces are compressed."""
        how = encoding_of(head)
        if how is not None:
            self._packed[event] = Packed(*how, self._search, self.unable.append)

    def _search(self) -> Searched:
        stream = _Stream(self._texts, self._shares)
        redact = self._texts.redact

        def add(text: bytes) -> list[bytes] | None:
            waits, value, late = stream.one(text, text)
            return None if waits else [redact(each).text for each in (*late, value)]

        return Searched(add, lambda: [redact(each).text for each in stream.settled()])

    def piece(self, event: int, value: Any) -> Answer:
        """The next piece of that event's stream."""
        packed = self._packed.get(event)
        if packed is not None and _type(value) is bytes:
            waits, values = packed.add(value)
            return Answer(waits, values.pop() if values else None, values)
        stream = self._streams.get(event)
        if stream is None:
            stream = self._streams[event] = _Stream(self._texts, self._shares)
        kind = _type(value)
        if kind is bytes:
            return stream.one(value, value)
        if kind is str:
            return stream.one(value, value.encode("utf-8", "surrogatepass"))
        plain = msgpack.unpack(self._pack(value), msgpack.ext)
        found: dict[str, list[bytes]] = {}
        for key, text in _leaves(plain):
            found.setdefault(key, []).append(text)
        return stream.add(_Piece(plain, found))

    def masked(self, text: Any) -> Any:
        """A text that the program prints, without what came in pieces and is, or may be, a part of a secret: as the
        pieces are stored, so that a replay prints the same."""
        if not self._shares or _type(text) is not str:
            return text
        raw: bytes = text.encode("utf-8", "surrogatepass")
        shares = dict(self._shares)
        if raw in shares:
            return shares[raw].decode("utf-8", "surrogatepass")
        whole = self._texts.redact(raw).text  # secrets first, then parts of them
        parts = [re.escape(share) for share in sorted(shares, key=len, reverse=True) if len(share) >= _FEW]
        masked = re.sub(b"|".join([FORM.pattern, *parts]), lambda found: shares.get(found[0], found[0]), whole)
        return masked.decode("utf-8", "surrogatepass")

    def end(self, event: int) -> list[Any]:
        """That stream has ended: the values of those that waited."""
        packed = self._packed.pop(event, None)
        if packed is not None:
            return packed.rest()
        stream = self._streams.pop(event, None)
        return [] if stream is None else stream.settled()

    def ends(self) -> Iterator[tuple[int, list[Any]]]:
        """The recording ends: what waited, by event."""
        for event in (*self._streams, *self._packed):
            late = self.end(event)
            if late:
                yield event, late


class _Piece(NamedTuple):
    """One piece: its value of msgpack's own types, and the texts in it by the name of the field that has them."""

    value: Any
    texts: dict[str, list[bytes]]


class _Stream:
    __slots__ = ("_shares", "_size", "_texts", "_threads", "_waiting")

    def __init__(self, texts: Texts, shares: deque[Share]) -> None:
        self._texts = texts
        self._shares = shares
        self._threads: dict[str, _Thread] = {}
        self._waiting: list[_Piece] = []
        self._size = 0

    def one(self, value: Any, text: bytes) -> Answer:
        """A piece that is one text; of most there is nothing to say."""
        thread = self._threads.get("")
        if thread is not None and thread.passes(text):
            return Answer(False, value, [])
        return self.add(_Piece(value, {"": [text]}))

    def add(self, piece: _Piece) -> Answer:
        open_ = False
        for key, texts in piece.texts.items():
            thread = self._threads.get(key)
            if thread is None:
                cut = _type(piece.value) is bytes  # a frame's or a body's: their length has been said
                thread = self._threads[key] = _Thread(self._texts, self._shares, sliced=cut)
            text = texts[0] if len(texts) == 1 else b"".join(texts)
            open_ = thread.add(text) or open_
            self._size += len(text)
        if open_ and self._size < _MOST:
            self._waiting.append(piece)
            return Answer(True, None, [])
        waiting = self._waiting
        if not waiting and not any(thread.edits() for thread in self._threads.values()):
            for thread in self._threads.values():
                thread.forget()
            self._size = 0
            return Answer(False, piece.value, [])
        waiting.append(piece)
        late = self.settled()
        return Answer(False, late.pop(), late)

    def settled(self) -> list[Any]:
        """The values of all that waited, without their secrets."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        safe = {key: thread.safe() for key, thread in self._threads.items()}
        values: list[Any] = []
        for piece in waiting:
            parts = {key: [safe[key].take(len(text)) for text in texts] for key, texts in piece.texts.items()}
            for key, texts in piece.texts.items():
                self._shares.extend(zip(texts, parts[key], strict=True))
            values.append(_rebuilt(piece.value, "", {key: iter(texts) for key, texts in parts.items()}))
        for thread in self._threads.values():
            self._shares.extend(thread.fields())
            thread.forget()
        return values


class _Thread:
    """The texts of one field, one behind the other: those that are written already, as far as they matter, and those
    that wait."""

    __slots__ = ("_before", "_edits", "_fields", "_like", "_parts", "_pieces", "_shares", "_sliced", "_text", "_texts")

    def __init__(self, texts: Texts, shares: deque[Share], *, sliced: bool) -> None:
        self._texts = texts
        self._shares = shares
        self._sliced = sliced
        self._before = 0
        self._text = b""
        self._fields: dict[bytes, bytes] = {}  # the ends of fields of JSON, as far as they are written
        self._pieces = 0  # that aren't written
        self._parts: dict[bytes, tuple[bytes, list[Span]]] | None = {}  # what `_deltas` found
        self._edits: list[_Edit] | None = []
        self._like: tuple[bytes, bytes, bytes] | None = None  # what was around the only field of a piece, and its name

    def passes(self, text: bytes) -> bool:
        """Whether nothing waits, and a text that comes now is written as it is: then it is. The short way of `add`,
        `edits` and `forget`, for what is nearly every piece."""
        if self._pieces or not text:
            return False
        before, texts = self._before, self._texts
        whole = self._text + text
        last = whole[before - 1] if before else _NEWLINE
        if self._open(whole) is not None or (before and last in _WORD and texts.suspect(whole)):
            return False
        field = self._field(text) if last == _NEWLINE else None
        if field is None:
            if text.find(b'"') >= 0 or (before and self._text.find(b'"') >= 0):
                return False
        else:
            name, said = field
            tail = self._fields.get(name, b"") + said
            if tail and (self._open(tail) is not None or texts.suspect(tail)):
                return False
            if said:
                self._fields[name] = tail[-_KEPT:]
        self._text = whole[-_KEPT:]
        self._before = len(self._text)
        return True

    def _field(self, text: bytes) -> tuple[bytes, bytes] | None:
        """The only field of JSON with a text in it, and that; None where there is another number of them. Pieces of a
        stream are alike but for what is said: it is looked for where it was in the last one."""
        if self._like is not None:
            head, tail, name = self._like
            said = text[len(head) : len(text) - len(tail)]
            if (
                text.startswith(head)
                and text.endswith(tail)
                and len(text) >= len(head) + len(tail)
                and said.find(b'"') < 0
                and said.find(b"\\") < 0
            ):
                return name, said
        found = list(_DELTA.finditer(text))
        if len(found) != 1:
            return None
        start, end = found[0].span(2)
        self._like = text[:start], text[end:], found[0][1]
        return found[0][1], text[start:end]

    def add(self, text: bytes) -> bool:
        """Whether it ends within what may be a secret."""
        if text:
            self._text += text
            self._pieces += 1
            self._edits = None
            self._parts = None if b'"' in self._text else {}
        if not self._pieces:
            return False
        waits = self._waits(self._text, len(text))
        for tail, spans in self._deltas().values():
            start, end = spans[-1]
            waits = self._waits(tail, end - start) or waits
        return waits

    def _waits(self, text: bytes, size: int) -> bool:
        """Whether that text, whose last part is new, ends within what may be a secret."""
        start = self._open(text)
        if start is None:
            return False
        share = text[max(start, len(text) - size) :]
        self._shares.append((share, self._texts.pseudonyms.secret(share)))
        return True

    def edits(self) -> list[_Edit]:
        """What is replaced of the texts that aren't written, in order, without overlaps."""
        if self._edits is None:
            self._edits = self._found()
        return self._edits

    def safe(self) -> _Safe:
        made = None if self._sliced else self._texts.pseudonyms.secret
        return _Safe(self._text, self._before, self.edits(), made)

    def fields(self) -> Iterator[Share]:
        """The texts in fields of JSON that aren't written, and how they are stored."""
        for _, spans in self._deltas().values():
            for start, end in spans:
                yield self._text[start:end], _Safe(self._text, start, self.edits(), None).take(end - start)

    def forget(self) -> None:
        """All of it is written."""
        for name, (tail, _) in self._deltas().items():
            self._fields[name] = tail[-_KEPT:]
        self._text = self._text[-_KEPT:]
        self._before = len(self._text)
        self._pieces, self._parts, self._edits = 0, {}, []

    def _open(self, text: bytes) -> int | None:
        """Where what may be a secret begins, if the text ends within it."""
        if text[-1] not in _CLOSED:
            end = text[-_WINDOW:]
            if len(text) > _WINDOW and _BREAK.search(end) is None:
                end = text[-REACH:]
            for begin in (begins, self._texts.begins):
                start = begin(end)
                if start is not None:
                    return len(text) - len(end) + start
        return _private_key(text)

    def _deltas(self) -> dict[bytes, tuple[bytes, list[Span]]]:
        """By name of a field: its texts one behind the other, and where those that aren't written are."""
        if self._parts is not None:
            return self._parts
        found: dict[bytes, tuple[bytes, list[Span]]] = {}
        text, before = self._text, self._before
        lines = before if before and text[before - 1] == _NEWLINE else 0
        for match in _DELTA.finditer(text, lines):
            start, end = match.span(2)
            start = max(start, before)
            if start < end:
                tail, spans = found.get(match[1]) or (self._fields.get(match[1], b""), [])
                found[match[1]] = (tail + text[start:end], [*spans, (start, end)])
        self._parts = found
        return found

    def _found(self) -> list[_Edit]:
        text, texts = self._text, self._texts
        edits: list[_Edit] = []
        if self._goes_on() and texts.suspect(text):
            edits += [_Edit(span, put) for span, put in _replaced(texts, text) if span[1] > self._before]
        for joined, spans in self._deltas().values():
            if texts.suspect(joined):
                offset = len(joined) - sum(end - start for start, end in spans)
                for (start, end), put in _replaced(texts, joined):
                    edits += self._spread(start - offset, end - offset, put, spans)
        edits.sort()
        kept: list[_Edit] = []
        for edit in edits:
            if not kept or edit.span[0] >= kept[-1].span[1]:
                kept.append(edit)
        return kept

    def _spread(self, start: int, end: int, put: bytes, spans: list[Span]) -> Iterator[_Edit]:
        """What replaces a part of joined spans, by span: a part of a secret has a stand-in of its own."""
        at = 0
        for first, last in spans:
            inside = max(start, at), min(end, at + last - first)
            if inside[0] < inside[1]:
                span = first + inside[0] - at, first + inside[1] - at
                share = self._text[slice(*span)]
                yield _Edit(span, put if inside == (start, end) else self._texts.pseudonyms.secret(share))
            at += last - first

    def _goes_on(self) -> bool:
        """Whether a word may reach over a border; what is whole in one piece is seen when that is packed."""
        before = self._before
        return self._pieces > 1 or (before > 0 and self._text[before - 1] in _WORD)


class _Edit(NamedTuple):
    span: Span
    put: bytes


class _Safe:
    """A text that is given out in the lengths it came in, with its edits."""

    def __init__(
        self,
        text: bytes,
        at: int,
        edits: list[_Edit],
        made: Callable[[bytes], bytes] | None,
    ) -> None:
        self._text = text
        self._at = at
        self._edits = edits
        self._made = made

    def take(self, size: int) -> bytes:
        start, end = self._at, self._at + size
        self._at = end
        parts: list[bytes] = []
        for (first, last), put in self._edits:
            if last <= start or first >= end:
                continue
            inside = max(first, start), min(last, end)
            parts += self._text[start : inside[0]], self._put(put, first, last, inside)
            start = inside[1]
        parts.append(self._text[start:end])
        return b"".join(parts)

    def _put(self, put: bytes, first: int, last: int, inside: Span) -> bytes:
        """The part of what is put from `first` to `last` that falls inside."""
        start, end = inside
        if inside == (first, last):
            return put
        share = self._text[start:end]
        if self._made is not None:
            return self._made(share)
        return put[start - first : end - first] if len(put) == last - first else put if start == first else b""


def _replaced(texts: Texts, text: bytes) -> Iterator[tuple[Span, bytes]]:
    safe, edges = texts.redact(text)
    done = safe_done = 0
    for start, end, safe_end in edges:
        put = safe[safe_done + start - done : safe_end]
        same = len(commonprefix((text[start:end], put)))  # noqa: RUF071  # what such keys begin with: no path
        yield (start + same, end), put[same:]
        done, safe_done = end, safe_end


def _private_key(text: bytes) -> int | None:
    """Where one begins, if the text ends within it."""
    said = text.rfind(b"PRIVATE KEY-----", -REACH)
    if said < 0 or text.find(b"-----", said + 16) >= 0:
        return None
    start = text.rfind(b"-----BEGIN", max(said - 60, 0), said)
    return None if start < 0 else start


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, bytes]]:
    kind = _type(value)
    if kind is str:
        yield key, value.encode("utf-8", "surrogatepass")
    elif kind is bytes:
        yield key, value
    elif kind is list:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{key}.{number}")
    elif kind is dict:
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}")
    elif kind is msgpack.Ext and value.code in CONTAINERS:
        yield from _leaves(msgpack.unpack(value.data, msgpack.ext), key)


def _rebuilt(value: Any, key: str, parts: dict[str, Iterator[bytes]]) -> Any:
    """The value with its texts replaced, in the order of `_leaves`."""
    kind = _type(value)
    if kind is str:
        return next(parts[key]).decode("utf-8", "surrogatepass")
    if kind is bytes:
        return next(parts[key])
    if kind is list:
        return [_rebuilt(item, f"{key}.{number}", parts) for number, item in enumerate(value)]
    if kind is dict:
        return {name: _rebuilt(item, f"{key}.{name}", parts) for name, item in value.items()}
    if kind is msgpack.Ext and value.code in CONTAINERS:
        inner = _rebuilt(msgpack.unpack(value.data, msgpack.ext), key, parts)
        return msgpack.ext(value.code, msgpack.plain(inner))
    return value
