"""A fuzzer of everything that reads cassettes, and of the importers (`tests.fuzz.imports`): what it does to them, what
it reads, and what it calls a finding.

Of each case it holds: readers raise members of `ReplayError` only, they end in `SECONDS`, and this process never gets
larger than it was by more than `MEMORY`. Some cases are altered bytes; in most of them frames are altered and every
checksum is made to fit, since a checksum is what keeps altered bytes from the code behind it.

`make fuzz` runs it for ten minutes; `--seed N` runs one case again (of an encrypted one the keys are others).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from struct import pack as struct_pack
from types import FrameType
from typing import Any

import zstandard

from replay.cassette import age, codec, footer, keyring
from replay.cassette import frame as f
from replay.cassette.finishing import finish
from replay.cassette.journal import Journal
from replay.cassette.reader import Reader
from replay.cassette.redact.scanning import scan
from replay.cassette.repairing import repair
from replay.cassette.revive import revive
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import ReplayError
from tests.cassette import forging
from tests.fuzz import imports

SECONDS = 10
MEMORY = 256 << 20
"""A block unpacks to 32 MB, eight segments of which are kept."""

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cassettes"


worst: dict[str, Any] = {"seconds": 0.0, "bytes": 0}
"""Of all cases so far: the longest, and how much larger one made this process."""


class Slow(Exception):
    """A case took longer than `SECONDS`."""


def corpus(folder: Path) -> list[Path]:
    """What is altered: recordings of all versions, sealed and not, encrypted and not."""
    found = [path for path in sorted(FIXTURES.rglob("*.cassette")) if path.stat().st_size < 200_000]
    identity = age.write_identity(os.fspath(folder / "identity"), "now")
    os.environ[keyring.VARIABLE] = str(folder / "identity")
    for name, sealed, secret in (("a", True, False), ("b", False, False), ("c", True, True), ("d", False, True)):
        path = folder / f"{name}.cassette"
        to = [identity.recipient]
        writer = Writer.create(path, {"recipients": to}, None, partial(Journal, recipients=to) if secret else None)
        write(writer, sealed)
        found.append(path)
    return found


def write(writer: Writer, sealed: bool) -> None:
    """A recording with something of everything."""
    writer.lane(0, "m")
    writer.site(0, "agent.py", 7, "step")
    for number in range(30):
        body = b"history " * 40 + b"%d" % number
        value: object = [{"a": (1, {2, 3}), "b": frozenset([b"x"])}, 1 << 90, ValueError("no")][number % 3]
        event = writer.call(0, "tool", "add", "read", number, 0, {"n": [number]}, body, "chain", {"links": {}})
        if number % 4 == 0:
            writer.content(event, body * 3, bytes([number]) * 32, "contents")
        writer.ret(event, number, 1 if isinstance(value, Exception) else 2 if number % 5 == 0 else 0, value, False)
        if number % 5 == 0:
            writer.chunk(event, 0, number, 0, b"piece", False)
    writer.event(0, "gap", "lost", "read", 3, None, {"kind": "x", "reason": "y"}, None, None, None, 1, 0, None)
    writer.blind("clock", "C", 0, 3)
    writer.track([1, 2, "x"])
    writer.end({"exit_code": 0})
    if sealed:
        writer.seal()
    writer.close()


# What is done to them.


def bytes_altered(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, pieces cut, doubled, moved, overwritten with lengths that can't be."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if not out:
            break
        at = chance.randrange(len(out))
        size = min(chance.choice((1, 4, 16, 200)), len(out) - at)
        act = chance.randrange(6)
        if act == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif act == 1:
            del out[at : at + size]
        elif act == 2:
            out[at:at] = out[at : at + size]
        elif act == 3:
            out[at : at + size] = chance.randbytes(size)
        elif act == 4:
            out[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x40\0\0\0"))
        else:
            del out[at:]
    return bytes(out)


def payload_altered(payload: bytes, chance: random.Random) -> bytes:
    """One that a checksum fits."""
    act = chance.randrange(5)
    if act == 0:
        return chance.choice(tuple(BOMBS))()
    return bytes_altered(payload, chance)


def deep() -> bytes:
    """Lists in lists."""
    return b"\x91" * 100_000 + b"\x90"


def deep_ext() -> bytes:
    """Tuples in tuples."""
    data = b"\x90"
    for _ in range(2000):
        data = b"\xc9" + struct_pack(">I", len(data)) + b"\x01" + data
    return data


def long_list() -> bytes:
    """Says that it has 4 thousand million items."""
    return b"\xdd\xff\xff\xff\xff"


def long_bytes() -> bytes:
    """Says that it has 4 GB."""
    return b"\xc6\xff\xff\xff\xff" + b"x"


def huge_number() -> bytes:
    """An exponent that takes years to print."""
    return b"\xc7\x0c\x091E+999999999"


def zstd_bomb() -> bytes:
    """64 MB of nothing, which says that it is small; and what says the truth."""
    packed = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    return codec.pack([1000, 0, packed])


def zstd_honest_bomb() -> bytes:
    """The largest that is allowed."""
    return codec.pack([32 << 20, 0, zstandard.ZstdCompressor().compress(bytes(32 << 20))])


BOMBS: tuple[Callable[[], bytes], ...] = (
    deep, deep_ext, long_list, long_bytes, huge_number, zstd_bomb, zstd_honest_bomb,
)  # fmt: skip


def frames_altered(path: Path, chance: random.Random) -> bytes:
    """Frames altered, dropped, doubled, moved, given other types and events; all checksums fit."""
    with Reader.open(path) as reader:
        frames = list(reader.frames())
    for _ in range(chance.choice((1, 1, 2, 6))):
        at = chance.randrange(len(frames))
        type_, event, payload = frames[at]
        act = chance.randrange(6)
        if act == 0:
            frames[at] = (chance.randrange(0, 18), event, payload)
        elif act == 1:
            frames[at] = (type_, chance.choice((0, (event + 1) & 0xFFFFFFFF, 2**32 - 1, 2**31)), payload)
        elif act == 2:
            frames.insert(chance.randrange(len(frames)), frames[at])
        elif act == 3 and len(frames) > 1:
            del frames[at]
        else:
            frames[at] = (type_, event, payload_altered(payload, chance))
    data, seed = f.PREAMBLE, 0
    for type_, event, payload in frames:
        framed, crc = f.encode(type_, event, payload, seed)
        seed = seed if type_ in (f.BLOCK, f.INDEX) else crc
        data += framed
    if chance.randrange(2):
        data += sealed(len(data), seed, chance)
    return data


def sealed(at: int, seed: int, chance: random.Random) -> bytes:
    """A footer that says anything."""
    numbers = [chance.choice((0, 12, 100, at, 2**40, 2**63)) for _ in range(6 * chance.randrange(1, 4))]
    known = footer.Footer([], at, chance.choice((0, 3, 2**31)), {0: [0, 99]}, [(0, "m")], (), (), [0, 7])
    payload = codec.pack({**codec.unpack(known.pack()), "segments": numbers, "signatures": [None, {"key": b"k"}]})
    index, _ = f.encode(
        f.INDEX, f.NO_EVENT, payload_altered(payload, chance) if chance.randrange(3) == 0 else payload, seed
    )
    return index + footer.trailer(at, seed)


def forged(path: Path, chance: random.Random) -> bytes:
    """As an attacker does it, footer and all."""
    frames, signatures = forging.taken(path)
    at = chance.randrange(len(frames))
    frames[at] = (*frames[at][:2], payload_altered(frames[at][2], chance))
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "x"
        try:
            where.write_bytes(b"")
            forging.put(where, frames, signatures)
        except (ValueError, TypeError, ReplayError):
            pass  # what was written before that
        return where.read_bytes()


# What reads them.


def read_all(path: Path) -> None:
    """Everything that can be asked of a cassette."""
    for read in (_events, _frames, _tables, _verify, _scan, _repair, _finish):
        try:
            read(path)
        except ReplayError:
            continue


def _events(path: Path) -> None:
    with Reader.open(path) as reader:
        for number in range(min(len(reader), 50)):
            try:
                event = reader.event(number)
                for value in (event.request, event.response, event.meta):
                    revive(value)
                repr(event.error)
            except ReplayError:
                continue


def _frames(path: Path) -> None:
    with Reader.open(path) as reader:
        for _ in reader.frames():
            pass


def _tables(path: Path) -> None:
    with Reader.open(path) as reader:
        for ask in ("blind_spots", "gaps", "lanes", "sites", "lost_its_seal", "outcome"):
            try:
                getattr(reader, ask)
            except ReplayError:
                continue
        list(reader.track)


def _verify(path: Path) -> None:
    verify(path)


def _scan(path: Path) -> None:
    for _ in scan(path):
        pass


def _repair(path: Path) -> None:
    out = path.with_suffix(".repaired")
    try:
        repair(path, out)
        _events(out)
    finally:
        out.unlink(missing_ok=True)


def _finish(path: Path) -> None:
    finish(path, {"exit_code": 1})


# Running.


def case(number: int, paths: list[Path], files: list[Path], where: Path) -> None:
    """Case `number`: of every second one a file to import. Raises what is a finding."""
    chance = random.Random(number)
    if number % 2:
        file = chance.choice(files)
        where = where.with_suffix(file.suffix)
        where.write_bytes(imports.altered(file, chance, bytes_altered))
        limited(lambda: imports.read_all(where))
        return
    path = chance.choice(paths)
    act = chance.randrange(4)
    if act == 0:
        data = bytes_altered(path.read_bytes(), chance)
    elif act == 1:
        data = forged(path, chance)
    else:
        data = frames_altered(path, chance)
    where.write_bytes(data)
    limited(lambda: read_all(where))
    limited(lambda: _value(payload_altered(codec.pack([1, {"a": (2, b"x")}]), chance)))


def _value(data: bytes) -> None:
    try:
        revive(codec.unpack(data))
    except ReplayError:
        pass


def limited(work: Callable[[], None]) -> None:
    """Raises where it takes longer than `SECONDS`, or more than `MEMORY`."""

    def slow(_number: int, _frame: FrameType | None) -> None:
        raise Slow(f"more than {SECONDS} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    previous = signal.signal(signal.SIGPROF, slow), signal.signal(signal.SIGALRM, slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of this process: others may keep it from running
    signal.alarm(10 * SECONDS)
    began = time.process_time()
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        signal.signal(signal.SIGPROF, previous[0])
        signal.signal(signal.SIGALRM, previous[1])
        worst["seconds"] = max(worst["seconds"], time.process_time() - began)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    worst["bytes"] = max(worst["bytes"], grown)
    assert grown <= MEMORY, f"{grown >> 20} MB more memory"


def findings(numbers: Iterator[int]) -> Iterator[tuple[int, str]]:
    """(case, traceback) of each that fails."""
    with tempfile.TemporaryDirectory() as folder:
        paths, files = corpus(Path(folder)), imports.corpus(Path(folder))
        for number in numbers:
            try:
                case(number, paths, files, Path(folder) / "case.cassette")
            except Exception:
                yield number, traceback.format_exc()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fuzz everything that reads cassettes.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="one case, again")
    chosen = parser.parse_args()
    end = time.monotonic() + chosen.minutes * 60
    first = random.randrange(2**40)
    done = found = 0

    def numbers() -> Iterator[int]:
        nonlocal done
        while time.monotonic() < end:
            yield first + done
            done += 1

    for number, trace in findings(iter([chosen.seed]) if chosen.seed is not None else numbers()):
        found += 1
        print(f"case {number}:\n{trace}", file=sys.stderr)
    at_most = f"at most {worst['seconds']:.2f} s and {worst['bytes'] >> 20} MB more memory in one"
    print(f"{done} cases, {found} findings; {at_most}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
