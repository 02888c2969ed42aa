"""The first thing in a process that `replay record` or `replay run` starts: make it a recording or a replay.

The parent says what to do in `REPLAY_BOOT`, a JSON object (`Spec`). A recording that can't begin says so and lets the
program run; a replay that can't begin ends the process.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from typing import Any, NotRequired, TypedDict

from replay.boundary import originals
from replay.boundary.lanes import become, nobody
from replay.model.errors import ReplayError
from replay.model.verdict import Verdict

STOPPED = 90
"""Exit code of a replayed process that ended itself: its verdict says why."""


class Spec(TypedDict):
    """What the parent wants. `environ` has the variables to put back before the program sees them."""

    mode: str
    cassette: str
    environ: dict[str, str | None]
    header: NotRequired[dict[str, Any]]
    scratch: NotRequired[str]
    verdict: NotRequired[str]
    lenient: NotRequired[bool]
    until: NotRequired[int | None]
    seal: NotRequired[bool]


def boot(text: str) -> None:
    """Begin what the parent asked for."""
    spec: Spec = json.loads(text)
    for name, value in spec["environ"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if spec["mode"] == "record":
        try:
            _record(spec)
        except ReplayError as error:
            sys.stderr.write(f"replay: nothing is recorded: {error}\n")
        except OSError as error:
            sys.stderr.write(f"replay: nothing is recorded: {error.strerror}: {spec['cassette']}\n")
    else:
        _replay(spec)


def _record(spec: Spec) -> None:
    from replay.recorder.start import start_recorder
    from replay.runtime import blindspots, chance, facts, outputs
    from replay.runtime.install import install
    from replay.seams import registry

    seed = originals.urandom(16)
    program = spec.get("header", {})
    header = {**program, "environment": facts.environment(), "random_seed": seed, "argv": sys.orig_argv}
    recorder = start_recorder(spec["cassette"], header)
    install()
    registry.install(recorder.blind)
    blindspots.install()
    outputs.install()
    chance.seed(seed)
    outcome: dict[str, Any] = {"exception": None}
    _watch_exception(outcome)

    def finish() -> None:
        outputs.finish()
        become(None)
        blindspots.note_clocks(recorder)
        outcome["sources"] = facts.program_sources()
        recorder.finish(outcome, seal=spec.get("seal", False))

    atexit.register(finish)
    _before_hard_exit(finish)
    os.register_at_fork(after_in_child=recorder.detach)
    become(recorder.new_lane("m"))


def _replay(spec: Spec) -> None:
    from replay.cassette.reader import Reader
    from replay.player.divergence import Facts
    from replay.player.frames import decoded
    from replay.player.player import Player
    from replay.runtime import chance, facts, outputs
    from replay.runtime.install import install
    from replay.runtime.sandbox import Sandbox
    from replay.seams import registry

    reader = Reader.open(spec["cassette"])
    recorded = reader.outcome
    sources = None if recorded is None else recorded.get("sources")
    changed = None if sources is None else tuple(facts.changed_sources(sources))
    sandbox = Sandbox(spec["scratch"], lambda what, detail: player.escape(what, detail))

    def write(verdict: Verdict) -> None:
        sandbox.release()
        with nobody(), open(spec["verdict"], "w", encoding="utf-8") as file:
            json.dump(verdict.to_json(), file, default=repr)

    def stop(verdict: Verdict) -> None:
        with nobody():
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        write(verdict)
        originals.os_exit(STOPPED)

    player = Player(
        decoded(reader),
        complete=recorded is not None,
        lenient=spec.get("lenient", False),
        on_stop=stop,
        facts=Facts(changed),
        until=spec.get("until"),
    )
    install()
    registry.install(player.blind)
    outputs.install()
    _use_replay_loops(player)
    chance.seed(reader.header["random_seed"])
    root = player.new_lane("m")

    def finish() -> None:
        outputs.finish()
        become(None)
        write(player.finish())

    atexit.register(finish)
    _before_hard_exit(finish)
    sandbox.install()
    become(root)


def _use_replay_loops(player: Any) -> None:
    from replay.runtime import loops

    loops.install()
    loops.use_replay_loop(player)


def _watch_exception(outcome: dict[str, Any]) -> None:
    """Note the exception that ends the program, for the record; it is reported as ever."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        outcome["exception"] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        before(kind, error, trace)

    sys.excepthook = hook


def _before_hard_exit(finish: Any) -> None:
    """`os._exit` skips `atexit`; a recording or replay must not end without a word."""

    def leave(status: int) -> Any:
        finish()
        originals.os_exit(status)

    setattr(os, "_exit", leave)  # noqa: B010 - typeshed knows no assignment to it
