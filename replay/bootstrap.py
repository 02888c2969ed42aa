"""The first thing in a process that `replay record` or `replay run` starts: make it a recording or a replay.

The parent says what to do in `REPLAY_BOOT`, a JSON object (`Spec`). A recording that can't begin says so and lets the
program run; a replay that can't begin ends the process.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from replay.boundary import originals
from replay.boundary.imports import on_import
from replay.boundary.lanes import become, nobody
from replay.model.errors import NotStorable, ReplayError
from replay.runtime import locks

if TYPE_CHECKING:
    from replay.model.verdict import Verdict

STOPPED = 90
"""Exit code of a replayed process that ended itself: its verdict says why."""


PROBED = 42
"""Exit code of an interpreter that was only asked whether it can be reached."""


class Spec(TypedDict):
    """What the parent wants.

    `environ` has the variables to put back before the program sees them; `part`: only a block or a call is replayed.
    """

    mode: str
    cassette: str
    environ: dict[str, str | None]
    header: NotRequired[dict[str, Any]]
    scratch: str
    verdict: str
    lenient: NotRequired[bool]
    until: NotRequired[int | None]
    seal: NotRequired[bool]
    part: NotRequired[bool]


def boot(text: str) -> None:
    """Begin what the parent asked for."""
    spec: Spec = json.loads(text)
    if not spec.get("part"):
        # Before anything else is imported: which modules made their locks earlier must not depend on the mode.
        locks.install()
    for name, value in spec["environ"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if spec["mode"] == "probe":
        originals.os_exit(PROBED)
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
    from replay.runtime import blindspots, facts, inputs, outputs, threads
    from replay.runtime.install import install

    program = spec.get("header", {})
    terminals = inputs.terminals()
    here = {"cwd": os.getcwd(), "argv": sys.orig_argv, "terminals": terminals}
    header = {**program, **here, "environment": facts.environment()}
    recorder = start_recorder(spec["cassette"], header, originals.urandom(16))
    install(recorder.blind)
    outputs.install()
    inputs.install(terminals)
    outcome: dict[str, Any] = {"exception": None}
    _watch_exception(outcome)

    def finish() -> None:
        outputs.finish()
        become(None)
        blindspots.note_clocks(recorder)
        outcome["alive"] = threads.alive()
        outcome["sources"] = facts.program_sources(sys.orig_argv)
        recorder.finish(outcome, seal=spec.get("seal", False))

    atexit.register(finish)
    _before_hard_exit(finish)
    os.register_at_fork(after_in_child=recorder.detach)
    become(recorder.new_lane("m"))


def _replay(spec: Spec) -> None:
    from replay import reenter
    from replay.cassette.reader import Reader
    from replay.player.divergence import Facts
    from replay.player.frames import decoded
    from replay.player.player import Player
    from replay.runtime import facts, inputs, outputs, temporary
    from replay.runtime.install import install
    from replay.runtime.sandbox import Sandbox

    reader = Reader.open(spec["cassette"])
    recorded = reader.outcome
    sources = None if recorded is None else recorded.get("sources")
    changed = None if sources is None else tuple(facts.changed_sources(sources, sys.orig_argv))

    def report(what: str, detail: str) -> None:
        player.escape(what, detail)

    sandbox = Sandbox(spec["scratch"], report)

    def write(verdict: Verdict, result: Any) -> None:
        sandbox.release()
        with nobody(), open(spec["verdict"], "w", encoding="utf-8") as file:
            json.dump({**verdict.to_json(), "result": _text(result)}, file, default=repr)

    def stop(verdict: Verdict) -> None:
        with nobody():
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        write(verdict, None)
        originals.os_exit(STOPPED)

    def end(result: Any) -> None:
        """The recorded part is over."""
        write(player.finish(), result)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        originals.os_exit(0)

    player = Player(
        decoded(reader),
        seed=reader.header["random_seed"],
        complete=recorded is not None,
        lenient=spec.get("lenient", False),
        on_stop=stop,
        facts=Facts(changed),
        daemons=frozenset(() if recorded is None else recorded.get("alive", ())),
        until=spec.get("until"),
    )
    temporary.use(spec["scratch"])
    if not spec.get("part"):
        install(player.blind)  # a part installs when its recording did: `session`
    _use_replay_loops(player)
    entry = reader.header["entry"]
    if entry["type"] == "program":
        outputs.install()
        inputs.install(reader.header.get("terminals", {}))
        root = player.new_lane("m")

        def finish() -> None:
            outputs.finish()
            become(None)
            write(player.finish(), None)

        atexit.register(finish)
        _before_hard_exit(finish)
        sandbox.install()
        become(root)
    else:
        reenter.prepare(reenter.Part(player, entry, recorded, end))
        atexit.register(lambda: write(player.never_began(), None))
        sandbox.install()


def _text(result: Any) -> str | None:
    """The result of an entry point for the parent, where it can be stored."""
    from replay.cassette.codec import pack

    try:
        return b64encode(pack(result)).decode()
    except NotStorable:
        return None


def _use_replay_loops(player: Any) -> None:
    """Once the program imports asyncio; it must not be there earlier than it was in the recording."""

    def use(_: Any) -> None:
        from replay.runtime import loops

        loops.use_replay_loop(player)

    on_import("asyncio", use)


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
