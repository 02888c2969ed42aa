"""Server-sent events, parsed as they arrive; conforms to the WHATWG specification, "Interpreting an event stream".

Bytes may be cut anywhere: inside a character, between CR and LF, inside the byte order mark. Lines end with LF, CR or
CRLF and nothing else (`str.splitlines` would also split at U+2028, which JSON text may contain).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_EOL = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One dispatched event. `event` is `message` when the stream names none; `id` is the last one seen."""

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class Parser:
    """Feed it bytes, take events.

    Example:
        >>> parser = Parser()
        >>> parser.feed(b"data: he")
        []
        >>> parser.feed(b"llo\\n\\n")
        [ServerSentEvent(data='hello', event='message', id='', retry=None)]
        >>> parser.pending
        False
    """

    def __init__(self) -> None:
        # The unfinished line is a list of slices, joined once: a long line in many small pieces stays linear.
        self._line: list[bytes] = []
        self._after_cr = False
        self._first = True
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._retry: int | None = None

    @property
    def pending(self) -> bool:
        """True when the stream so far ends inside an event; the specification discards such a rest."""
        return bool(self._data) or any(self._line)

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that `chunk` completes, in order. Never raises: bytes that aren't UTF-8 become U+FFFD."""
        if self._after_cr and chunk[:1] == b"\n":
            chunk, self._after_cr = chunk[1:], False  # the LF belongs to the CR that ended the chunk before
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        *ends, rest = _EOL.split(chunk)
        events: list[ServerSentEvent] = []
        for end in ends:
            self._line.append(end)
            line = b"".join(self._line)
            self._line.clear()
            if self._first:
                line, self._first = line.removeprefix(_BOM), False
            event = self._take(line.decode("utf-8", "replace"))
            if event is not None:
                events.append(event)
        self._line.append(rest)
        return events

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self._retry = int(value[:18])  # longer ones are nonsense, and int() refuses thousands of digits
        return None  # a comment (empty name) or a field that the specification ignores

    def _dispatch(self) -> ServerSentEvent | None:
        event = None
        if self._data:
            event = ServerSentEvent("\n".join(self._data), self._event or "message", self._id, self._retry)
        self._data.clear()
        self._event = ""
        self._retry = None
        return event


def parse(chunks: Iterable[bytes]) -> tuple[list[ServerSentEvent], bool]:
    """All events of a stream, and whether it broke off inside one.

    Example:
        >>> parse([b": ping\\n\\ndata: 1\\n\\nda"])[1]
        True
    """
    parser = Parser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events, parser.pending
