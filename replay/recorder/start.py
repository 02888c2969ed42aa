"""Starting a recorder on a new cassette."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from replay.boundary import originals
from replay.boundary.lanes import nobody
from replay.boundary.traceparent import of_header
from replay.cassette.redact import Redactor
from replay.cassette.writer import Writer
from replay.model.inside import INSIDE
from replay.recorder.recorder import Recorder
from replay.recorder.trouble import warn_on_stderr

if TYPE_CHECKING:
    from replay.cassette.sealing import Sign

BEHAVIOUR = ("schedule-1", "locks-1", "draws-1", "output-lines-1", INSIDE)
"""What this recorder does in a way that a later one may do differently: a replay of an old cassette chooses the old
behaviour by these flags, not by version numbers."""


def start_recorder(path: str, header: Mapping[str, Any], seed: bytes) -> Recorder:
    """A recorder over a new file. `seed`: of the session's random stream, 16 bytes.

    Raises:
        CassetteExists, CassetteMissing, CassetteUnreadable, NotStorable: as `Writer.create`.
        KeyUnusable: the one that `REPLAY_SIGN` names.
    """
    redactor = Redactor(originals.urandom(16))
    whole = {"threads": "order", **header, "random_seed": seed, "flags": list(BEHAVIOUR)}
    key = _signing_key()
    writer = Writer.create(path, whole, redactor)
    if key is not None:
        writer.sign = key(writer.header["id"])
    kind = Recorder
    if header.get("threads") == "strict":
        from replay.recorder.strict import StrictRecorder

        kind = StrictRecorder
    recorder = kind(writer, seed=seed, redactor=redactor, warn=warn_on_stderr)
    recorder.trace = of_header(header.get("trace"))
    return recorder


def _signing_key() -> Callable[[str], Sign] | None:
    path = originals.environ_get("REPLAY_SIGN")
    if not path:
        return None
    from replay.cassette import keys, signing

    with nobody():
        key = keys.signing_key(path)
    return lambda identity: signing.by(key, identity)
