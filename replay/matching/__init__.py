"""When are two requests the same, and if not: what differs, what is near, and why that may be. Pure."""

from __future__ import annotations

from replay.matching.cause import Cause, likely_cause
from replay.matching.compare import Request, same
from replay.matching.explain import Change, Difference, explain
from replay.matching.nearest import Near, nearest

__all__ = ["Cause", "Change", "Difference", "Near", "Request", "explain", "likely_cause", "nearest", "same"]
