"""The table of dialects, in the order in which they are asked. A new one is a file here and a line below."""

from __future__ import annotations

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
