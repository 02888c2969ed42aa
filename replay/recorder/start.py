"""Starting a recorder on a new cassette."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from replay.boundary import originals
from replay.boundary.lanes import nobody
from replay.boundary.traceparent import of_header
from replay.cassette.keeping import ALWAYS, Keeping
from replay.cassette.redact import Redactor, Rules
from replay.cassette.redact.rules import Given, rules
from replay.cassette.writer import Writer
from replay.model.errors import UsageError
from replay.model.inside import INSIDE
from replay.recorder.dumping import watch
from replay.recorder.protection import NONE, Protection
from replay.recorder.recorder import Recorder
from replay.recorder.trouble import warn_on_stderr

BEHAVIOUR = ("schedule-1", "locks-1", "draws-1", "output-lines-1", INSIDE)
"""What this recorder does in a way that a later one may do differently: a replay of an old cassette chooses the old
behaviour by these flags, not by version numbers."""


def start_recorder(
    path: str,
    header: Mapping[str, Any],
    seed: bytes,
    redact: Given = None,
    keeping: Keeping = ALWAYS,
    protection: Protection = NONE,
) -> Recorder:
    """A recorder over a new file, or over a flight recorder beside it.

    Args:
        header: its `redact` names a file of redaction rules, too.
        seed: of the session's random stream, 16 bytes.
        redact: rules: a file, or a table of them (`Rules.of`).
        keeping: what becomes of it.

    Raises:
        CassetteExists, CassetteMissing, CassetteUnreadable, NotStorable: as `Writer.create`.
        KeyUnusable: what `protection` names.
        UsageError: the rules can't be read: nothing is recorded without them. A flight recorder is to be encrypted.
    """
    redactor = Redactor(originals.urandom(16), _rules(redact or header.get("redact")))
    whole = {"threads": "order", **header, **protection.header(), "random_seed": seed, "flags": list(BEHAVIOUR)}
    signer = protection.signer()
    if keeping.flight_recorder:
        from replay.cassette.ring import Ring

        if protection.encrypt:
            raise UsageError("a flight recorder can't be encrypted")
        writer: Writer | Ring = Ring(path, whole, keeping.flight_recorder, redactor, signer)
    else:
        writer = Writer.create(path, whole, redactor, protection.journal())
        writer.sign = None if signer is None else signer(writer.header["id"])
    kind = Recorder
    if header.get("threads") == "strict":
        from replay.recorder.strict import StrictRecorder

        kind = StrictRecorder
    recorder = kind(writer, seed=seed, redactor=redactor, warn=warn_on_stderr, keeping=keeping)
    recorder.trace = of_header(header.get("trace"))
    watch(recorder)
    return recorder


def _rules(given: Given) -> Rules:
    return rules(given) if given is None or isinstance(given, Mapping) else _loaded(os.path.abspath(given))


@cache
def _loaded(path: str) -> Rules:
    with nobody():
        return Rules.load(path)
