"""The table of dialects, in the order in which they are asked. A new one is a file here and a line below."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from replay.model.extensions import added
from replay.semantics.dialect import Dialect
from replay.semantics.dialects import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    gemini_live,
    ollama,
    openai_chat,
    openai_other,
    openai_realtime,
    openai_responses,
    tgi,
    xai,
)

DIALECTS: tuple[Dialect, ...] = (
    openai_chat.DIALECT,
    openai_responses.DIALECT,
    anthropic.DIALECT,
    gemini_live.DIALECT,
    gemini.DIALECT,
    bedrock.DIALECT,
    ollama.CHAT,
    ollama.GENERATE,
    xai.DIALECT,
    openai_realtime.DIALECT,
    cohere.DIALECT,
    cohere.RERANK,
    tgi.DIALECT,
    openai_other.COMPLETIONS,
    openai_other.EMBEDDINGS,
)


def speaker(path: str, request: Mapping[str, Any]) -> Dialect | None:
    """Whose dialect a request is: one of ours, else one that another package adds."""
    return next((d for d in DIALECTS if d.speaks(path, request)), None) or next(
        (d for d in others() if _speaks(d, path, request)), None
    )


@cache
def others() -> tuple[Dialect, ...]:
    """Of the entry points of `replay.dialects`; one that can't be loaded is told once, and left out."""
    found: list[Dialect] = []
    for name, load in added("dialects").items():
        try:
            dialect = load()
            if not isinstance(dialect, Dialect):
                raise TypeError("not a Dialect")
            found.append(dialect)
        except Exception as error:  # another package's code
            logging.getLogger("replay").warning("dialect %s is left out: %s: %s", name, type(error).__name__, error)
    return tuple(found)


def _speaks(dialect: Dialect, path: str, request: Mapping[str, Any]) -> bool:
    try:
        return dialect.speaks(path, request)
    except Exception:  # another package's code
        return False
