"""What came of a replay: the verdict of the replayed process, and what else is known of it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from replay.model.verdict import Asked, Candidate, Crossing, Divergence, Drift, Escape, HoleUse
from replay.player.stopped import STOPPED

if TYPE_CHECKING:
    from replay.runtime.walls.told import Told


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a replay.

    Attributes:
        identical: the same execution, to the end of the recording (or to its cut).
        events: how many recorded events came out alike.
        divergence: the first difference. escapes: attempts to get past the door. gap: what the recording lacks.
        drift: differing requests that `match="lenient"` answered all the same. drifted: the first, as they were.
        evidence_until: the first event that rests on an answer to another question; None: all of it is evidence.
        cut: the recording is unfinished and was replayed to where it stops.
        exit_code: the program's own, None where the replay ended it. stdout, stderr: its output, where captured.
        blind_spots: how many the recording has: what `identical` can't vouch for.
        holes: what was done for real because `allow` let it. walls: what stood around the replay: `audit` (the
            interpreter's events), `landlock` and `seccomp` (the kernel's).
        result, exception: of an entry point's call.
        tools: whether the calls of tools were `answered` from the recording, or their bodies `run` again.
        answered: how many there were. inside: how many events of their bodies were left out; `bodies`: of how many.
        by_answers: how a first attempt, without bodies, differed.
        command, directory: what was run, and where.
    """

    cassette: str
    identical: bool
    events: int
    divergence: Divergence | None = None
    escapes: tuple[Escape, ...] = ()
    gap: str | None = None
    drift: tuple[Drift, ...] = ()
    drifted: tuple[Asked, ...] = field(default=(), repr=False)
    evidence_until: int | None = None
    cut: bool = False
    exit_code: int | None = None
    recorded_exit_code: int | None = None
    blind_spots: int = 0
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    result: Any = None
    exception: BaseException | None = None
    holes: tuple[HoleUse, ...] = ()
    walls: tuple[str, ...] = ()
    tools: Literal["answered", "run"] = "answered"
    answered: int = 0
    inside: int = 0
    bodies: int = 0
    by_answers: Divergence | None = None
    command: tuple[str, ...] = ()
    directory: str = ""

    @property
    def differs(self) -> bool:
        """It diverged, tried to get out, or came to what wasn't stored."""
        return self.divergence is not None or bool(self.escapes) or self.gap is not None

    def to_json(self) -> dict[str, Any]:
        """The document of `replay run --json`."""
        divergence = None if self.divergence is None else self.divergence.to_json()
        return {
            "cassette": self.cassette,
            "identical": self.identical,
            "events": self.events,
            "divergence": divergence,
            "blind_spots": self.blind_spots,
            "escapes": [{"what": e.what, "detail": e.detail, "site": e.site} for e in self.escapes],
            "exit_code": self.exit_code,
            "recorded_exit_code": self.recorded_exit_code,
            "gap": self.gap,
            "drift": [asdict(each) for each in self.drift],
            "evidence_until": self.evidence_until,
            "cut": self.cut,
            "holes": [asdict(use) for use in self.holes],
            "walls": list(self.walls),
            "tools": self.tools,
            "inside": {"events": self.inside, "tools": self.bodies},
            "by_answers": None if self.by_answers is None else self.by_answers.to_json(),
        }


def judge(
    path: str,
    verdict: dict[str, Any],
    told: Told,
    code: int,
    recorded: Any,
    blind: int,
    total: int,
    out: bytes,
    err: bytes,
) -> Run:
    then = None if recorded is None else recorded.get("exit_code")
    divergence = _divergence(verdict["divergence"])
    if divergence is not None and verdict["before"]:
        divergence = replace(divergence, reason=f"in its parent, on the way to this child: {divergence.reason}")
    identical = verdict["identical"] and not told.escapes
    ended = code != STOPPED
    if identical and ended and then is not None and code != then and not verdict["cut"]:
        identical = False
        reason = f"the program ended with exit code {code}; recorded was {then}"
        divergence = Divergence(None, reason, Crossing(f"exit code {then}"), Crossing(f"exit code {code}"))
    alike = _alike(verdict, total)
    inside = sum(min(alike, end) - begin for begin, end in verdict["inside"] if begin < alike)
    return Run(
        cassette=path,
        identical=identical,
        events=alike - inside,
        inside=inside,
        bodies=verdict["bodies"],
        answered=verdict["tools"],
        divergence=divergence,
        escapes=told.escapes,
        holes=told.holes,
        walls=told.walls,
        gap=verdict["gap"],
        drift=tuple(Drift(**each) for each in verdict["drift"]),
        drifted=tuple(Asked(event, *_inert(text)) for event, text in verdict["drifted"] if text is not None),
        evidence_until=verdict["evidence_until"],
        cut=verdict["cut"],
        exit_code=code if ended else None,
        recorded_exit_code=then,
        blind_spots=blind,
        stdout=out,
        stderr=err,
        result=_result(verdict["result"]),
    )


def _result(text: str | None) -> Any:
    if text is None:
        return None
    from replay.cassette.revive import revive

    return revive(_inert(text))


def _inert(text: str) -> Any:
    from replay.cassette.codec import unpack

    return unpack(b64decode(text))


def _alike(verdict: Mapping[str, Any], total: int) -> int:
    """How many recorded events came out alike: all of them, or those before the difference or the stop."""
    divergence = verdict["divergence"]
    if divergence is not None and divergence["event"] is not None:
        return int(divergence["event"])
    if divergence is None and verdict["gap"] is None and (verdict["finished"] or verdict["cut"]):
        return total if verdict["until"] is None else min(total, verdict["until"])
    return min(total, int(verdict["reached"]) + 1)


def _divergence(found: dict[str, Any] | None) -> Divergence | None:
    if found is None:
        return None
    whole: dict[str, Any] = dict(found)
    for side in ("expected", "got"):
        whole[side] = None if found[side] is None else Crossing(**found[side])
    whole["candidates"] = tuple(Candidate(**candidate) for candidate in found["candidates"])
    whole["changes"] = tuple(found["changes"])
    return Divergence(**whole)


def read_verdict(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return None
