"""Transcripts in forms of their own, each a module; `replay.interop.chat` reads plain lists of messages.

A module has `runs(data, document)`: `data` are the file's bytes, `document` the JSON in it (of lines a list, None where
it is none). It answers with what it knows in there, and with nothing where it isn't its form. Pure: nothing is executed
or fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, TypeAlias

from replay.interop.chat import Transcript
from replay.interop.transcripts.spans import Trace

Found: TypeAlias = "list[Transcript] | list[Trace]"

KINDS: Final[Mapping[str, str]] = {
    "inspect": "replay.interop.transcripts.inspect_log",
    "atif": "replay.interop.transcripts.atif",
    "swe-agent": "replay.interop.transcripts.swe_agent",
    "otlp": "replay.interop.transcripts.otlp",
    "langsmith": "replay.interop.transcripts.langsmith",
    "langfuse": "replay.interop.transcripts.langfuse",
}
"""In the order in which they are asked."""


def known(data: bytes, document: Any) -> Found:
    """What the first module that knows it finds."""
    for module in KINDS.values():
        read: Callable[[bytes, Any], Found] = import_module(module).runs
        found = read(data, document)
        if found:
            return found
    return []
