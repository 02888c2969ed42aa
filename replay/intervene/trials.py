"""`why --intervene`: the best causes of a call are masked, each, and the model asked again: does it need them?

    found = intervene("run.cassette", cassette.events, why(cassette.events, 7), Terms(model="python model.py"))
    found.why.causes[0].link, found.tested[0].difference.interval

Of each cause first all of its text is masked. Where the call is made all the same, the cause is refuted; otherwise only
the spans are masked that count as evidence, which tells whether it is these. Causes that are each refuted may still be
enough, each by itself: in the end all of them are masked together. What an outcome is: `replay.intervene.difference`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from replay.bisect.rates import Rate
from replay.forensics.influence import Source
from replay.forensics.trail import Index, Trail
from replay.forensics.why import Cause, Explained, Link, Why
from replay.fork.plan import RECORDED
from replay.intervene.difference import Difference, settled
from replay.intervene.effect import Effect, effect
from replay.intervene.sampling import Ask, Change, Kind, Rerun, Retold, Sample, Stretch, Way
from replay.model.errors import NotForkable, NotIntervenable, NotReplayable
from replay.model.event import Event

Outcome = Literal["confirmed", "refuted", "undecided", "unresolved"]
"""`unresolved`: nobody could say what the model does."""

Part = Literal["span", "input", "together"]

_GIVES_UP: Final = 3
"""So many samples that nobody could judge, and none that somebody could."""

_COPY: Final = 40
"""Characters of a span that are the same text where they stand again, and no coincidence."""

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """How to test.

    Attributes:
        model: who answers: `recorded` (nobody new), `live`, or a command (docs/fork.md).
        samples: of the text as it was, and of it masked, at most. width: how many at a time.
        causes: how many, from the best. arguments: those in question; none: `replay.intervene.effect.effect`.
        one_step: ask only the deciding call again, also where the program could be executed.
        keep: a directory for recordings of executions.
        heard: told of progress, line by line.
    """

    model: str = RECORDED
    samples: int = 10
    width: int = 1
    causes: int = 3
    arguments: tuple[str, ...] = ()
    one_step: bool = False
    keep: str | None = None
    heard: Callable[[str], None] = lambda line: None


@dataclass(slots=True)
class Measured:
    """Samples of one kind. `rate.bad`: in so many the call was made. `instead`: what was done in the others."""

    rate: Rate = field(default_factory=Rate)
    undecided: int = 0
    instead: Counter[str] = field(default_factory=Counter[str])
    why: str = ""

    def add(self, sample: Sample) -> None:
        """One more."""
        if sample.seen is None:
            self.undecided += 1
            self.why = self.why or sample.why
            return
        self.rate = self.rate.and_one(sample.seen)
        if not sample.seen:
            self.instead[sample.instead] += 1

    def to_json(self) -> dict[str, Any]:
        """`calls` of `of` samples, Wilson's interval, and what came in the others."""
        low, high = self.rate.interval
        found: dict[str, Any] = {
            "calls": self.rate.bad,
            "of": self.rate.of,
            "interval": [round(low, 4), round(high, 4)],
        }
        found |= {"unresolved": self.undecided} if self.undecided else {}
        instead = [{"what": what, "times": times} for what, times in self.instead.most_common(_SHOWN)]
        return found | ({"instead": instead} if instead else {})


@dataclass(frozen=True, slots=True)
class Trial:
    """One text masked, and what came of it.

    Attributes:
        part: `span`: what counts as evidence in it; `input`: all of it; `together`: several causes at once.
        kind: how samples were taken. change: what was masked; None where nothing could be.
        why: why it isn't decided.
    """

    part: Part
    kind: Kind
    change: Change | None
    given: Measured
    masked: Measured
    difference: Difference
    why: str = ""

    @property
    def outcome(self) -> Outcome:
        if not self.given.rate.of or not (self.masked.rate.of or not self.given.rate.bad):
            return "unresolved"
        return self.difference.verdict

    def to_json(self) -> dict[str, Any]:
        """Without what doesn't apply."""
        change = self.change
        found: dict[str, Any] = {
            "outcome": self.outcome,
            "kind": self.kind,
            "part": self.part,
            "masked": [] if change is None else [{"text": mask.text, "by": mask.by} for mask in change.masks],
            "events": [] if change is None else list(change.events),
            "messages": [] if change is None else list(change.messages),
            "unmasked_rate": self.given.to_json(),
            "masked_rate": self.masked.to_json(),
        }
        return found | self.size() | ({"why": self.why} if self.why else {})

    def size(self) -> dict[str, Any]:
        """Of the effect, where there is one: the difference of the rates, and its interval."""
        if not self.given.rate.of or not self.masked.rate.of:
            return {}
        low, high = self.difference.interval
        return {"difference": round(self.difference.size, 4), "interval": [round(low, 4), round(high, 4)]}


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that was put to the test. `trials`: in order. `instead_of_run`: why the program wasn't executed."""

    effect: Effect
    trials: tuple[Trial, ...]
    instead_of_run: str = ""

    @property
    def verdict(self) -> Trial:
        """That it was needed, if anything shows it; otherwise what came of masking all of it."""
        return next((each for each in self.trials if each.outcome == "confirmed"), self.trials[0])

    @property
    def outcome(self) -> Outcome:
        return self.verdict.outcome

    def to_json(self) -> dict[str, Any]:
        """The `effect` of a cause in `replay why --intervene --json`."""
        verdict, found = self.verdict, {"of": str(self.effect), "trials": [each.to_json() for each in self.trials]}
        found |= {"outcome": verdict.outcome, "kind": verdict.kind, "part": verdict.part} | verdict.size()
        return found | ({"instead_of_run": self.instead_of_run} if self.instead_of_run else {})


Place = tuple[int, int, int | None]
"""A cause: number of the call, its event, its message."""


@dataclass(frozen=True, slots=True)
class Intervened:
    """What was found. `why`: with the links as they are now; `tested`: by cause; `together`: by number of the call."""

    why: Why
    terms: Terms
    tested: dict[Place, Finding]
    together: dict[int, Trial]
    samples: int

    def findings(self, number: int) -> Iterator[Finding | None]:
        """Of each cause of that call, in order."""
        return (self.tested.get(_place(number, cause)) for cause in self.why.calls[number].causes)

    @property
    def decided(self) -> bool:
        """Whether anything was confirmed or refuted."""
        found = [*(each.outcome for each in self.tested.values()), *(each.outcome for each in self.together.values())]
        return "confirmed" in found or "refuted" in found

    def to_json(self) -> dict[str, Any]:
        """The document of `replay why --intervene --json`."""
        document = self.why.to_json()
        for number, (one, told) in enumerate(zip(self.why.calls, document["calls"], strict=True)):
            for cause, each in zip(one.causes, told["causes"], strict=True):
                found = self.tested.get(_place(number, cause))
                each |= {} if found is None else {"effect": found.to_json()}
            told |= {"together": self.together[number].to_json()} if number in self.together else {}
        effects = {
            (each["event"], each["message"], each["link"]): each["effect"]
            for told in document["calls"]
            for each in told["causes"]
            if "effect" in each
        }
        for each in document["causes"]:
            found = effects.get((each["event"], each["message"], each["link"]))
            each |= {} if found is None else {"effect": found}
        links = [each["link"] for each in document["causes"]]
        return document | {
            "confirmed": "confirmed" in links,
            "intervention": {"model": self.terms.model, "samples": self.terms.samples, "taken": self.samples},
        }


def intervene(path: str, events: Sequence[Event], found: Why, terms: Terms) -> Intervened:
    """Trial the best causes of what `why` explained.

    Args:
        path: of the recording. events: all of it.

    Raises:
        NotIntervenable: it is no call, so that nobody could say whether it is made again.
        UsageError: no such argument.
    """
    calls = [one for one in found.calls if one.call.name]
    if not calls:
        raise NotIntervenable(
            f"event {found.event} of {path} is an answer that calls nothing: whether it is given again can't be judged",
            hint="name an event that is a call, or an answer that asks for one",
        )
    if terms.keep is not None:
        os.makedirs(terms.keep, exist_ok=True)
    desk = _Desk(path, events, found, terms)
    explained: list[Explained] = []
    for number, one in enumerate(found.calls):
        explained.append(desk.test(number, one) if one.call.name else one)
    return Intervened(replace(found, calls=tuple(explained)), terms, desk.tested, desk.together, desk.samples)


class _Desk:
    def __init__(self, path: str, events: Sequence[Event], found: Why, terms: Terms) -> None:
        self._path, self._events, self._terms = path, events, terms
        self._number = found.event if found.inside is None else found.inside
        self._index = Index(events, self._number)
        self._trail = Trail(self._index, self._number)
        self._given: dict[Any, Measured] = {}
        self._not_run = "--one-step" if terms.one_step else ""
        self.tested: dict[Place, Finding] = {}
        self.together: dict[int, Trial] = {}
        self.samples = 0

    def test(self, number: int, one: Explained) -> Explained:
        """The causes of one call, with what is known of them now."""
        wanted = effect(one, self._terms.arguments)
        self._terms.heard(f"is {wanted} asked for again?")
        causes: list[Cause] = []
        for place, cause in enumerate(one.causes):
            if place < self._terms.causes:
                finding = self._cause(one, cause, wanted)
                cause = replace(cause, link=_link(cause, finding))
                self.tested[_place(number, cause)] = finding
            causes.append(cause)
        data = [
            cause for cause in causes[: self._terms.causes] if cause.link == "refuted" and not cause.source.principal
        ]
        if len(data) > 1 and not any(cause.link == "confirmed" for cause in causes):
            together = self._together(one, data, wanted)
            self.together |= {} if together is None else {number: together}
        order: dict[str, int] = {"confirmed": 0, "refuted": 2}
        return replace(one, causes=tuple(sorted(causes, key=lambda cause: order.get(cause.link, 1))))

    def _cause(self, one: Explained, cause: Cause, wanted: Effect) -> Finding:
        parts: list[tuple[Part, list[Stretch]]] = [
            (part, self._stretches(one, cause, texts)) for part, texts in _parts(cause)
        ]
        found, instead = self._way(one, wanted, cause.source.event, [stretches for _, stretches in parts])
        if found is None:
            return Finding(wanted, (_untried("input", "one-step", Measured(), instead),))
        trials: list[Trial] = []
        for part, stretches in parts:
            trials.append(self._measure(*found, part, stretches))
            last = trials[-1]
            nobody_knows = last.outcome == "unresolved" and self._terms.model == RECORDED
            if last.outcome == "refuted" or not last.given.rate.bad or nobody_knows:
                break
        return Finding(wanted, tuple(trials), instead)

    def _together(self, one: Explained, causes: Sequence[Cause], wanted: Effect) -> Trial | None:
        """All of them at once, in what the model is told: they may come from events far apart."""
        stretches = [Stretch(cause.source, _all(cause.source)) for cause in causes]
        found, _ = self._way(one, wanted, None, [stretches])
        return None if found is None else self._measure(*found, "together", stretches)

    def _way(
        self, one: Explained, wanted: Effect, start: int | None, parts: Sequence[Sequence[Stretch]]
    ) -> tuple[tuple[Way, Measured] | None, str]:
        """How samples are taken, with those of what was; and why they aren't taken of the whole run.

        Args:
            start: the event that the text came from. parts: what is to be masked, by part.
        """
        terms, decided = self._terms, one.decision.event
        more = decided, wanted, terms.model, terms.keep
        ask = None if decided is None else Ask(self._events[decided], wanted, terms.model)
        way: Rerun | None = None if start is None else Rerun(self._path, self._events, start, *more)
        if way is not None and not any(map(way.change, parts)):
            way = None
        told = None if ask is None else next((found for found in map(ask.change, parts) if found is not None), None)
        if way is None and ask is not None and told is not None and told.rewrites:
            way = Retold(self._path, self._events, ask, told.rewrites, *more)
        if way is not None and not self._not_run:
            try:
                return (way, self._baseline(way, ("run", way.first, wanted))), ""
            except (NotForkable, NotReplayable) as error:
                self._not_run = error.what
        instead = self._not_run or "its text stands nowhere in a form that can be masked"
        if decided is None or ask is None:
            return None, f"{instead}; and no model asked for the call"
        return (ask, self._baseline(ask, ("one-step", decided, wanted))), instead

    def _stretches(self, one: Explained, cause: Cause, texts: tuple[str, ...] | None) -> list[Stretch]:
        """What is masked: in the cause, and where the same long span stands again, such as in what was read twice."""
        found = [Stretch(cause.source, texts)]
        spans = [each.text for each in cause.evidence if each.kind == "directive" and len(each.text) >= _COPY]
        for other in (each.source for each in one.influences):
            same = tuple(span for span in spans if span in other.text)
            inside = other.event is not None and self._index.inside.get(other.event) == cause.source.event
            if other is not cause.source and not other.principal and same and not inside:
                found.append(Stretch(other, same))
        return found

    def _baseline(self, way: Way, key: Any) -> Measured:
        """Samples of what was: the same for all events behind which the same call of the model comes first."""
        if key not in self._given:
            self._given[key] = self._taken(way, None, lambda rate, left: False)
            self._terms.heard(f"as it was ({way.kind}): called in {self._given[key].rate}")
        return self._given[key]

    def _measure(self, way: Way, given: Measured, part: Part, stretches: Sequence[Stretch]) -> Trial:
        if not given.rate.bad:
            unseen = "the call wasn't made again with everything as it was, so nothing can be said of its causes"
            return _untried(part, way.kind, given, given.why or unseen)
        change = way.change(stretches)
        if change is None:
            return _untried(part, way.kind, given, "its text stands there in a form that can't be masked")
        certain = self._terms.model == RECORDED
        found = self._taken(way, change, lambda rate, left: not certain and settled(given.rate, rate, left))
        trial = Trial(part, way.kind, change, given, found, Difference(given.rate, found.rate, certain), found.why)
        if trial.outcome == "undecided":
            trial = replace(trial, why=_too_few(trial.difference, self._terms.samples))
        what = {"span": "spans of ", "input": "all of ", "together": "with others "}[part] + _named(stretches[0])
        said = f"called in {found.rate}, {trial.outcome}" if found.rate.of else f"{trial.outcome}, {trial.why}"
        self._terms.heard(f"{what} masked: {said}")
        return trial

    def _taken(self, way: Way, change: Change | None, enough: Callable[[Rate, int], bool]) -> Measured:
        """Samples, until that is enough."""
        most = 1 if self._terms.model == RECORDED else self._terms.samples
        found = Measured()
        taken = 0
        with ThreadPoolExecutor(self._terms.width) as pool:
            while taken < most and not enough(found.rate, most - taken):
                if found.undecided >= _GIVES_UP and not found.rate.of:
                    break
                batch = min(self._terms.width, most - taken)
                for sample in pool.map(way.sample, [change] * batch):
                    found.add(sample)
                taken += batch
        self.samples += taken
        return found


def _untried(part: Part, kind: Kind, given: Measured, why: str) -> Trial:
    return Trial(part, kind, None, given, Measured(), Difference(given.rate, Rate()), why)


def _named(stretch: Stretch) -> str:
    source = stretch.source
    return f"message {source.message}" if source.event is None else f"event {source.event}"


def _parts(cause: Cause) -> list[tuple[Part, tuple[str, ...] | None]]:
    """What is masked of a cause: all of it, then what counts as evidence in it."""
    source = cause.source
    spans = dict.fromkeys(
        source.text[each.span.start : each.span.end]
        for each in cause.evidence
        if each.span is not None and each.kind in ("directive", "request", "value")
    )
    whole: tuple[Part, tuple[str, ...] | None] = ("input", _all(source))
    rest = source.text
    for span in spans:
        rest = rest.replace(span, "")
    return [whole, ("span", tuple(spans))] if spans and any(map(str.isalnum, rest)) else [whole]


def _all(source: Source) -> tuple[str, ...] | None:
    """Of a tool's result everything; of anything else, which may have other texts around it, just this."""
    return None if source.role == "tool" else (source.text,)


def _link(cause: Cause, finding: Finding) -> Link:
    outcome = finding.outcome
    return outcome if outcome in ("confirmed", "refuted") else cause.link


def _place(number: int, cause: Cause) -> Place:
    return number, cause.event, cause.source.message


def _too_few(found: Difference, samples: int) -> str:
    """Why it can't be said, and what would do."""
    needed = next((n for n in range(samples, 1001) if _would(found, n)), None)
    if needed is None or needed == samples:
        return "the rates are too near to each other for so few samples: --samples takes more"
    return f"{samples} samples are too few: it takes --samples {needed} if the call never comes without the text"


def _would(found: Difference, samples: int) -> bool:
    given = Rate(round(found.given.share * samples), samples)
    return Difference(given, Rate(0, samples)).verdict == "confirmed"
