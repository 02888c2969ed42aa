"""Rules that somebody said, judged on a run. Pure.

    - {name: one refund, expect: "tool refund called at most 1"}            docs/expressions.md
    - {name: asked for, argument: refund.order_id, from: user}              its value has to stand in the user's words
    - {name: no mail after strangers, never: send_*, after: untrusted}      once something untrusted was read

`from: user`: in the words of the user, the operator, or of a source labelled trusted, and not in data alone.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from replay.expect import ExpressionInvalid, Subject, judge, parse
from replay.forensics.deciders import called
from replay.forensics.text import leaves
from replay.forensics.trail import Index, Trail
from replay.forensics.values import Value, locate
from replay.model.event import Event
from replay.policy.baseline import Deviation
from replay.policy.trust import Trust

SEVERITIES: Final = ("error", "warning", "note")
_FORMS: Final[dict[str, tuple[str, ...]]] = {
    "expect": (),
    "argument": ("from",),
    "never": ("after",),
}
_VALUES: Final = {"from": ("user",), "after": ("untrusted",)}


@dataclass(frozen=True, slots=True)
class Rule:
    """One. `form`: `expect`, `argument` or `never`; `what`: what stands there."""

    name: str
    form: str
    what: str
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What rules came to. `undecided`: rule -> why the recording doesn't show it."""

    deviations: list[Deviation]
    undecided: dict[str, str]


def read(said: Any) -> list[Rule]:
    """Rules as a file has them.

    Raises:
        ValueError: which one can't be read, and why.
    """
    if said is None:
        return []
    if not isinstance(said, list):
        raise ValueError("rules: a list is needed")
    return [_rule(each, number) for number, each in enumerate(said, 1)]


def _rule(said: Any, number: int) -> Rule:
    if not isinstance(said, Mapping):
        raise ValueError(f"rule {number}: {{name: …, expect: …}} is needed")
    name = str(said.get("name") or f"rule {number}")
    form = next((each for each in _FORMS if each in said), None)
    if form is None:
        raise ValueError(f"rule {number} ({name}): it has none of {', '.join(_FORMS)}")
    severity = str(said.get("severity", "error"))
    if severity not in SEVERITIES:
        raise ValueError(f"rule {number} ({name}): severity is one of {', '.join(SEVERITIES)}, not {severity!r}")
    unknown = [key for key in said if key not in ("name", "severity", form, *_FORMS[form])]
    if unknown:
        raise ValueError(f"rule {number} ({name}): {unknown[0]!r} means nothing beside {form}")
    for key in _FORMS[form]:
        if said.get(key) not in _VALUES[key]:
            raise ValueError(f"rule {number} ({name}): {form} needs {key}: {_VALUES[key][0]}")
    what = str(said[form])
    if form == "argument" and "." not in what:
        raise ValueError(f"rule {number} ({name}): argument is TOOL.ARGUMENT, not {what!r}")
    if form == "expect":
        try:
            parse(what)
        except ExpressionInvalid as error:
            raise ValueError(f"rule {number} ({name}): {error.what}") from None
    return Rule(name, form, what, severity)


def judged(rules: Sequence[Rule], subject: Subject, trust: Trust) -> Judgement:
    """All rules, on one run."""
    found = Judgement([], {})
    for rule in rules:
        if rule.form == "expect":
            answer = judge(rule.what, subject)
            if answer.holds is None:
                found.undecided[rule.name] = answer.why
            elif not answer.holds:
                event = answer.events[-1] if answer.events else None
                found.deviations.append(
                    Deviation(event, rule.name, rule.severity, f"{rule.what}: {answer.why}", related=answer.events[:-1])
                )
    arguments = [rule for rule in rules if rule.form == "argument"]
    if arguments:
        found.deviations.extend(_arguments(arguments, subject.events, trust))
    for rule in rules:
        if rule.form == "never":
            found.deviations.extend(_never(rule, subject.events, trust))
    return found


def _never(rule: Rule, events: Sequence[Event], trust: Trust) -> Iterator[Deviation]:
    read_at: int | None = None
    for event in events:
        made = called(event)
        if made is not None and read_at is not None and fnmatchcase(made[0], rule.what.removeprefix("tool ")):
            why = f"{made[0]} after event {read_at} read something untrusted"
            yield Deviation(event.id, rule.name, rule.severity, why, related=(read_at,))
        if read_at is None and trust.is_untrusted(event):
            read_at = event.id


def _arguments(rules: Sequence[Rule], events: Sequence[Event], trust: Trust) -> Iterator[Deviation]:
    index = Index(events, len(events) - 1)
    for event in events:
        made = called(event)
        if made is None:
            continue
        name, arguments = made
        wanted = [rule for rule in rules if fnmatchcase(name, rule.what.removeprefix("tool ").partition(".")[0])]
        if not wanted:
            continue
        given = list(leaves(arguments if isinstance(arguments, Mapping) else {"value": arguments}))
        trail = Trail(index, event.id)
        (decision, *_) = trail.decisions()
        sources = [trust.source(each) for each in trail.sources(decision)]
        for rule in wanted:
            path = rule.what.partition(".")[2]
            for place, text in given:
                if not text.strip() or not (fnmatchcase(place, path) or place.partition("[")[0] == path):
                    continue
                value = Value(place, text)
                if any(each.principal and locate(value, each.text) is not None for each in sources):
                    continue
                came = [each for each in sources if not each.principal and each.role != "assistant"]
                source = next((each for each in came if locate(value, each.text) is not None), None)
                where = "in nothing that the model had read" if source is None else f"in {source.role} {source.name}"
                related = () if source is None or source.event is None else (source.event,)
                why = f"{name}.{place} is {text[:80]!r}, which stands not in the user's words but {where}"
                yield Deviation(event.id, rule.name, rule.severity, why, related=related)
