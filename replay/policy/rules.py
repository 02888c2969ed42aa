"""Rules that somebody said, judged on a run. Pure.

    - {name: one refund, expect: "tool refund called at most 1"}            docs/expressions.md
    - {name: asked for, argument: refund.order_id, from: user}              its value has to stand in the user's words
    - {name: order known, argument: refund.order_id, from: tool find_order} or in what this tool answered
    - {name: no mail after strangers, never: send_*, after: untrusted}      once something untrusted was read
    - {name: no pay after mail, never: pay, after: tool read_mail}          once this was read; any label will do

`from: user`: in the words of the user, the operator, or of a source labelled trusted, and not in data alone.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from replay.expect import ExpressionInvalid, Subject, judge, parse
from replay.forensics.deciders import called
from replay.forensics.influence import Source
from replay.forensics.text import leaves
from replay.forensics.trail import Index, Trail
from replay.forensics.trust import Trust
from replay.forensics.values import Value, locate
from replay.policy.baseline import Deviation

SEVERITIES: Final = ("error", "warning", "note")
_FORMS: Final[dict[str, tuple[str, ...]]] = {
    "expect": (),
    "argument": ("from",),
    "never": ("after",),
}
_VALUES: Final = {"from": "user", "after": "untrusted"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One. `form`: `expect`, `argument` or `never`; `what`: what stands there.

    `where`: of the latter two the label that stands at `from` or `after`; None for `user` and `untrusted`.
    """

    name: str
    form: str
    what: str
    severity: str = "error"
    where: Trust | None = None


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
    where: Trust | None = None
    for key in _FORMS[form]:
        where = _where(said.get(key), _VALUES[key], f"rule {number} ({name}): {form} needs {key}: ")
    what = str(said[form])
    if form == "argument" and "." not in what:
        raise ValueError(f"rule {number} ({name}): argument is TOOL.ARGUMENT, not {what!r}")
    if form == "expect":
        try:
            parse(what)
        except ExpressionInvalid as error:
            raise ValueError(f"rule {number} ({name}): {error.what}") from None
    return Rule(name, form, what, severity, where)


def _where(said: Any, usual: str, needs: str) -> Trust | None:
    if said == usual:
        return None
    try:
        return Trust.of({"untrusted": [said]})
    except ValueError:
        raise ValueError(f"{needs}{usual}, or a label such as `tool read_mail`") from None


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
    if any(rule.form in ("argument", "never") for rule in rules):
        index = Index(subject.events, len(subject.events) - 1, trust)
        found.deviations.extend(_arguments([rule for rule in rules if rule.form == "argument"], index))
        for rule in rules:
            if rule.form == "never":
                found.deviations.extend(_never(rule, index))
    return found


def _never(rule: Rule, index: Index) -> Iterator[Deviation]:
    events, read_at = index.events, None
    for event in events:
        made = called(event)
        if made is not None and read_at is not None and fnmatchcase(made[0], rule.what.removeprefix("tool ")):
            source = events[read_at]
            why = f"{made[0]} after event {read_at} ({source.kind} {source.name}) read something untrusted"
            yield Deviation(event.id, rule.name, rule.severity, why, related=(read_at,))
        if read_at is None and (rule.where or index.trust).is_untrusted(event, index.held.get(event.id, ())):
            read_at = event.id


def _may_give(rule: Rule, source: Source, index: Index) -> bool:
    """Whether a value may come from a source."""
    if rule.where is None or source.principal or source.trust == "trusted":
        return source.principal or source.trust == "trusted"
    event = None if source.event is None else index.events[source.event]
    return rule.where.labelled(replace(source, trust=""), event).trust == "untrusted"


def _arguments(rules: Sequence[Rule], index: Index) -> Iterator[Deviation]:
    for event in index.events if rules else ():
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
        sources = trail.sources(decision)
        for rule in wanted:
            path = rule.what.partition(".")[2]
            for place, text in given:
                if not text.strip() or not (fnmatchcase(place, path) or place.partition("[")[0] == path):
                    continue
                value = Value(place, text)
                if any(_may_give(rule, each, index) and locate(value, each.text) is not None for each in sources):
                    continue
                came = [each for each in sources if not _may_give(rule, each, index) and each.role != "assistant"]
                source = next((each for each in came if locate(value, each.text) is not None), None)
                where = "in nothing that the model had read" if source is None else f"in {source.role} {source.name}"
                related = () if source is None or source.event is None else (source.event,)
                why = f"{name}.{place} is {text[:80]!r}, which stands not in the user's words but {where}"
                yield Deviation(event.id, rule.name, rule.severity, why, related=related)
