"""OpenTelemetry, where the program itself uses it: nothing here imports it."""

from __future__ import annotations

import os
import sys
from typing import Any

from replay.boundary.lanes import nobody

EVENT = "replay.cassette"


def _span() -> Any:
    """The program's current span, if it records one."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        span = api.get_current_span()
        return span if span.get_span_context().is_valid else None
    except Exception:  # its trouble is not the program's
        return None


def current() -> str | None:
    """Its `traceparent`."""
    with nobody():
        span = _span()
        if span is None:
            return None
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 255:02x}"


def note(path: str | os.PathLike[str], trace: str) -> None:
    """Add an event to it that says where the recording is."""
    with nobody():
        span = _span()
        if span is not None:
            try:
                span.add_event(EVENT, {"replay.cassette": os.path.abspath(path), "replay.trace_id": trace})
            except Exception:  # as above
                pass
