"""Requests and contents of files on their way into the cassette: without their secrets, and each stored once."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from replay.boundary.door import Call
from replay.cassette.redact import Redactor
from replay.cassette.repeats import INLINE
from replay.cassette.writer import Writer

if TYPE_CHECKING:
    from replay.cassette.ring import Ring


class Contents:
    """For one recording; called with its lock held.

    Args:
        writer: of the cassette. redactor: takes secrets out.
    """

    def __init__(self, writer: Writer | Ring, redactor: Redactor) -> None:
        self._writer = writer
        self._redactor = redactor
        self._stored: dict[bytes, tuple[bytes, bool]] = {}  # digest as read: digest as stored, whether it was redacted
        self._events: dict[int, tuple[bytes, bool]] = {}  # the same by event

    def asked(self, call: Call[Any]) -> tuple[Any, bytes | None]:
        """Request and body of a call as they may be stored."""
        request, body, kind = call.request, call.body, call.kind
        if kind in ("http", "server"):
            body = None if body is None else self._redactor.packed(request, body, self._tell)
            request = self._redactor.http_message(request)
        elif kind == "file":
            body = None if body is None else self._redactor.file(request["path"], body)
        elif kind == "process":
            request = self._redactor.process(request)
        elif kind in ("mcp", "grpc"):
            request = self._redactor.mcp(request)
        return request, body

    def _tell(self, what: str) -> None:
        self._writer.blind("redaction", what, None, 1)

    def noted(self, call: Call[Any], body: bytes | None) -> None:
        """The event has got its id: what reads that body of a file back refers to it."""
        if body is not None and call.kind == "file" and call.event is not None:
            self._writer.remember(sha256(body).digest(), call.event, len(body))

    def forget(self) -> None:
        """A flight recorder begins another part, which can't refer to what is in the others."""
        self._stored.clear()
        self._events.clear()

    def found(self, call: Call[Any], content: bytes | int, value: dict[str, Any]) -> dict[str, Any]:
        """Writes the content of the call's outcome; the value with its digest in it.

        Raises:
            NotStorable, OSError: as the writer does.
        """
        assert call.event is not None
        if isinstance(content, int):
            known = self._events.get(content)
            if known is None:
                return value  # a flight recorder has lost it
            digest, redacted = known
            self._writer.content(call.event, b"", digest, call.chain)
            return _described(value, digest, redacted=redacted)
        raw = sha256(content).digest()
        known = self._stored.get(raw)
        if known is None:
            safe = self._redactor.file(call.request.get("path", ""), content)
            redacted = safe != content
            digest = sha256(safe).digest() if redacted else raw
            self._writer.content(call.event, safe, digest, call.chain)
            if len(safe) >= INLINE:  # shorter ones aren't referred to
                self._stored[raw] = self._events[call.event] = (digest, redacted)
        else:
            digest, redacted = known
            self._events[call.event] = known
            safe = self._redactor.file(call.request["path"], content) if redacted else content
            self._writer.content(call.event, safe, digest, call.chain)  # it is there: only referred to, where it can be
        return _described(value, digest, redacted=redacted)


def _described(value: dict[str, Any], digest: bytes, *, redacted: bool) -> dict[str, Any]:
    return {**value, "sha256": digest.hex(), **({"redacted": True} if redacted else {})}
