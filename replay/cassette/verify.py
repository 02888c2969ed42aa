"""Integrity of a cassette: every byte is read, every checksum and every CHAIN is computed again.

What this detects: bytes altered, frames dropped, moved, doubled or cut off, also where the checksums were made to fit
(the CHAIN frames don't). Someone who rewrites the whole file, CHAIN frames and all, is found out by a signature, where
its key is known to be right, and by it the first frame that differs; without one, keep `chain` elsewhere. An unsealed
file that was cut between two frames looks like a recording that died there.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from replay.cassette import frame as f
from replay.cassette import layout, opening
from replay.cassette.codec import unpack
from replay.cassette.digests import Making
from replay.cassette.footer import unpack_tables
from replay.cassette.keys import fingerprint, serialization
from replay.cassette.scan import Damage, Run, Scan
from replay.cassette.signing import Marks, Signature, check
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged

Problem = Literal["altered", "dropped", "reordered", "truncated", "footer", "signature"]

_LOOKAHEAD = 100_000  # frames behind the damage that may tell what happened


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found.

    Attributes:
        path: the file. status: as in Reader.
        intact: nothing is wrong with what is there. A recording that died is intact, though not `sealed`.
        events: how many are readable up to the damage.
        problem: what is wrong: `altered`, `dropped`, `reordered`, `truncated`, or only the `footer` of a sealed file,
            or a `signature`.
        detail: the same in words. offset: where, in bytes. event: the first event that is affected, if one is.
        chains: how many CHAIN frames fit. chain: the sha256 in the last one that does, in hex.
        unchained: events behind that one, which only checksums guard.
        signatures: what came of each; `intact` says nothing of whose they are.
    """

    path: str
    status: layout.State
    intact: bool
    events: int
    problem: Problem | None = None
    detail: str = ""
    offset: int | None = None
    event: int | None = None
    chains: int = 0
    chain: str | None = None
    unchained: int = 0
    signatures: tuple[Signature, ...] = ()


def verify(path: str | os.PathLike[str] | ByteSource, key: bytes | None = None) -> Report:
    """Reads all of a cassette.

    Args:
        key: a public key (`replay.cassette.keys.public_key`): the cassette has to be signed by it. Without it a
            signature only says that nothing has changed since somebody signed.

    Raises:
        KeyUnusable: there is a key, and no `cryptography` to check with.
        CassetteMissing, CassetteUnreadable, CassetteEmpty, CassetteForeign, CassetteNewer: as `Reader.open`.
        CassetteDamaged: not even its header can be read.

    Example:
        >>> verify("x.cassette").intact
        True
    """
    source = opening.source(path) if isinstance(path, (str, os.PathLike)) else path
    try:
        return _verify(source, key)
    finally:
        source.close()


class _Chain:
    """Computes the sha256 again, run by run."""

    def __init__(self) -> None:
        self._sha = sha256(f.PREAMBLE)
        self.count = 0
        self.last: str | None = None
        self.events_at = 0
        self.events = 0
        self.broken: tuple[int, int] | None = None
        """(offset in the file, first event since the last CHAIN that fits)"""

    def add(self, run: Run) -> None:
        done = 0
        for type_, event, start, end in run.frames:
            if type_ == f.CALL or type_ == f.EVENT:
                self.events = event + 1
            elif type_ == f.CHAIN:
                self._sha.update(run.data[done : start - 13])
                done = start - 13
                if unpack(run.data[start:end]) != [self._sha.digest()]:
                    self.broken = self.broken or (
                        run.stored.offset + (0 if run.stored.packed else done),
                        self.events_at,
                    )
                elif self.broken is None:
                    self.count += 1
                    self.last = self._sha.hexdigest()
                    self.events_at = self.events
        self._sha.update(run.data[done:])


def _verify(source: ByteSource, key: bytes | None) -> Report:
    if key is not None:
        serialization()
    header = layout.header(source)
    found = layout.of(source)
    scan = Scan(source)
    chain = _Chain()
    entries = found.footer.signatures
    marks = Marks()
    for run in scan.runs():
        chain.add(run)
        if entries:
            marks.add(run.data, run.frames)
    checked = (check(entry, marks, str(header.get("id"))) for entry in entries)
    signatures = tuple(sorted(checked, key=lambda each: each.key != key))  # what one's own key says comes first
    problem: Problem | None = None
    detail = ""
    offset: int | None = None
    event: int | None = None
    damage = scan.damage or found.damage
    if chain.broken is not None:
        offset, event = chain.broken
        problem = "altered"
        detail = (
            f"events {event} to {chain.events - 1} were altered and given new checksums: the sha256 behind them differs"
        )
    elif damage is not None:
        offset = damage.offset
        problem, detail, event = _explain(source, scan, damage)
    elif found.status == "sealed" and not _same(source, found, scan):
        offset, problem, detail = (
            found.index_at,
            "footer",
            "the footer doesn't describe this file; the events are right",
        )
    signed = next((each.difference for each in signatures if each.difference is not None), None)
    if signed is not None and damage is None:  # a signature knows each frame
        problem, detail, event = signed.kind, signed.detail, signed.event
    elif signed is not None:
        event = signed.event
    elif problem is None:
        detail = _unsigned(signatures, key)
        problem = "signature" if detail else None
    return Report(
        path=source.name,
        status=found.status if damage is None and chain.broken is None else "torn",
        intact=problem is None,
        events=scan.footer.events,
        problem=problem,
        detail=detail,
        offset=offset,
        event=event,
        chains=chain.count,
        chain=chain.last,
        unchained=scan.footer.events - chain.events_at,
        signatures=signatures,
    )


def _unsigned(signatures: Sequence[Signature], key: bytes | None) -> str:
    """What is wrong with the signatures of a file that is what they say; nothing: empty."""
    if any(each.genuine is False for each in signatures):
        return "a signature isn't by the key that it names"
    if key is None or any(each.genuine and each.key == key for each in signatures):
        return ""
    by = ", ".join(fingerprint(each.key) for each in signatures)
    return f"signed by {by}, not by {fingerprint(key)}" if by else f"not signed, hence not by {fingerprint(key)}"


def _same(source: ByteSource, found: layout.Layout, scan: Scan) -> bool:
    """Whether a footer says what a scan found."""
    footer = found.footer
    try:
        return (
            (footer.size, footer.events, found.index_at) == (scan.footer.size, scan.footer.events, scan.index_at)
            and unpack_tables(found.packed_tables) == scan.tables
            and _leads_right(source, found)
        )
    except (ValueError, CassetteDamaged):
        return False


def _leads_right(source: ByteSource, found: layout.Layout) -> bool:
    """Whether each segment, its events and their strays are where the footer has them, with the digests of these."""
    footer = found.footer
    stored_digests = layout.digests(source, found)
    making = Making()
    at = raw = len(f.PREAMBLE)
    events = 0
    strays: dict[int, list[int]] = {}
    gaps: list[int] = []
    for number, (begin, stored) in enumerate(zip(footer.segments, footer.stored, strict=True)):
        if (begin.offset, begin.first, stored.offset) != (raw, events, at):
            return False
        found_here = layout.segment(source, footer, number)
        if found_here.damage is not None:
            return False
        for type_, event, payload in map(found_here.record, found_here.frames):
            raw += f.HEAD.size + len(payload)
            if stored_digests is not None:
                making.add(type_, event, payload)
            if type_ in (f.CALL, f.EVENT):
                events += 1
                if layout.is_gap(type_, payload):
                    gaps.append(event)
            elif type_ in f.LATER and event < begin.first and number not in strays.setdefault(event, []):
                strays[event].append(number)
        at += stored.size
    if footer.digests is not None:
        if footer.digests[0] != at or (stored_digests is not None and making.done() != stored_digests):
            return False
        at += footer.digests[1]
    return at == found.index_at and strays == footer.strays and gaps == list(footer.gaps)


def _explain(source: ByteSource, scan: Scan, damage: Damage) -> tuple[Problem, str, int | None]:
    """What kind of damage it is, by the numbers of the events that follow it."""
    due = damage.good_events if damage.block is None else damage.block
    if scan.index_at is not None:
        return "footer", f"{damage.reason}; the events are right", None
    if damage.cut:
        return "truncated", damage.reason, due
    ids = _ids_behind(source, damage.offset)
    if ids and ids[0] != due:
        if ids[0] < due:
            return "reordered", f"event {ids[0]} again, where event {due} is due", due
        if due in ids:
            return "reordered", f"event {ids[0]} where event {due} is due, which comes later", due
        return "dropped", f"events {due} to {ids[0] - 1} are missing", due
    return (
        "altered",
        f"{damage.reason}: altered, or something before it was taken out",
        _event_at(source, damage.offset, damage.good_events),
    )


def _event_at(source: ByteSource, offset: int, due: int) -> int:
    """The event that the damaged frame names, if that can be."""
    data = source.read_at(offset, f.HEAD.size)
    event: int = f.HEAD.unpack(data)[3] if len(data) == f.HEAD.size else due
    return min(due, event)


def _ids_behind(source: ByteSource, offset: int) -> list[int]:
    """Ids of the events that begin in the frames from `offset` on, as far as their heads make sense."""
    ids: list[int] = []
    for _ in range(_LOOKAHEAD):
        data = source.read_at(offset, f.HEAD.size)
        if len(data) < f.HEAD.size:
            break
        _, length, type_, event = f.HEAD.unpack(data)
        if type_ not in f.NAMES or offset + f.HEAD.size + length > source.size:
            break
        if type_ in (f.CALL, f.EVENT):
            ids.append(event)
        elif type_ == f.BLOCK:
            try:
                _, first, _ = unpack(source.read_at(offset + f.HEAD.size, length))
                ids.append(operator.index(first))
            except (CassetteDamaged, TypeError, ValueError):
                break
        offset += f.HEAD.size + length
    return ids
