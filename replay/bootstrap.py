"""The first thing in a process that `replay record` or `replay run` starts: make it a recording or a replay.

The parent says what to do in `REPLAY_BOOT`, a JSON object (`Spec`). A recording that can't begin says so and lets the
program run; a replay that can't begin ends the process.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NotRequired, TypedDict, cast

from replay import zygote
from replay.boundary import originals
from replay.model.errors import ReplayError
from replay.runtime import locks

PROBED = 42
"""Exit code of an interpreter that was only asked whether it can be reached."""

CANNOT_BEGIN = 125
"""Exit code of a replay or a fork that failed before its program began."""


class Spec(TypedDict):
    """What the parent wants.

    `environ` has the variables to put back before the program sees them; `part`: only a block or a call is replayed.
    A recording goes to `cassette` itself (`take`), or to a new one in the folder of its children; `parent` says whose.
    A replay of a child goes the way of `descend` ([event, cassette], …), from its first ancestor's `cassette`.
    `pdb`: the event at which the debugger stops; `debugpy`: it is an editor's, and listens at (host, port).
    `stepping`: who asks it to stop where (`replay.runtime.stepping`).
    `bodies`: the bodies of tools are run. `contents`: files to read instead of recorded contents, by event.
    `allow`: holes in the sandbox; `channel`: descriptor to whoever answers for the kernel's walls;
    `audit`: listen to the interpreter's audit events; `trace`: where the values of the program's lines go;
    `keeping`: what becomes of the recording.
    `fork`: of a fork, where its plan lies and whom it asks (`replay.fork.forked`).
    `protection`: for whom the recording is encrypted (`replay.recorder.protection`).
    """

    mode: str
    cassette: str
    environ: dict[str, str | None]
    header: NotRequired[dict[str, Any]]
    parent: NotRequired[dict[str, Any] | None]
    take: NotRequired[bool]
    scratch: str
    verdict: str
    lenient: NotRequired[bool]
    until: NotRequired[int | None]
    pdb: NotRequired[int | None]
    debugpy: NotRequired[tuple[str, int] | None]
    stepping: NotRequired[dict[str, int]]
    bodies: NotRequired[bool]
    contents: NotRequired[dict[str, str]]
    part: NotRequired[bool]
    descend: NotRequired[list[tuple[int, str]]]
    allow: NotRequired[list[str]]
    channel: NotRequired[int | None]
    protection: NotRequired[dict[str, Any]]
    audit: NotRequired[bool]
    keeping: NotRequired[dict[str, Any]]
    trace: NotRequired[str | None]
    fork: NotRequired[dict[str, Any]]


def boot(text: str) -> None:
    """Begin what the parent asked for."""
    spec: Spec = json.loads(text)
    if not spec.get("part"):
        # Before anything else is imported: which modules made their locks earlier must not depend on the mode.
        locks.install()
    if spec["mode"] == "zygote":
        spec = cast("Spec", zygote.serve(spec.get("channel") or 0, part=spec.get("part", False)))
    hash_seed = os.environ.get("PYTHONHASHSEED")
    for name, value in spec["environ"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if spec["mode"] == "probe":
        originals.os_exit(PROBED)
    if spec["mode"] == "record":
        from replay.recorded import RecordedProcess

        helper = _helper(sys.orig_argv)
        if helper == "resource_tracker" or _is_replay(sys.orig_argv):
            return
        try:
            RecordedProcess(spec, hash_seed, dormant=helper == "forkserver")
        except ReplayError as error:
            sys.stderr.write(f"replay: nothing is recorded: {error}\n")
        except OSError as error:
            sys.stderr.write(f"replay: nothing is recorded: {error.strerror}: {spec['cassette']}\n")
        except Exception as error:  # ours: no reason for the program to fail
            sys.stderr.write(f"replay: nothing is recorded: {type(error).__name__}: {error}\n")
        return
    try:
        if spec["mode"] == "fork":
            from replay.fork.forked import ForkedProcess

            ForkedProcess(spec)
        else:
            from replay.replayed import ReplayedProcess

            ReplayedProcess(spec)
    except BaseException as error:  # `site` would swallow it, and the program would run as if nothing were replayed
        said = str(error) if isinstance(error, ReplayError) else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"replay: the program isn't run, since its replay can't begin: {said}\n")
        sys.stderr.flush()
        originals.os_exit(CANNOT_BEGIN)


def _helper(argv: list[str]) -> str | None:
    """Which helper process of multiprocessing this is: one that cleans up, or one that only forks others."""
    for name in ("resource_tracker", "forkserver"):
        if any(word.startswith(f"from multiprocessing.{name} import main") for word in argv):
            return name
    return None


def _is_replay(argv: list[str]) -> bool:
    """Whether this is the command line itself, called by a recorded program: what it starts gets its own cassette."""
    return os.path.basename(argv[1] if len(argv) > 1 else "") == "replay" or argv[1:3] == ["-m", "replay_cli"]
