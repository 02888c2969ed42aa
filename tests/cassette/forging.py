"""What somebody does who knows the format and may write the file: alters frames, and makes everything fit again."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from replay.cassette import footer as foot
from replay.cassette import frame as f
from replay.cassette import layout
from replay.cassette.codec import pack
from replay.cassette.reader import Reader
from replay.cassette.scan import Scan
from replay.cassette.source import FileSource

Frames = list[tuple[int, int, bytes]]


def taken(path: Path) -> tuple[Frames, list[Any]]:
    """All frames of a sealed cassette, and the signatures it has."""
    with Reader.open(path) as reader:
        source = reader.source
        return list(reader.frames()), layout.of(source).footer.signatures


def number(frames: Frames) -> Frames:
    """Events counted anew, from 0, without a hole; their outcomes follow them."""
    known: dict[int, int] = {}
    found: Frames = []
    for type_, event, payload in frames:
        if type_ in (f.CALL, f.EVENT):
            known[event] = len(known)
        found.append((type_, known.get(event, event), payload))
    return found


def put(path: Path, frames: Frames, signatures: Sequence[Any]) -> None:
    """A sealed cassette of these frames: checksums, CHAIN frames and footer computed, signatures as they were."""
    data, seed = f.PREAMBLE, 0
    for type_, event, payload in frames:
        if type_ == f.CHAIN:
            payload = pack([sha256(data).digest()])
        framed, seed = f.encode(type_, event, payload, seed)
        data += framed
    path.write_bytes(data)
    source = FileSource(path)
    scan = Scan(source)
    for _ in scan.runs():
        pass
    source.close()
    known = scan.footer
    tables = scan.tables
    known.lanes = list(tables.lanes.items())
    known.sites = [(number, site.file, site.line, site.function) for number, site in tables.sites.items()]
    known.blind = tables.blind
    known.signatures = list(signatures)
    index, _ = f.encode(f.INDEX, f.NO_EVENT, known.pack(), seed)
    path.write_bytes(data + index + foot.trailer(len(data), seed))
