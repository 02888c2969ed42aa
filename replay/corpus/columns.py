"""The columns of a corpus: one row per event, the same for every engine that reads Parquet. Pure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

Kind = Literal["text", "word", "integer", "long", "words", "time"]
"""`word`: a text that comes up again and again, stored once. `words`: a list of them. `time`: microseconds since 1970,
UTC."""


class Column(NamedTuple):
    """What a column is called, what it holds, and what that means."""

    name: str
    kind: Kind
    meaning: str


OF_CASSETTE: Final = (
    Column("cassette", "word", "id of the recording"),
    Column("path", "word", "where it lies: a path or a URL"),
    Column("recorded", "time", "when it began"),
    Column("program", "word", "its command line"),
    Column("outcome", "word", "`exit 0`, `ended`, the type of the exception it ended by, or `unfinished`"),
)

OF_EVENT: Final = (
    Column("event", "integer", "position in the recording, from 0"),
    Column("kind", "word", "`llm`, `tool`, `memory`, `http`, …"),
    Column("name", "word", "of the tool, the model, the operation"),
    Column("effect", "word", "`draw`, `read` or `write`"),
    Column("lane", "word", "who acted: a path of tasks and threads"),
    Column("agent", "word", "the agent that acted, where that is known"),
    Column("at_us", "long", "microseconds since the recording began"),
    Column("took_us", "long", "microseconds until the outcome; null where there is none"),
    Column("status", "word", "`done`, `failed`, `streamed` or `open`"),
    Column("error", "word", "type of the exception"),
    Column("message", "text", "what the exception says"),
    Column("site", "word", "file:line that crossed the boundary"),
    Column("arguments", "text", "of a tool: JSON"),
    Column("provider", "word", "of an LLM call: who answered"),
    Column("input_tokens", "long", "of an LLM call, as the provider counted; with those from a cache"),
    Column("output_tokens", "long", "of an LLM call"),
    Column("cached_tokens", "long", "of an LLM call: read from a cache"),
    Column("finish", "word", "of an LLM call: why it ended"),
    Column("asked", "words", "of an LLM call: the tools it wanted run, in order"),
)

COLUMNS: Final = (*OF_CASSETTE, *OF_EVENT)

OF_DEVIATION: Final = (
    Column("found", "time", "when it was found"),
    Column("command", "word", "`test` or `check`"),
    Column("cassette", "word", "id of the recording; null where not even that can be read"),
    Column("path", "word", "where it lies: a path or a URL"),
    Column("event", "integer", "the event that differs or breaks the rule; null past the end, and for all of a run"),
    Column("severity", "word", "`different` or `unjudged`; of `check` `error`, `warning` or `note`"),
    Column("rule", "word", "what was broken; of `test` the cause, the same for equal causes"),
    Column("why", "text", "in words"),
    Column("expected", "text", "of `test`: what was recorded there"),
    Column("got", "text", "of `test`: what came"),
    Column("site", "word", "of `test`: file:line of what came"),
    Column("likely", "text", "of `test`: a guess at the cause"),
)

_EACH = "cassette, path, recorded, event, lane, agent, at_us, took_us, status, error, message, site"
VIEWS: Final = {
    "llm_calls": f"select {_EACH}, name as model, provider, input_tokens, output_tokens, cached_tokens, finish, asked"
    " from events where kind = 'llm'",
    "tool_calls": f"select {_EACH}, name as tool, arguments, effect from events where kind = 'tool'",
    "effects": "select * from events where effect = 'write' and kind <> 'output'",
    "cassettes": "select cassette, any_value(path) as path, any_value(recorded) as recorded,"
    " any_value(program) as program, any_value(outcome) as outcome, count(*) as events,"
    " count(*) filter (where kind = 'llm') as llm_calls, count(*) filter (where kind = 'tool') as tool_calls,"
    " sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens from events group by cassette",
}
"""What `replay query` knows besides `events`: name -> the SELECT it stands for."""


def deviations_of(index: str | os.PathLike[str]) -> Path:
    """The file in which deviations are noted, beside an index.

    Example:
        >>> deviations_of("corpus.parquet")
        PosixPath('corpus.deviations.parquet')
    """
    path = Path(index)
    return path.with_name(f"{path.name.removesuffix('.parquet')}.deviations.parquet")
