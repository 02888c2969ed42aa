"""What a recording can be executed again from: its beginning, the command, and the way from there to a child."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replay import process
from replay.model.errors import BeginningLost, CassetteDamaged, NotReplayable
from replay.runtime.descent import environment
from replay.runtime.environ import PROXY
from replay.seams._added import required

if TYPE_CHECKING:
    from replay.cassette.reader import Reader

_BESIDE = "it begins where its parent forked; keep X.cassette and X.d together"
_BIRTHS = frozenset(("os.fork", "multiprocessing.start"))
"""Events of which each made one child, that does what the parent was about to do."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the execution of a recording begins.

    Attributes:
        cassette: the recording that is meant. path: the one to begin with: the same, or its first ancestor's.
        way: [event, cassette] of each child on the way from there to the one that is meant.
        header: of `path`. variables: what its program read of the environment; None where one wasn't set.
    """

    cassette: str
    path: str
    way: tuple[tuple[int, str], ...]
    header: Mapping[str, Any]
    variables: Mapping[str, str | None]

    @classmethod
    def of(cls, cassette: str) -> Beginning:
        """That recording's.

        Raises:
            CassetteMissing and the other errors of reading; CassetteDamaged, BeginningLost, NotReplayable.
        """
        from replay.cassette.reader import Reader
        from replay.player.frames import environment_of

        with Reader.open(cassette) as reader:
            check_beginning(reader.header, cassette)
            path, steps = way(cassette, reader.header)
        with Reader.open(path) as reader:
            check_whole(reader, path)
            check_beginning(reader.header, path)
            return cls(cassette, path, tuple(steps), reader.header, environment_of(reader))

    @property
    def is_part(self) -> bool:
        """Only a block or a call of a program was recorded."""
        return bool(self.header["entry"]["type"] != "program")

    def start(self, command: Sequence[str] | None, cwd: str | None) -> tuple[list[str], str]:
        """What to run, and where: `command` and `cwd`, or as it was recorded.

        Raises:
            NotReplayable: it can't be contained. SeamMissing: its recording had a seam that isn't here.
        """
        argv = list(command) if command else recorded_command(self.header, self.cassette)
        # what is typed here means the program that lies here, not one of that name where it was recorded
        directory = cwd or (os.getcwd() if command else self.header.get("cwd")) or os.getcwd()
        if not os.path.isdir(directory):
            directory = os.getcwd()
        process.check_replayable(argv, directory)
        if os.path.dirname(process.found(argv[0]) or "") == os.path.dirname(
            sys.executable
        ):  # another Python finds out by itself
            required(self.header.get("seams", ()))
        return argv, directory

    def environment(self) -> tuple[dict[str, str], dict[str, str | None]]:
        """The environment to start it with, and what it has to put back before the program sees it."""
        environ, restore = environment(os.environ, self.header.get("hash_seed"))
        own_proxies = {key: None for key in environ if key.lower().endswith(PROXY)}
        for key, value in {**own_proxies, **self.header.get("startup", {}), **self.variables}.items():
            environ.pop(key, None)
            if value is not None:
                environ[key] = value
        restore = {**restore, **{name: environ.get(name) for name in ("TMPDIR", "TZ")}}
        if "TZ" not in environ and self.header.get("timezone"):
            environ["TZ"] = self.header["timezone"]
        return environ, restore


def _like(recorded: Any) -> str:
    """This interpreter, by the name that the recorded process had for it (`python3` in a console script)."""
    same = isinstance(recorded, str) and os.path.dirname(recorded) == os.path.dirname(sys.executable)
    return recorded if same and os.path.exists(recorded) else sys.executable


def recorded_command(header: Mapping[str, Any], path: str) -> list[str]:
    """The Python process that was recorded; a wrapper that started it (a shell, say) is left out."""
    entry = header["entry"]
    if "gap" in entry:
        raise NotReplayable(f"{path}: {entry['gap']}")
    if entry["type"] in ("call", "asgi", "wsgi"):
        file = entry.get("file")
        if entry.get("module") == "__main__" and file is not None and not os.path.exists(file):
            raise NotReplayable(f"the program of that function is gone, or was no file: {file}")
        return [_like(header.get("executable")), "-c", "import replay.reenter; replay.reenter.main()"]
    argv = list(header["argv"])
    return argv if process.found(argv[0]) is not None else [sys.executable, *argv[1:]]


def way(path: str, header: Mapping[str, Any]) -> tuple[str, list[tuple[int, str]]]:
    """Where the replay of that recording has to begin, and the children (event, cassette) on the way from there.

    A program begins by itself. What `fork` or `multiprocessing` made begins in the middle of its parent.
    """
    from replay.cassette.family import ancestry, header_at

    steps: list[tuple[int, str]] = []
    while header["entry"]["type"] == "fork" or header.get("parent", {}).get("how") == "spawn":
        parent, event = ancestry(path, header), header["parent"].get("event")
        if parent is None:
            raise NotReplayable(f"{path} is a child's, and its parent's recording isn't beside it", hint=_BESIDE)
        began = "a fork server" if event is None else _name_of(parent, event)
        if event is None or began not in _BIRTHS:
            raise NotReplayable(
                f"{path} began in {began}: what it was given to do came through a pipe",
                hint=f"replay show reads it; replay its parent instead: {os.path.relpath(parent)}",
            )
        steps.insert(0, (event, path))
        path = os.fspath(parent)
        header = header_at(path) or {}
    return path, steps


def _name_of(path: str | os.PathLike[str], event: int) -> str:
    from replay.cassette.reader import Reader

    with Reader.open(path) as reader:
        return reader.event(event).name


def check_beginning(header: Mapping[str, Any], path: str) -> None:
    """A transcript has no program. A flight recorder that went round has lost what the program did first, and with it
    the way to the rest.
    """
    if dict(header.get("entry") or {}).get("type") == "episodes":
        raise NotReplayable(
            f"{path} is what a test asked and got: there is no program in it",
            hint="the test with @pytest.mark.replay_cassette replays it: docs/pytest.md",
        )
    if dict(header.get("entry") or {}) == {"type": "import", "format": "vcr"}:
        raise NotReplayable(
            f"{path} was imported from vcr: it has no program that could be executed",
            hint="a test with @pytest.mark.replay_cassette is answered by vcr's own file: docs/migrating.md",
        )
    if dict(header.get("entry") or {}).get("type") == "import":
        raise NotReplayable(
            f"{path} was imported from a transcript: it has no program that could be executed",
            hint="replay show, why and triage read it",
        )
    ring: Mapping[str, Any] = dict(header.get("ring") or {})
    if not ring.get("whole", True):
        raise BeginningLost(
            f"{path} is a flight recorder's, and its first {ring['dropped']} events are gone: it can't run again",
            hint="replay show reads it; a larger --flight-recorder keeps more",
        )


def check_whole(reader: Reader, path: str) -> None:
    """A recording whose writer died is replayed to the cut; one that was damaged later is not evidence."""
    damage = reader.damage
    if (damage is not None and not damage.cut) or reader.lost_its_seal:
        where = "its footer is gone" if damage is None else f"{damage.reason} at byte {damage.offset}"
        raise CassetteDamaged(
            f"{path} is damaged: {where}",
            offset=0 if damage is None else damage.offset,
            good_events=len(reader),
            hint="replay show tells what can still be read",
        )
