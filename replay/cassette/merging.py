"""The parts of a flight recorder as one cassette: events numbered from 0, differences against what is there, each lane
and call site announced once.

Payloads are copied as they are; only numbers of events in them are written anew. Read and written piece by piece.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from replay.cassette import frame as f
from replay.cassette import header as head
from replay.cassette import layout
from replay.cassette._msgpack import BAD_INPUT, ext, plain, unplain
from replay.cassette.codec import EXT_DELTA, pack
from replay.cassette.directory import SUFFIX
from replay.cassette.disk import write_all
from replay.cassette.finishing import finish
from replay.cassette.locks import hold
from replay.cassette.reader import Reader
from replay.cassette.scan import Scan
from replay.cassette.sealing import Sign
from replay.cassette.source import FileSource
from replay.model.errors import CassetteDamaged, CassetteEmpty, CassetteMissing, ReplayError

FIRST: Final = "000000"
"""Name of a ring's first part; one that has it still has everything."""

_PIECE: Final = 1 << 20
_BODY: Final = 7
_META: Final = 8


def outcome(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """How the program ended, as the last part says; None where it doesn't."""
    with Reader.open(max(Path(folder).glob("*.part"))) as reader:
        return reader.outcome


def merge(
    folder: str | os.PathLike[str],
    path: str,
    reason: str,
    more: Mapping[str, Any] | None = None,
    sign: Callable[[str], Sign] | None = None,
) -> str:
    """Write what the parts in `folder` hold as a new cassette, sealed if the recording has ended.

    Args:
        path: of the cassette; `X-2.cassette` and so on where there is one already. reason: for its header.
        more: for its outcome, if it has one. sign: makes what signs the cassette with that id, if it is sealed.

    Returns: its path.

    Raises:
        CassetteMissing, CassetteEmpty: there are no parts, or nothing in them. OSError: the disk; nothing is left of
            the attempt.
    """
    parts = sorted(Path(folder).glob("*.part"))
    if not parts:
        raise CassetteMissing(f"no parts in {folder}")
    target = _free(path)
    beside = f"{target}.saving"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        merged = _put_together(fd, parts, reason, again=target != path)
        if not merged.id:
            raise CassetteEmpty(f"nothing in {folder}")
        merged.flush()
        os.fsync(fd)
        os.rename(beside, target)
    except BaseException:
        os.unlink(beside)
        raise
    finally:
        os.close(fd)
    if merged.ended:
        finish(target, more or {}, None if sign is None else sign(merged.id))
    return target


def recover(directory: str | os.PathLike[str]) -> list[str]:
    """Save the flight recorders in `directory` whose processes were killed. Returns the cassettes."""
    saved: list[str] = []
    for folder in sorted(Path(directory).glob("*.ring")):
        try:
            held = hold(folder, wait=False)
        except OSError:
            continue  # its process lives, or somebody else is about to save it
        try:
            saved.append(merge(folder, str(folder.with_suffix(SUFFIX)), "its process was killed"))
            shutil.rmtree(folder)
        except (OSError, ReplayError):
            continue  # as it is, for another attempt
        finally:
            os.close(held)
    return saved


def _put_together(fd: int, parts: list[Path], reason: str, *, again: bool) -> _Merged:
    """All of them; where something is missing between two, those behind that."""
    start = 0
    while True:
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        merged = _Merged(fd, again=again)
        hole = next((index for index, part in enumerate(parts[start:]) if not merged.add(part, reason)), None)
        if hole is None:
            return merged
        start += hole


class _Merged:
    """One cassette being put together."""

    def __init__(self, fd: int, *, again: bool) -> None:
        self.ended = False
        self.id = ""
        self._fd = fd
        self._again = again
        self._out: list[bytes] = []
        self._size = 0
        self._crc = 0
        self._events = 0
        self._next = (0, 0)  # which part follows: its number and its first event, as the recorder knows it
        self._numbers: dict[int, int] = {}  # of an event as the recorder knows it: here
        self._here: list[int] = []  # of an event of this part: here
        self._known: set[tuple[int, int]] = set()  # lanes and sites that are announced

    def add(self, part: Path, reason: str) -> bool:
        """The next part; of one that is torn what is whole. False where it isn't the one that follows."""
        source = FileSource(part)
        try:
            header = layout.header(source)
            first = int(header.pop("ring")["first"])
            if self.id and self._next != (int(part.stem), first):
                return False
            if not self.id:
                self._begin({**header, "ring": {"dropped": first, "whole": part.stem == FIRST, "reason": reason}})
            self._here = []
            scan = Scan(source)
            for type_, event, payload in _frames(scan):
                self._frame(type_, event, payload, first)
                if self._size > _PIECE:
                    self.flush()
            self._next = (-1, 0) if scan.damage else (int(part.stem) + 1, first + len(self._here))
        except (CassetteDamaged, CassetteEmpty):
            return True  # its first bytes were never written: the process died
        except BAD_INPUT as error:
            raise CassetteDamaged(f"{part}: {error}", offset=0, good_events=0) from error
        finally:
            source.close()
        return True

    def flush(self) -> None:
        """To the system."""
        write_all(self._fd, b"".join(self._out))
        self._out.clear()
        self._size = 0

    def _begin(self, header: dict[str, Any]) -> None:
        if self._again:
            del header["id"]
            header = head.complete(header)
        self.id = header["id"]
        self._out.append(f.PREAMBLE)
        self._emit(f.HEADER, f.NO_EVENT, pack(header))

    def _frame(self, type_: int, event: int, payload: bytes, first: int) -> None:
        if type_ in (f.CALL, f.EVENT):
            self._event(type_, payload, first)
        elif type_ == f.CONTENT:
            self._emit(type_, self._here[event], plain([self._moved(unplain(payload)[0])]))
        elif type_ in f.LATER:
            self._emit(type_, self._here[event], payload)
        elif type_ in (f.LANE, f.SITE):
            key = (type_, unplain(payload)[0])
            if key not in self._known:
                self._known.add(key)
                self._emit(type_, event, payload)
        elif type_ not in (f.HEADER, f.CHAIN):
            self.ended = self.ended or type_ == f.END
            self._emit(type_, event, payload)

    def _event(self, type_: int, payload: bytes, first: int) -> None:
        fields: list[Any] = unplain(payload, int_keys=True)
        meta = fields[_META]
        known = first + len(self._here)
        if isinstance(meta, dict) and "ring" in meta:
            known = int(cast("dict[str, int]", meta)["ring"])
            if known in self._numbers:
                self._here.append(self._numbers[known])  # carried from a part that is here, too
                return
        body = self._moved(fields[_BODY])
        if body is not fields[_BODY]:
            fields[_BODY] = body
            payload = plain(fields)
        self._here.append(self._events)
        self._numbers[known] = self._events
        self._emit(type_, self._events, payload)
        self._events += 1

    def _moved(self, stored: Any) -> Any:
        """A body; of a difference the event that it is to has another number here."""
        if getattr(stored, "code", None) != EXT_DELTA:
            return stored
        delta: list[Any] = unplain(stored.data)
        delta[0] = self._here[delta[0]]
        return ext(EXT_DELTA, plain(delta))

    def _emit(self, type_: int, event: int, payload: bytes) -> None:
        data, self._crc = f.encode(type_, event, payload, self._crc)
        self._out.append(data)
        self._size += len(data)


def _frames(scan: Scan) -> Iterator[tuple[int, int, bytes]]:
    for run in scan.runs():
        for type_, event, start, end in run.frames:
            yield type_, event, run.data[start:end]


def _free(path: str) -> str:
    stem, number = path.removesuffix(SUFFIX), 1
    while os.path.exists(path):
        number += 1
        path = f"{stem}-{number}{SUFFIX}"
    return path
