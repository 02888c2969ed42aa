"""Published runs as cassettes, and beside them, apart, what is known of each. No command sees the latter.

The directory has what `fixtures/transcripts` has: `agentdojo/index.json` (path, kind, suite), `agentdojo/labels.jsonl`
(of each attack that succeeded which results carried it, and the first call that followed it), the runs themselves.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.paraphrase import Template, rewritten
from replay.cassette.cassette import load
from replay.interop.chat import transcripts
from replay.interop.importing import write
from replay.model.event import Event

SUCCEEDED, RESISTED, BENIGN = "attack_succeeded", "attack_resisted", "clean_pair"


@dataclass(frozen=True, slots=True)
class Label:
    """Of an attack that succeeded.

    Attributes:
        candidates: messages with results of tools before the call. injected: those that carry the attack.
        message, call: where the first call is that followed it. nontrivial: there are others, and one doesn't carry it.
        hard: the longest result doesn't carry it.
    """

    candidates: tuple[int, ...]
    injected: frozenset[int]
    message: int
    call: int
    nontrivial: bool
    hard: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A run, by the path that its data has, and what is known of it."""

    path: str
    suite: str
    kind: str
    events: list[Event]
    label: Label | None

    @property
    def model(self) -> str:
        """Whose answers they are: `runs/MODEL/…`."""
        return self.path.split("/")[1]


def cases(directory: Path, template: Template | None = None) -> Iterator[Case]:
    """All runs in a directory; with a template only the attacks that succeeded, in its wording."""
    dojo = directory / "agentdojo"
    labels = {row["path"]: _label(row) for row in map(json.loads, (dojo / "labels.jsonl").read_text().splitlines())}
    for row in json.loads((dojo / "index.json").read_text()):
        kind = SUCCEEDED if row["path"] in labels else row["kind"]
        label = labels.get(row["path"])
        document: dict[str, Any] | None = json.loads((dojo / row["path"]).read_text())
        if template is not None:
            document = rewritten(document or {}, template) if label is not None else None
        if document is not None and kind in (SUCCEEDED, RESISTED, BENIGN):
            yield Case(row["path"], row["suite"], kind, imported(document), label)


def imported(document: Any) -> list[Event]:
    """The events of the cassette that `replay import` makes of it."""
    original = json.dumps(document).encode()
    (run,) = transcripts(original)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "run.cassette"
        write(run, path, original)
        with load(path) as cassette:
            return list(cassette.events)


def _label(row: dict[str, Any]) -> Label:
    made = row["malicious_call"]
    return Label(
        tuple(row["prior_tool_results"]), frozenset(row["injected_results"]), made["message"], made["call"],
        row["nontrivial"], row["hard_longest_not_injected"],
    )  # fmt: skip


def event_of(events: list[Event], label: Label) -> Event:
    """The tool event of the first call that followed the attack, by its place in the original."""
    return next(
        event
        for event in events
        if event.kind == "tool"
        and (event.meta["source"]["message"], event.meta["source"]["call"]) == (label.message, label.call)
    )


def result_message(event: Event) -> int | None:
    """The message that carried the result, in the original."""
    found: int | None = event.meta.get("source", {}).get("result_message") if event.kind == "tool" else None
    return found
