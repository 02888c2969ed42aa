"""What is kept of what is recorded: which recordings begin, which stay, and for how long. One object decides, for
commands, blocks and calls alike.

When in doubt a recording stays: one without an end, with a gap, or whose end can't be read is never removed here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from replay.cassette.directory import cassettes, children_of, default_directory
from replay.model.errors import ReplayError

if TYPE_CHECKING:
    from replay.options import Options


class Kept(TypedDict, total=False):
    """Options of `Keeping`, as texts or values; None: as `replay.options` says."""

    flight_recorder: str | int | None
    sample: str | float | None
    keep: str | None
    retain_age: str | float | None
    retain_size: str | int | None
    dump_signal: str | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """The rules.

    Attributes:
        flight_recorder: bytes of a ring of the newest events, saved when something goes wrong; 0: record everything.
        sample: share of the recordings that begin, decided by trace id, or by cassette id where there is none.
        keep: `on-failure`: what ended well is removed. always: nothing is.
        retain_age, retain_size: seconds, bytes: sealed cassettes of the directory that are older, or the oldest ones
            beyond that much in all, are removed; 0: none.
        dump_signal: saves flight recorders.
    """

    flight_recorder: int = 0
    sample: float = 1.0
    keep: str = "always"
    retain_age: float = 0.0
    retain_size: int = 0
    dump_signal: str = "SIGUSR2"

    @classmethod
    def of(cls, known: Options, **given: Unpack[Kept]) -> Keeping:
        """From texts or values: `given`, where it isn't None, before the options that hold here.

        Raises:
            UsageError: one that can't be read.
        """
        from replay.options import read  # a recording begins sooner without it

        said = {name: read(name, value) for name, value in given.items() if value is not None}
        return cls(**{name: getattr(known, name) for name in Kept.__optional_keys__} | said)

    def samples(self, identity: str) -> bool:
        """Whether the recording with that trace id, or cassette id, begins. Of a trace id all do, or none; the same
        ones as OpenTelemetry's `TraceIdRatioBased` takes."""
        if self.sample >= 1:
            return True
        try:
            number = int(identity, 16) if len(identity) == 32 else -1
        except ValueError:
            number = -1
        if number < 0:
            number = int.from_bytes(sha256(identity.encode()).digest()[:8])
        return number & (1 << 64) - 1 < round(self.sample * (1 << 64))

    def forgets(self, outcome: Mapping[str, Any]) -> bool:
        """Whether what ended like this is removed."""
        if not self.flight_recorder and self.keep == "always":
            return False
        well = outcome.get("exception") is None and outcome.get("exit_code") in (0, None)
        asked = outcome.get("wanted") and not self.flight_recorder  # what a flight recorder was asked for is saved
        return well and not outcome.get("gaps") and not asked

    def retain(self, directory: str | os.PathLike[str] | None, now: float) -> list[Path]:
        """Remove what is too old or too much in that directory: sealed cassettes with their children's, oldest first.

        Args:
            directory: of the cassettes. now: seconds since 1970.

        Returns: what was removed. What can't be removed stays.
        """
        if not self.retain_age and not self.retain_size:
            return []
        found: list[tuple[Path, float, int]] = []
        total = 0
        for path in cassettes(default_directory() if directory is None else directory):
            try:
                status = path.lstat()
            except OSError:
                continue
            weight = status.st_size + _weight(children_of(path))
            total += weight
            if not path.is_symlink() and is_sealed(path):
                found.append((path, status.st_mtime, weight))
        gone: list[Path] = []
        for path, written, weight in found:
            old = bool(self.retain_age) and now - written > self.retain_age
            if old or (self.retain_size and total > self.retain_size):
                try:
                    remove(path)
                except OSError:
                    continue
                total -= weight
                gone.append(path)
        return gone


ALWAYS: Final = Keeping()
"""Everything begins, and everything stays."""


def remove(path: Path) -> None:
    """A cassette, and its children's."""
    path.unlink()
    folder = children_of(path)
    if folder.is_dir() and not folder.is_symlink():
        import shutil  # a recording begins sooner without it

        shutil.rmtree(folder, ignore_errors=True)


def all_well(path: str | os.PathLike[str]) -> bool:
    """Whether all recordings of that process's children say that they ended well."""
    from replay.cassette.reader import Reader

    for child in children_of(path).rglob("*.cassette"):
        try:
            with Reader.open(child) as reader:
                outcome = reader.outcome
        except ReplayError:
            return False
        if outcome is None or outcome.get("exception") is not None or outcome.get("exit_code") not in (0, None):
            return False
    return True


def is_sealed(path: Path) -> bool:
    """Whether the file ends as a sealed one does."""
    from replay.cassette import footer, frame

    try:
        with path.open("rb") as file:
            file.seek(-frame.TRAILER.size, os.SEEK_END)
            return footer.find(file.read()) is not None
    except OSError:
        return False


def _weight(folder: Path) -> int:
    if not folder.is_dir() or folder.is_symlink():
        return 0
    weight = 0
    for below in folder.rglob("*"):
        try:
            weight += below.lstat().st_size
        except OSError:
            continue
    return weight
