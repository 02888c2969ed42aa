"""A replayed process: how its replay begins, where it may leave its tape for a child's, and how its verdict is told.

A program is replayed from its cassette by itself. A child that was forked has no beginning of its own: its parent is
replayed, silently, up to the fork, and there the process takes the child's side: it goes on with the child's tape. A
child that `multiprocessing` spawned is started there, by the parent's own live objects: nothing that was recorded is
unpickled.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from replay import part
from replay.boundary import interrupts, originals, sites
from replay.boundary.door import Call
from replay.boundary.imports import on_import
from replay.boundary.lanes import become, nobody, running
from replay.boundary.traceparent import of_header
from replay.cassette.codec import pack
from replay.cassette.reader import Reader
from replay.model.errors import NotStorable
from replay.model.inside import outer
from replay.model.verdict import Verdict
from replay.player.divergence import Facts
from replay.player.frames import decoded, environment_of, first_replaced
from replay.player.player import Player
from replay.player.stopped import STOPPED
from replay.player.strict import StrictPlayer
from replay.player.tape import Frame
from replay.runtime import around, chance, descent, facts, files, inputs, locks, outputs, threads, tracebacks
from replay.runtime.attaching import Attached
from replay.runtime.attempts import Log
from replay.runtime.debugging import Debugger
from replay.runtime.holes import Hole, Holes, addresses
from replay.runtime.install import install, trace_to
from replay.runtime.sandbox import Sandbox
from replay.runtime.stepping import Stepper
from replay.runtime.trace import Trace
from replay.runtime.walls.build import build
from replay.seams._added import required


class ReplayedProcess(descent.Descent):
    """This process, being replayed.

    Args:
        spec: what `replay.bootstrap` was given. `descend`: [event, cassette] for each child on the way from `cassette`
            to the one that is meant; empty for a program.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._spec = spec
        self._way: list[tuple[int, str]] = [(event, path) for event, path in spec.get("descend") or ()]
        self._handed_over = False
        self._trace: Trace | None = None
        self._log = Log(spec["scratch"])
        self._holes = Holes(spec.get("allow", ()), addresses)
        self._sandbox = Sandbox(spec["scratch"], self._escape, self._holes, self._through)
        self._debugger = _debugger(spec)
        reader = self._take(spec["cassette"])
        if reader.header.get("threads") == "strict" and not spec.get("part"):
            locks.take_in_cached_properties()
        seams = required(reader.header.get("seams", ()))
        interrupts.replaying = True
        files.write_no_bytecode()
        files.use(spec["scratch"], reader.header.get("cwd") or os.getcwd())
        if not spec.get("part"):
            install(self.player.blind, seams)  # a part installs when its recording did: `session`
        descent.use(self)
        on_import("asyncio", self._use_loops)  # not earlier than it was imported in the recording
        on_import("uvloop", _use_uvloop)
        entry = reader.header["entry"]
        if spec.get("part"):
            around.install(spec["scratch"])
            part.prepare(part.Part(self.player, entry, reader.outcome, self._end_part, seams))
            why = "the program ended before it came to the part that was recorded"
            atexit.register(lambda: self._write(self.player.never_began(why), None))
            self._enclose()
            return
        outputs.install()
        inputs.install(reader.header.get("terminals", {}))
        tracebacks.install_hooks()
        atexit.register(self._finish)
        descent.before_hard_exit(lambda _: self._finish())
        root = self.player.new_lane("m")
        self._trace = trace_to(spec.get("trace"))
        self._enclose()
        become(root)

    # -- Descent -----------------------------------------------------------------------------------------------

    def heirloom(self, environ: Mapping[str, str], how: str, event: int | None) -> dict[str, str]:
        if how != "spawn" or not self._way:
            return dict(environ)  # the sandbox refuses it
        [(_, path), *rest] = self._way
        self._handed_over = True
        with Reader.open(path) as reader:
            found = {name: value for name, value in environment_of(reader).items() if name not in environ}
            ours, restore = descent.environment(environ, reader.header.get("hash_seed"))
        spec = {**self._spec, "cassette": path, "descend": rest, "environ": restore, "channel": None}
        known = {name: value for name, value in found.items() if value is not None}
        return {**known, **ours, "REPLAY_BOOT": json.dumps(spec)}

    def bequeath(self) -> None:
        """The sandbox refuses what would inherit it."""

    def born(self, event: int | None) -> None:
        become(self._root)

    def fork(self, real: Callable[[], int]) -> int:
        if not self._way:
            return real()  # the sandbox refuses it
        [(_, path), *self._way] = self._way
        self._sandbox.resume()
        self._take(path)
        threads.forget()
        with nobody():
            chance.reseed()
        if "asyncio" in sys.modules:
            self._use_loops(None)
        self._root = self.player.new_lane("m")
        self._build_walls()
        return 0

    def replaced(self) -> None:
        """The recording ends where the program became another one."""
        self._finish()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        originals.os_exit(0 if self._code is None else self._code)

    # -- inside ------------------------------------------------------------------------------------------------

    def _take(self, path: str) -> Reader:
        """Play that cassette from now on."""
        reader = Reader.open(path)
        recorded = reader.outcome
        sources = None if recorded is None else recorded.get("sources")
        changed = None if sources is None else tuple(facts.changed_sources(sources, sys.orig_argv))
        descent.be(reader.header.get("pid"))
        self._code: int | None = None if recorded is None else recorded.get("exit_code")
        last = not self._way
        inside = not last and outer(reader.event(self._way[0][0]).lane) is not None
        make, frames, complete = self._door(reader)
        self.player = make(
            frames,
            seed=reader.header["random_seed"],
            complete=complete,
            lenient=self._spec.get("lenient", False) and last,
            on_stop=self._stop,
            facts=Facts(changed, partial(first_replaced, path)),
            daemons=frozenset(() if recorded is None else recorded.get("alive", ())),
            until=self._spec.get("until") if last else None,
            contents=_contents(path, self._spec.get("contents", {}) if last else {}),
            branch=None if last else (self._way[0][0], self._branch),
            bodies=self._spec.get("bodies", False) or inside,
            late=any(spot.what == "signal" for spot in reader.blind_spots),
        )
        if last and self._debugger is not None:
            self.player.debugger = self._debugger
        self.player.trace = of_header(reader.header.get("trace"))
        self.player.replaced = replaced_in(reader.header)
        return reader

    def _door(self, reader: Reader) -> tuple[Callable[..., Player], Iterator[Frame], bool]:
        """What makes the door over that recording, its frames, and whether they reach the program's end."""
        kind = StrictPlayer if reader.header.get("threads") == "strict" else Player
        return kind, decoded(reader), reader.outcome is not None

    def _branch(self, call: Call[Any], perform: Callable[[], Any]) -> Any:
        """The event at which the child began: here the process takes the child's side, or starts it and waits."""
        self._sandbox.suspend()
        result = perform()
        if self._handed_over:
            assert call.dump is not None
            _, status = os.waitpid(call.dump(result)["pid"], 0)
            originals.os_exit(os.waitstatus_to_exitcode(status) & 255)
        return result

    def _enclose(self) -> None:
        """From here on the program runs."""
        self._build_walls()
        self._log.add("wall", name="audit")
        self._sandbox.install()
        if isinstance(self._debugger, Attached):
            self._debugger.wait()

    def _build_walls(self) -> None:
        """The kernel's, which stay: not on the way to a child, which may be another process."""
        if not self._way:
            for wall in build(self._spec["scratch"], self._holes, self._spec.get("channel")):
                self._log.add("wall", name=wall)

    def _escape(self, what: str, detail: str) -> None:
        escape = self.player.escape(what, detail)
        self._log.add("escape", what=what, detail=detail, site=escape.site)

    def _through(self, hole: Hole, what: str, detail: str) -> None:
        self._log.add("hole", hole=str(hole), what=what, detail=detail, site=sites.caller_site())

    def _use_loops(self, _: Any) -> None:
        from replay.runtime import loops

        loops.use_replay_loop(self.player)

    def _finish(self) -> None:
        files.finish(running.lane)
        outputs.finish()
        become(None)
        if self._way:
            self._write(self.player.never_began("the parent ended before it came to where this child began"), None)
        else:
            self._write(self.player.finish(), None)

    def _stop(self, verdict: Verdict) -> None:
        with nobody():
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        self._write(verdict, None)
        originals.os_exit(STOPPED)

    def _end_part(self, result: Any) -> None:
        """The recorded part is over."""
        self._write(self.player.finish(), result)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        originals.os_exit(0)

    def _write(self, verdict: Verdict, result: Any) -> None:
        if self._trace is not None:
            self._trace.flush()
        document = {**verdict.to_json(), "result": _text(result), "before": bool(self._way)}
        document["drifted"] = [[drift.event, _text([drift.request, drift.body])] for drift in verdict.drifted]
        with nobody(), open(self._spec["verdict"], "w", encoding="utf-8") as file:
            json.dump(document, file, default=repr)


def _debugger(spec: Mapping[str, Any]) -> Debugger | Stepper | Attached | None:
    """What stops it at events, if anything does."""
    if spec.get("stepping") is not None:
        return Stepper(**spec["stepping"])
    if spec.get("debugpy") is not None:
        host, port = spec["debugpy"]
        return Attached(host, port, spec.get("pdb"))
    return None if spec.get("pdb") is None else Debugger(spec["pdb"])


def replaced_in(header: Mapping[str, Any]) -> frozenset[int]:
    """The tools in a fork whose outcome isn't their body's, as its header says."""
    fork: Mapping[str, Any] = header.get("fork") or {}
    return frozenset(fork.get("replaced", ()))


def _contents(path: str, instead: Mapping[str, str]) -> Callable[[int], bytes | None]:
    """Reads contents of files from a cassette, by the event that saw them; or those of the files `instead` of them."""
    readers: list[Reader] = []

    def content(event: int) -> bytes | None:
        other = instead.get(str(event)) if instead else None
        if other is not None:
            with open(other, "rb") as file:
                return file.read()
        if not readers:
            readers.append(Reader.open(path))
        return readers[0].content(event)

    return content


def _text(result: Any) -> str | None:
    """The result of an entry point for the parent, where it can be stored."""
    try:
        return b64encode(pack(result)).decode()
    except NotStorable:
        return None


def _use_uvloop(module: Any) -> None:
    from replay.runtime import uvloops

    uvloops.replay_uvloop(module)
