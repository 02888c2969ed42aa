"""A recorded process: how its recording begins, what its children get to know, and how it ends.

The first Python below `replay record` takes the cassette that was asked for. Every other one takes a free number in the
folder beside its parent's (`X.d/1.cassette` beside `X.cassette`, `X.d/1.d/1.cassette` below that), created exclusively,
so that children that overlap never collide; its header says who the parent is. Nobody waits for anybody: each writes
its own file, and seals it at its own end.

A process that replaces itself (`os.exec…`) hands its cassette's name to its successor, which is the program that was
meant (`poetry run`, a launcher script), and moves its own recording into the folder.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from replay.boundary import originals
from replay.boundary.lanes import become, nobody, running
from replay.boundary.traceparent import of_header
from replay.cassette.directory import ring_of
from replay.cassette.keeping import Keeping
from replay.model.errors import CassetteExists, ReplayError
from replay.recorder.protection import Protection
from replay.recorder.recorder import Recorder
from replay.recorder.start import start_recorder
from replay.runtime import blindspots, chance, descent, facts, files, inputs, locks, outputs, threads, tracebacks
from replay.runtime.install import install, trace_to
from replay.seams._added import found

_PASSED_ON = ("name", "tags", "git", "timezone", "threads", "redact", "trace", "seams")


class RecordedProcess(descent.Descent):
    """This process, being recorded.

    Args:
        spec: what `replay.bootstrap` was given.
        hash_seed: what the interpreter was started with.
        dormant: it only forks others, which are its parent's children: multiprocessing's fork server.
    """

    def __init__(self, spec: Mapping[str, Any], hash_seed: str | None, *, dormant: bool = False) -> None:
        terminals = inputs.terminals()
        self._facts: dict[str, Any] = {
            "command": sys.orig_argv,
            "entry": {"type": "program"},
            "startup": facts.startup_variables(os.environ),
            "hash_seed": hash_seed,
            **spec["header"],
            "cwd": os.getcwd(),
            "argv": sys.orig_argv,
            "terminals": terminals,
            "environment": facts.environment(),
        }
        seams, lost = found(self._facts.pop("seams", ()))
        if seams:
            self._facts["seams"] = [seam.name for seam in seams]
        self._path = self._id = ""
        rules: dict[str, Any] = dict(spec.get("keeping") or {})
        self._keeping = Keeping(**rules)
        guard: dict[str, Any] = spec.get("protection") or {}
        self._protection = Protection(None, tuple(guard.get("encrypt", ())), tuple(guard.get("also", ())))
        self._parent: Mapping[str, Any] | None = None
        self._gone = False
        self._dormant = dict(spec["parent"]) if dormant else None
        self._recorder: Recorder | None = None
        if dormant:
            self._path = spec["cassette"]
        else:
            self._recorder = self._begin(spec["cassette"], spec.get("parent"), take=spec.get("take", True))
        if self._facts.get("threads") == "strict":
            locks.take_in_cached_properties()
        self._outcome: dict[str, Any] = {"exception": None}
        install(self._blind, seams)
        for why in lost:
            self._blind("seam", why)
        outputs.install()
        inputs.install(terminals)
        descent.use(self)
        self.bequeath()
        tracebacks.install_hooks()
        _watch_exception(self._outcome)
        atexit.register(self.finish)
        descent.before_hard_exit(self.finish)
        os.register_at_fork(after_in_child=self._detach)
        if spec.get("audit"):
            from replay.runtime import audit

            audit.install()
        self._trace = trace_to(spec.get("trace"))
        if self._recorder is not None:
            become(self._recorder.new_lane("m"))

    def finish(self, code: int | None = None) -> None:
        """The program has ended, with exit code `code` where that is known here."""
        if self._recorder is None:
            return
        files.finish(running.lane)
        outputs.finish()
        become(None)
        if self._trace is not None:
            self._trace.flush()
        recorder = self._recorder
        blindspots.note_clocks(recorder)
        self._outcome["alive"] = threads.alive()
        self._outcome["sources"] = facts.program_sources(sys.orig_argv)
        if code is not None:
            self._outcome["exit_code"] = code
        recorder.finish(self._outcome, seal=self._parent is not None)

    # -- Descent -----------------------------------------------------------------------------------------------

    def heirloom(self, environ: Mapping[str, str], how: str, event: int | None) -> dict[str, str]:
        if "REPLAY_BOOT" in environ:
            return dict(environ)  # of a recording or a replay that the program itself has begun
        ours, restore = descent.environment(environ, self._facts.get("hash_seed"))
        return {**ours, "REPLAY_BOOT": json.dumps(self._spec(how, event, restore))}

    def bequeath(self) -> None:
        for name, value in self.heirloom(os.environ, "exec", descent.event()).items():
            if name in ("PYTHONPATH", "PYTHONHASHSEED", "REPLAY_BOOT"):
                os.putenv(name, value)

    def born(self, event: int | None) -> None:
        try:
            link = {"cassette": self._id, "event": event, "how": "fork"}
            if self._dormant is not None:
                link = {**self._dormant, "event": None, "how": "forkserver"}
                self._dormant = None
            recorder = self._recorder = self._begin(self._path, link, take=False)
        except (ReplayError, OSError):
            return  # the child goes on unrecorded
        self._outcome.clear()
        self._outcome["exception"] = None
        threads.forget()
        with nobody():
            chance.reseed()
        self.bequeath()
        become(recorder.new_lane("m"))

    def replaced(self) -> None:
        empty = self._recorder is not None and self._recorder.events <= 1  # that it replaced itself
        self._outcome["exec"] = True
        self.finish()
        if not self._keeping.flight_recorder:
            if empty:
                os.unlink(self._path)
            elif self._parent is None:
                os.rename(self._path, _free(self._path))
        elif empty or self._parent is None:
            import shutil  # a recording begins sooner without it

            shutil.rmtree(ring_of(self._path), ignore_errors=True)  # it replaced itself: it ended well
        self._gone = empty or self._parent is None

    # -- inside ------------------------------------------------------------------------------------------------

    def _begin(self, path: str, parent: Mapping[str, Any] | None, *, take: bool) -> Recorder:
        """A recorder on `path` itself (`take`), or on a free one in the folder of its children.

        Raises:
            ReplayError, OSError: it can't be created.
        """
        self._gone = False
        self._parent = parent
        seed = originals.urandom(16)
        header = {**self._facts, "pid": originals.getpid()}
        if parent is not None:
            above = of_header(self._facts.get("trace"))
            self._facts["trace"] = None if above is None else above.below(originals.urandom(8)).to_header()
            header |= {"parent": dict(parent), "trace": self._facts["trace"]}
            if parent["how"] in ("fork", "forkserver"):
                header |= {"entry": {"type": "fork"}}
        if not take:
            recorder = _claim(path, header, seed, self._keeping, self._protection)
        else:
            try:
                recorder = start_recorder(path, header, seed, keeping=self._keeping, protection=self._protection)
            except CassetteExists:  # another Python of the same command has it
                if parent is not None:
                    raise
                from replay.cassette.family import header_at  # a recording begins sooner without a reader

                link = {"cassette": (header_at(path) or {}).get("id", ""), "event": None, "how": "beside"}
                return self._begin(path, link, take=False)
        self._path, self._id = recorder.path, recorder.id
        return recorder

    def _spec(self, how: str, event: int | None, restore: Mapping[str, str | None]) -> dict[str, Any]:
        """What a child is told; one that takes the place of this process takes its cassette's name, too."""
        known = {name: self._facts[name] for name in _PASSED_ON if name in self._facts}
        parent: dict[str, Any] | None = {"cassette": self._id, "event": event, "how": how}
        if self._dormant is not None:
            parent = self._dormant
        elif self._gone:
            parent = None if self._parent is None else {**self._parent, "how": how}
        spec = {"mode": "record", "cassette": self._path, "parent": parent, "take": self._gone}
        spec["keeping"] = asdict(self._keeping)
        if self._protection.encrypt:
            spec["protection"] = {"encrypt": self._protection.encrypt, "also": self._protection.also}
        return {**spec, "environ": dict(restore), "header": known, "scratch": "", "verdict": ""}

    def _detach(self) -> None:
        """In a forked child, also one of C code: this recording is the parent's."""
        if self._recorder is not None:
            self._recorder.detach()
            self._recorder = None

    def _blind(self, what: str, detail: str) -> None:
        if self._recorder is not None:
            self._recorder.blind(what, detail)


def _claim(beside: str, header: Mapping[str, Any], seed: bytes, keeping: Keeping, protection: Protection) -> Recorder:
    """A recorder on the first free number in the folder of `beside`'s children."""
    always = replace(keeping, keep="always")
    while True:
        try:
            return start_recorder(_free(beside), header, seed, keeping=always, protection=protection)
        except CassetteExists:
            continue  # another child was faster


def _free(beside: str) -> str:
    from replay.cassette.directory import children_of

    folder = children_of(beside)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while os.path.exists(folder / f"{number}.cassette") or os.path.exists(folder / f"{number}.ring"):
        number += 1
    return os.fspath(folder / f"{number}.cassette")


def _watch_exception(outcome: dict[str, Any]) -> None:
    """Note the exception that ends the program, for the record; it is reported as ever."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        outcome["exception"] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        before(kind, error, trace)

    sys.excepthook = hook
