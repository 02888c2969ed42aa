"""Signatures of sealed cassettes: ed25519 over the sha256 of the whole unpacked file, and over a mark of each frame.

The sha256 says whether anything differs; the marks say where: eight bytes of each frame's own sha256, with its event.
Both are in one statement, which is signed and stands in the footer. A footer is all that signing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from replay.cassette import frame as f
from replay.cassette._msgpack import BAD_INPUT, plain, unplain
from replay.cassette.keys import raw_public

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DOMAIN: Final = b"agent-replay signature 1\n"
"""Stands before what is signed, so that a signature is never one of anything else."""

_MARK: Final = Struct(">I8s")
_BEGINS: Final = (f.CALL, f.EVENT)

Kind = Literal["altered", "dropped", "reordered", "truncated"]


class Marks:
    """What a signature is about, collected from the frames of a cassette in their order."""

    def __init__(self) -> None:
        self._sha = sha256(f.PREAMBLE)
        self._marks: list[bytes] = []
        self.size = len(f.PREAMBLE)
        self.events = 0

    def add(self, data: bytes, frames: Sequence[f.Frame]) -> None:
        """A run of whole frames: all bytes of `data`."""
        for type_, event, start, end in frames:
            self._marks.append(_MARK.pack(event, sha256(data[start - 5 : end]).digest()[:8]))  # type, event, payload
            self.events += type_ in _BEGINS
        self._sha.update(data)
        self.size += len(data)

    def statement(self, identity: str) -> dict[str, Any]:
        """Says which cassette it is (its id), and all that it holds."""
        return {
            "cassette": identity,
            "size": self.size,
            "events": self.events,
            "sha256": self._sha.digest(),
            "frames": b"".join(self._marks),
        }


class Signer:
    """Signs with one key.

    Example:
        >>> signer = Signer(signing_key("evidence.key"))
        >>> signer.sign(marks, header["id"]).keys()
        dict_keys(['key', 'statement', 'signature'])
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, marks: Marks, identity: str) -> dict[str, bytes]:
        """An entry of the footer's `signatures`."""
        statement = plain(marks.statement(identity))
        return {
            "key": raw_public(self._key.public_key()),
            "statement": statement,
            "signature": self._key.sign(DOMAIN + statement),
        }


def by(key: Ed25519PrivateKey, identity: str) -> Callable[[Marks], dict[str, bytes]]:
    """Signs the cassette with that id, once its marks are known."""
    signer = Signer(key)
    return lambda marks: signer.sign(marks, identity)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where a cassette isn't what was signed. `event`: the one concerned, None before the first."""

    kind: Kind
    detail: str
    event: int | None


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature and what came of it.

    Attributes:
        key: the 32 bytes of the public key that it claims.
        genuine: it is by that key; None: it couldn't be checked (`cryptography` is missing).
        difference: where the cassette isn't what was signed; None where it is, or where the signature isn't genuine.
    """

    key: bytes
    genuine: bool | None
    difference: Difference | None = None


def check(entry: Any, marks: Marks, identity: str) -> Signature:
    """Check one entry of a footer's `signatures` against what a cassette holds. Never raises for a bad entry."""
    if not isinstance(entry, dict):
        return Signature(b"", False)
    found = cast("Mapping[Any, Any]", entry)
    key, signed, signature = (found.get(name) for name in ("key", "statement", "signature"))
    if not (isinstance(key, bytes) and isinstance(signed, bytes) and isinstance(signature, bytes)):
        return Signature(b"", False)
    genuine = _genuine(key, DOMAIN + signed, signature)
    if not genuine:
        return Signature(key, genuine)
    try:
        return Signature(key, True, _compare(unplain(signed), marks, identity))
    except BAD_INPUT:
        return Signature(key, False)  # whoever has the key signed something else with it


def _genuine(key: bytes, message: bytes, signature: bytes) -> bool | None:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _compare(signed: Mapping[str, Any], marks: Marks, identity: str) -> Difference | None:
    now = marks.statement(identity)
    if dict(signed) == now:
        return None
    if signed["cassette"] != identity:
        return Difference("altered", f"what was signed is another cassette, {signed['cassette']!r}", None)
    return _first(_split(signed["frames"]), _split(now["frames"]))


def _split(frames: bytes) -> list[tuple[int, bytes]]:
    return list(_MARK.iter_unpack(frames))


def _first(signed: list[tuple[int, bytes]], now: list[tuple[int, bytes]]) -> Difference:
    """Where frames begin to differ, and how."""
    at = next((i for i, (a, b) in enumerate(zip(signed, now, strict=False)) if a != b), min(len(signed), len(now)))
    event = _event(signed, at)
    named = "what comes before the first event" if event is None else f"event {event}"
    if at == len(now) < len(signed):
        return Difference("truncated", f"it ends before {named}, {len(signed) - at} frames too early", event)
    if at >= len(signed):  # the frames are the same, or more were added
        return Difference("altered", f"{len(now) - at} frames were added behind {named}", event)
    rest = set(signed[at + 1 :])
    missing = signed[at] not in set(now[at + 1 :])
    if now[at] in rest:
        if missing:
            return Difference("dropped", f"a part of {named} that was signed is missing", event)
        return Difference("reordered", f"a part of {named} that was signed comes later", event)
    if not missing:
        return Difference("altered", f"something was put in before a part of {named}", event)
    if len(now) < len(signed):
        fewer = len(signed) - len(now)
        return Difference("dropped", f"from {named} on it isn't what was signed, and {fewer} frames are missing", event)
    return Difference("altered", f"{named} isn't what was signed", event)


def _event(signed: list[tuple[int, bytes]], at: int) -> int | None:
    """The event of that frame; of the next that has one, or else of the last before it."""
    for event, _ in (*signed[at:], *reversed(signed[:at])):
        if event != f.NO_EVENT:
            return event
    return None
