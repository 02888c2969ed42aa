"""Databases of SQLite: values stand in them side by side, so each is searched by itself. Lengths stay as they are.

After https://www.sqlite.org/fileformat2.html. What isn't a value (deleted ones, parts of rollback journals) is searched
as any file is; checksums of a write-ahead log are made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct, iter_unpack
from typing import Final

from replay.cassette.redact.texts import Texts

MAGIC: Final = b"SQLite format 3\0"
_WAL: Final = (b"\x37\x7f\x06\x82\x00\x2d\xe2\x18", b"\x37\x7f\x06\x83\x00\x2d\xe2\x18")
_LEAF_TABLE: Final = 0x0D
_INDEXES: Final = {0x0A: 0, 0x02: 4}  # leaf, interior: bytes before a cell's payload
_SIZES: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)
_LEAST: Final = 6
_WORD: Final = Struct(">I")

Spans = list[tuple[int, int]]


def redacted(texts: Texts, data: bytes) -> bytes:
    """A database, and the write-ahead log behind it, without secrets; `data` itself where there are none."""
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1):
        return data
    safe = bytearray(data)
    log = next((at for at in range(0, len(data), size) if data.startswith(_WAL, at)), len(data))
    usable = size - data[20]
    for start in range(0, log, size):
        _page(texts, safe, start, 100 if start == 0 else 0, usable, lambda number: (number - 1) * size, log)
    frame = size + 24
    frames = _frames(data, log + 32, frame)
    for number, places in frames.items():
        for start in places:
            near = partial(_nearest, frames, start, size)
            _page(texts, safe, start, 100 if number == 1 else 0, usable, near, len(data))
    if texts.suspect(bytes(safe)):
        _replace(texts, safe, [(0, len(safe))])
    if bytes(safe) == data:
        return data
    if log < len(data):
        _sum_up(safe, log, frame)
    return bytes(safe)


def _frames(data: bytes, at: int, frame: int) -> dict[int, list[int]]:
    """Where a log has pages, by number: each version of one is there."""
    found: dict[int, list[int]] = {}
    for start in range(at, len(data) - frame + 1, frame):
        found.setdefault(int.from_bytes(data[start : start + 4], "big"), []).append(start + 24)
    return found


def _nearest(frames: dict[int, list[int]], start: int, size: int, number: int) -> int:
    """Where that page is: what was written together stands together; else in the database."""
    return min(frames.get(number, ()), key=lambda place: abs(place - start), default=(number - 1) * size)


def _page(
    texts: Texts, data: bytearray, start: int, first: int, usable: int, place: Callable[[int], int], end: int
) -> None:
    """Search the values that begin on a page, and blank what is left over on it where something may be a secret."""
    head = start + first
    kind = data[head] if head < len(data) else 0
    if kind != _LEAF_TABLE and kind not in _INDEXES:
        return
    cells = head + (12 if kind == 0x02 else 8)
    for number in range(min(int.from_bytes(data[head + 3 : head + 5], "big"), usable // 4)):
        at = start + int.from_bytes(data[cells + 2 * number : cells + 2 * number + 2], "big")
        at += _INDEXES.get(kind, 0)
        size, at = _varint(data, at)
        if kind == _LEAF_TABLE:
            _, at = _varint(data, at)
        spans = list(_payload(data, at, size, usable, kind == _LEAF_TABLE, place, end))
        for value in _values(data, spans):
            _replace(texts, data, value)
    for since, until in _unused(data, start, head, cells, usable):
        if since < until and texts.suspect(bytes(data[since:until])):
            data[since:until] = bytes(until - since)


def _unused(data: bytearray, start: int, head: int, cells: int, usable: int) -> Iterator[tuple[int, int]]:
    """The parts of a page that SQLite doesn't read: between the cells and their places, and those of cells that went.

    Old cells are there, whose values touch each other.
    """
    count, content = (int.from_bytes(data[at : at + 2], "big") for at in (head + 3, head + 5))
    page_end = min(start + usable, len(data))
    yield cells + 2 * count, min(start + (content or usable), page_end)
    free, last = int.from_bytes(data[head + 1 : head + 3], "big"), 0
    while free > last:  # in their order on the page
        at, last = start + free, free
        free, size = (int.from_bytes(data[each : each + 2], "big") for each in (at, at + 2))
        yield at + 4, min(at + size, page_end)


def _payload(
    data: bytearray, at: int, size: int, usable: int, table: bool, place: Callable[[int], int], end: int
) -> Iterator[tuple[int, int]]:
    """Where the parts of a cell's payload are: what doesn't fit goes on in other pages."""
    most = usable - 35 if table else (usable - 12) * 64 // 255 - 23
    local = size
    if size > most:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
    if at + local > end:
        return
    yield at, at + local
    left, follows = size - local, at + local
    while left > 0:
        number = int.from_bytes(data[follows : follows + 4], "big")
        follows = place(number)
        if number == 0 or follows < 0 or follows + usable > end:
            return
        part = min(left, usable - 4)
        yield follows + 4, follows + 4 + part
        left -= part


def _values(data: bytearray, spans: Spans) -> Iterator[Spans]:
    """Where the texts and blobs of a record are."""
    whole = b"".join(data[start:end] for start, end in spans[:1])
    length, at = _varint(whole, 0)
    place, end = length, min(length, len(whole))
    while at < end:
        kind, at = _varint(whole, at)
        size = (kind - 12) // 2 if kind >= 12 else _SIZES[kind]
        if kind >= 12 and size >= _LEAST:
            yield list(_between(spans, place, place + size))
        place += size


def _between(spans: Spans, first: int, last: int) -> Iterator[tuple[int, int]]:
    at = 0
    for start, end in spans:
        inside = max(first, at), min(last, at + end - start)
        if inside[0] < inside[1]:
            yield start + inside[0] - at, start + inside[1] - at
        at += end - start


def _replace(texts: Texts, data: bytearray, spans: Spans) -> None:
    """Search what stands there as one text; every stand-in gets the length of what it stands for."""
    text = b"".join(data[start:end] for start, end in spans)
    if not texts.suspect(text):
        return
    safe, edges = texts.redact(text)
    done = safe_done = 0
    for start, end, safe_end in edges:
        put = safe[safe_done + start - done : safe_end][: end - start].ljust(end - start)
        at = 0
        for first, last in _between(spans, start, end):
            data[first:last] = put[at : at + last - first]
            at += last - first
        done, safe_done = end, safe_end


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for _ in range(8):
        byte = data[at] if at < len(data) else 0
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | (data[at] if at < len(data) else 0), at + 1


def _sum_up(data: bytearray, log: int, frame: int) -> None:
    """The checksums of a write-ahead log, each continued from the one before."""
    order = ">II" if data[log + 3] & 1 else "<II"
    salts = data[log + 16 : log + 24]
    sums = _summed(data[log : log + 24], order, (0, 0))
    data[log + 24 : log + 32] = _WORD.pack(sums[0]) + _WORD.pack(sums[1])
    for start in range(log + 32, len(data) - frame + 1, frame):
        if data[start + 8 : start + 16] != salts:
            return  # left over from before the last checkpoint
        sums = _summed(data[start : start + 8], order, sums)
        sums = _summed(data[start + 24 : start + frame], order, sums)
        data[start + 16 : start + 24] = _WORD.pack(sums[0]) + _WORD.pack(sums[1])


def _summed(data: bytearray, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, other = sums
    for first, second in iter_unpack(order, data):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other
