"""Policy files: trust, rules and what was learnt, in one YAML file that people edit; or rules in Python.

Learning anew changes what it learnt in the file and nothing else: comments, order, other keys and edits stay.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import io
import runpy
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from replay.forensics.trust import Trust
from replay.model.errors import PolicyInvalid
from replay.policy.baseline import VERSION, Deviation, Learnt
from replay.policy.rules import SEVERITIES, Rule, read
from replay.policy.run import NAMES

_NEW: Final = """\
# What good runs have in common, written by `replay baseline learn`; `replay check` judges others by it.
# Edit it freely: learning again adds to `learnt` and keeps everything else. docs/check.md explains all of it.
version: 1
trust:            # who may ask for anything, beside the user: labels such as `tool get_rules`, `memory notes.house*`
  trusted: []
  untrusted: []   # what strangers may have written, for rules: `tool read_*`, `host *.example`
rules: []         # such as {name: one refund, expect: "tool refund called at most 1", severity: error}
learnt:           # names with how many good runs had them; numbers with the least and the largest
"""

Check = Callable[[Any], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a file says. `checks`: functions of a Python file, by their names."""

    trust: Trust = field(default_factory=Trust)
    rules: tuple[Rule, ...] = ()
    learnt: Learnt | None = None
    alarm: float | None = None
    checks: Mapping[str, Check] = field(default_factory=dict[str, Check])


def _yaml() -> YAML:
    yaml = YAML()  # round trip: nothing but plain values is made of a file
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def load(path: Path) -> Policy:
    """A policy file; Python where it ends in `.py`: then its functions `policy_…` are run, so it has to be your own.

    Raises:
        PolicyInvalid: it isn't there, or something in it can't be read.
    """
    if path.suffix == ".py":
        return Policy(checks=_functions(path))
    document = _document(path, _read(path))
    try:
        learnt = document.get("learnt")
        alarm = document.get("alarm")
        if alarm is not None and not isinstance(alarm, (int, float)):
            raise ValueError(f"alarm: a number of bits is needed, not {alarm!r}")
        rules = tuple(read(document.get("rules")))
        return Policy(Trust.of(document.get("trust")), rules, _learnt(learnt) if learnt else None, alarm)
    except ValueError as error:
        raise PolicyInvalid(f"{path}: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PolicyInvalid(f"can't read {path}: {getattr(error, 'strerror', None) or error}") from None


def _document(path: Path, text: str) -> MutableMapping[str, Any]:
    try:
        document = _yaml().load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise PolicyInvalid(f"{path} is no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(document, MutableMapping):
        raise PolicyInvalid(f"{path}: a mapping with trust, rules or learnt is needed")
    if document.get("version", VERSION) != VERSION:
        raise PolicyInvalid(f"{path}: version {document['version']} isn't known", hint="update agent-replay")
    return document


def _learnt(said: Any) -> Learnt:
    """As plain values; what is missing is nothing.

    Raises:
        ValueError: what isn't what it should be.
    """
    if not isinstance(said, Mapping):
        raise ValueError("learnt: a mapping is needed")
    found: Learnt = {**said}
    for key in ("runs", "requests"):
        if not isinstance(found.setdefault(key, 0), int):
            raise ValueError(f"learnt.{key}: a number is needed, not {found[key]!r}")
    if not isinstance(found.setdefault("alarm", 4.0), (int, float)):
        raise ValueError(f"learnt.alarm: a number of bits is needed, not {found['alarm']!r}")
    for key in (*NAMES, "counts", "ranges", "tokens", "pull", "alone"):
        inner = found.get(key) or {}
        if not isinstance(inner, Mapping):
            raise ValueError(f"learnt.{key}: a mapping is needed, not {inner!r}")
        pairs = key in ("counts", "ranges", "tokens")
        for name, value in inner.items():
            fits = isinstance(value, list) and len(value) == 2 if pairs else isinstance(value, int)
            if not fits or (pairs and not all(isinstance(each, (int, float)) for each in value)):
                raise ValueError(f"learnt.{key}.{name}: {'[least, largest]' if pairs else 'a count'} is needed")
        found[key] = {str(name): list(value) if pairs else value for name, value in inner.items()}
    found["from"] = [str(each) for each in found.get("from") or ()]
    return found


def write(path: Path, learn: Callable[[Learnt, Trust], Learnt]) -> Learnt:
    """Puts into a file what is learnt, given what it has already; everything else in it stays.

    Raises:
        PolicyInvalid: what is there can't be read, or the file can't be written.
    """
    text = _read(path) if path.exists() else _NEW
    document = _document(path, text)
    try:
        before: Learnt = _learnt(document["learnt"]) if document.get("learnt") else {}
        found = learn(before, Trust.of(document.get("trust")))
    except ValueError as error:
        raise PolicyInvalid(f"{path}: {error}") from None
    if document.get("learnt") is None:
        document["learnt"] = {}
    _merge(document["learnt"], found)
    out = io.StringIO()
    _yaml().dump(document, out)
    try:
        path.write_text(out.getvalue(), encoding="utf-8")
    except OSError as error:
        raise PolicyInvalid(f"can't write {path}: {error.strerror}") from None
    return found


def _merge(old: MutableMapping[str, Any], new: Mapping[str, Any]) -> None:
    """In place, so that comments stay where they are; what only the old one has stays."""
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(old.get(key), MutableMapping):
            _merge(old[key], value)
        elif old.get(key) != value:
            old[key] = dict(value) if isinstance(value, Mapping) else value


def _functions(path: Path) -> dict[str, Check]:
    _read(path)
    try:
        found = runpy.run_path(str(path))
    except Exception as error:
        raise PolicyInvalid(f"{path}: {type(error).__name__}: {error}") from error
    checks = {
        name: cast("Check", each) for name, each in found.items() if name.startswith("policy_") and callable(each)
    }
    if not checks:
        raise PolicyInvalid(f"{path} has no function policy_…", hint="def policy_name(cassette): yield event, why")
    return checks


def run_checks(checks: Mapping[str, Check], cassette: Any) -> list[Deviation]:
    """What the functions of a Python policy find: they yield (event or its id or None, why[, severity]).

    Raises:
        PolicyInvalid: one raised, or yielded something else.
    """
    found: list[Deviation] = []
    for name, check in checks.items():
        rule = name.removeprefix("policy_")
        try:
            for event, why, *more in check(cassette) or ():
                severity = str(more[0]) if more else "error"
                if severity not in SEVERITIES:
                    raise ValueError(f"severity is one of {', '.join(SEVERITIES)}, not {severity!r}")
                found.append(Deviation(getattr(event, "id", event), rule, severity, str(why)))
        except Exception as error:
            raise PolicyInvalid(f"{name}: {type(error).__name__}: {error}") from error
    return found
