"""Everything that a report says, found out once: `collect` asks forensics, policy and verify, and draws nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from replay import expect, semantics
from replay.cassette import verify
from replay.cassette.cassette import Cassette
from replay.forensics import owners
from replay.forensics.context import Context, context
from replay.forensics.effects import Effect, Effects, effects
from replay.forensics.memory import History, Session, histories
from replay.forensics.triage import Item, Triage, triage
from replay.forensics.trust import Trust
from replay.forensics.why import Explained, Why, why
from replay.model.errors import ReplayError, UsageError
from replay.model.event import Event
from replay.policy import baseline, files, rules
from replay.policy.baseline import Deviation
from replay.policy.run import observe
from replay.queries import contents, labels
from replay.queries.answerable import answerable
from replay.queries.contents import Contents
from replay.queries.related import Related, related
from replay.queries.shapes import mapping
from replay.semantics import LLMCall
from replay.semantics.loose import arr

_LINKS: Final = ("recorded", "inferred", "confirmed", "refuted")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is asked for.

    Attributes:
        at: the event in question; None: the one that triage points at, else the last effect.
        title: the heading; None: ours. owners: rules of the user's own.
        policies: what to check against. tested: the document of `replay why N --intervene --json`.
        earlier: recordings that may have written what this one's memory had.
    """

    at: int | None = None
    title: str | None = None
    owners: Sequence[owners.Rule] = ()
    policies: Sequence[files.Policy] = ()
    tested: Mapping[str, Any] | None = None
    earlier: Sequence[Cassette] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """What was found.

    Attributes:
        at: the event in question; None: nothing was decided and nothing done.
        point: the evidence that names it; None: triage doesn't.
        calls: the events that are calls of models. llm: the one whose window is shown.
        deviations: None: nothing to check against was given.
        integrity: None: it couldn't be read through. digest: sha256 of the file.
    """

    cassette: Cassette
    contents: Contents
    wanted: Wanted
    triage: Triage
    at: int | None
    point: Item | None
    why: Why | None
    calls: Mapping[int, LLMCall]
    window: Context | None
    effects: Effects
    related: Sequence[Related]
    memory: History
    deviations: Sequence[Deviation] | None
    undecided: Mapping[str, str]
    integrity: verify.Report | None
    digest: str
    effect_of: Mapping[int, Effect] = field(default_factory=dict[int, Effect])

    def event(self, number: int) -> Event:
        """An event by its id."""
        return self.contents.events[number]

    @property
    def imported(self) -> bool:
        """Whether there is no program: something else had recorded it."""
        return mapping(self.cassette.header.get("entry")).get("type") == "import"

    @property
    def timed(self) -> bool:
        """Whether it is known when things happened."""
        return bool(self.contents.events) and self.contents.events[-1].at > 0

    @property
    def mentioned(self) -> list[int]:
        """Events that the report speaks of, and whose rows have to be in it, whatever else is."""
        found = [self.at, *self.triage.path]
        for name in self.triage.hypotheses.values():
            found += [each for item in (*name.for_[:8], *name.against[:8]) for each in (item.event, item.cause)]
        for one in () if self.why is None else self.why.calls:
            found += [one.decision.event]
            found += [number for cause in one.causes[:6] for number in (cause.event, *_via(cause.evidence))]
        found += [each.event for each in self.deviations or ()]
        found += [each.event for each in self.effects.all[:60]]
        found += [] if self.window is None else [self.window.event]
        return sorted({number for number in found if number is not None and number < len(self.contents.events)})


def _via(evidence: Sequence[Any]) -> list[int | None]:
    return [each.event for each in evidence if each.kind == "via"]


def collect(cassette: Cassette, wanted: Wanted) -> Incident:
    """Finds out all of it; reads each event a few times, and every byte once.

    Raises:
        UsageError: there is no event `at`. CassetteDamaged: not even the header can be read.
    """
    read = contents.read(cassette)
    known = read.events
    if wanted.at is not None and wanted.at >= len(known):
        last = f"the last is {len(known) - 1}" if len(known) else "it has none"
        raise UsageError(f"no event {wanted.at} in {cassette.path}; {last}")
    trust = labels.trust(*wanted.policies)
    judged = triage(known, answerable(cassette.header, wanted.owners), trust)
    written = effects(known)
    calls = {event.id: call for event, call in semantics.readings(known) if call is not None}
    point = None if wanted.at is not None else pointed(judged, known)
    at = wanted.at if wanted.at is not None else point.event if point else _last(written, calls)
    reasons = None if at is None else _tested(why(known, at, trust), wanted.tested)
    deviations, undecided = _checked(cassette, wanted.policies, trust)
    here = Session(str(cassette.path), cassette.header, known)
    sessions = [*(Session(str(each.path), each.header, each.events) for each in wanted.earlier), here]
    return Incident(
        cassette=cassette,
        contents=read,
        wanted=wanted,
        triage=judged,
        at=at,
        point=point,
        why=reasons,
        calls=calls,
        window=_window(known, at, reasons, calls, cassette.header),
        effects=written,
        related=related(cassette, written.asked, written.started),
        memory=histories(sessions),
        deviations=deviations,
        undecided=undecided,
        integrity=_integrity(cassette.path),
        digest=_digest(cassette.path),
        effect_of={each.event: each for each in written.all},
    )


def pointed(judged: Triage, events: Sequence[Event]) -> Item | None:
    """The evidence for the verdict that weighs most: what has a score, then calls that write."""
    chosen = judged.hypotheses[judged.verdict].for_ if judged.verdict in judged.hypotheses else []
    found = chosen or [item for each in judged.hypotheses.values() for item in each.for_]

    def weight(item: Item) -> tuple[bool, bool, float]:
        return item.score is not None, events[item.event].effect == "write", item.score or 0

    return max(found, key=weight, default=None)


def _last(written: Effects, calls: Mapping[int, LLMCall]) -> int | None:
    """The last effect that a model decided, else the last one of all, else the last call of a model."""
    outer = [each for each in written.all if each.inside is None]
    decided = [each.event for each in outer if each.decided_by.event is not None]
    found = decided or [each.event for each in outer] or list(calls)
    return found[-1] if found else None


def _window(
    events: Sequence[Event],
    at: int | None,
    reasons: Why | None,
    calls: Mapping[int, LLMCall],
    header: Mapping[str, Any],
) -> Context | None:
    """Of the answer that decided it; else of the last call of a model before it."""
    if at is None or reasons is None:
        return None
    decided = next((one.decision.event for one in reasons.calls if one.decision.event is not None), None)
    number = decided if decided is not None else max((each for each in calls if each <= at), default=None)
    if number is None or number not in calls:
        return None
    words = header.get("argv")
    return context(events, number, [str(word) for word in words] if isinstance(words, list) else [])  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]


def _tested(found: Why, document: Mapping[str, Any] | None) -> Why:
    """With the links that came of putting causes to the test.

    Raises:
        UsageError: the document is of another event.
    """
    if document is None:
        return found
    if document.get("event") != found.event:
        raise UsageError(
            f"--tested is of event {document.get('event')}, the report of event {found.event}", hint="name it with --at"
        )
    told: list[Any] = arr(document.get("calls"))
    return replace(
        found, calls=tuple(_linked(one, told[n] if n < len(told) else {}) for n, one in enumerate(found.calls))
    )


def _linked(one: Explained, told: Mapping[str, Any]) -> Explained:
    links = {(each.get("event"), each.get("message")): each.get("link") for each in told.get("causes", ())}
    causes = (
        replace(cause, link=link)
        if (link := links.get((cause.event, cause.source.message))) in _LINKS else cause
        for cause in one.causes
    )  # fmt: skip
    return replace(one, causes=tuple(causes))


def _checked(
    cassette: Cassette, policies: Sequence[files.Policy], trust: Trust
) -> tuple[list[Deviation] | None, dict[str, str]]:
    """What deviates, what is worse first; and the rules that can't be decided, with the reason."""
    if not policies:
        return None, {}
    judged = rules.judged([rule for each in policies for rule in each.rules], expect.recorded(cassette), trust)
    found = list(judged.deviations)
    for each in policies:
        found += files.run_checks(each.checks, cassette)
        if each.learnt is not None:
            found += baseline.deviations(observe(cassette.events, trust, cassette.id), each.learnt, each.alarm)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda each: order.get(each.severity, 3)), judged.undecided


def _integrity(path: Path) -> verify.Report | None:
    try:
        return verify.verify(path)
    except (OSError, ReplayError):
        return None


def _digest(path: Path) -> str:
    """Of the file as it lies there; empty where it is at a URL."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
