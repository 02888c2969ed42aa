"""What a user adds to the detectors, or takes away: a TOML file, or a table in the program."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from replay.cassette.redact.detectors import TABLE
from replay.cassette.redact.texts import Find, Rule
from replay.model.errors import UsageError
from replay.model.extensions import added

NAMES: Final = frozenset(detector.name for detector in TABLE)
_KEYS: Final = ("off", "headers", "json", "regex", "call")

Path = tuple[str, ...]
Given = str | os.PathLike[str] | Mapping[str, Any] | None
"""A file, a table, or none."""

class_of: Callable[[Any], Any] = type
"""For type checkers, which would narrow a value to a dict of unknown things."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A user's rules for redaction.

    Attributes:
        off: names of detectors that aren't used.
        headers: further headers whose values are secrets, in lower case.
        paths: places in JSON and in values whose texts are secrets, step by step; `*` is any step.
        found: what finds secrets in a text.

    Example:
        >>> Rules.of({"off": ["phone"], "json": ["customer.name"]}).paths
        (('customer', 'name'),)
    """

    off: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = ()
    found: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any], where: str = "redact", directory: str = "") -> Rules:
        """The rules of a table.

        Args:
            table: `off`: names of detectors; `headers`: names; `json`: paths such as `customer.name`, of which the
                beginning may be left out; `regex`: patterns by name, whose group `s`, if there is one, is the secret;
                `call`: functions that get a text and return the secrets in it, `file.py:function`, or
                the name of a `replay.redactors` entry point.
            where: for messages. directory: where those files are.

        Raises:
            UsageError: something in it isn't a rule.
        """
        for key in table:
            if key not in _KEYS:
                raise UsageError(f"{where}: unknown key {key!r}", hint=", ".join(_KEYS))
        off = _texts(table, "off", where)
        unknown = sorted(set(off) - NAMES)
        if unknown:
            raise UsageError(f"{where}: there is no detector {unknown[0]!r}", hint=", ".join(sorted(NAMES)))
        paths = tuple(tuple(path.removeprefix("$").strip(".").split(".")) for path in _texts(table, "json", where))
        found = list(_patterns(table.get("regex", {}), where))
        if paths:
            found.append(Rule("json", partial(_in_json, paths)))
        found += [_function(each, where, directory) for each in _items(table, "call")]
        return cls(
            off=frozenset(off),
            headers=frozenset(name.lower() for name in _texts(table, "headers", where)),
            paths=paths,
            found=tuple(found),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Rules:
        """The rules of a TOML file.

        Raises:
            UsageError: it can't be read, or something in it isn't a rule.
        """
        import tomllib  # a recording without rules begins sooner

        where = os.fspath(path)
        try:
            with open(where, "rb") as file:
                table = tomllib.load(file)
        except OSError as error:
            raise UsageError(f"redaction rules {where}: {error.strerror}") from None
        except ValueError as error:
            raise UsageError(f"redaction rules {where}: not TOML: {error}") from None
        return cls.of(table, where, os.path.dirname(os.path.abspath(where)))


def rules(given: Given) -> Rules:
    """Those of a file, of a table, or none.

    Raises:
        UsageError: as `Rules.of` and `Rules.load`.
    """
    if given is None:
        return Rules()
    return Rules.of(given) if isinstance(given, Mapping) else Rules.load(given)


def at_paths(value: Any, paths: Iterable[Path], at: Path = ()) -> Iterator[str]:
    """The texts in a value of JSON whose path ends as one of `paths` does.

    Example:
        >>> list(at_paths({"to": [{"name": "Bob"}]}, [("to", "*", "name")]))
        ['Bob']
    """
    kind = class_of(value)
    if kind is dict:
        for key, item in value.items():
            yield from at_paths(item, paths, (*at, key))
    elif kind is list:
        for index, item in enumerate(value):
            yield from at_paths(item, paths, (*at, str(index)))
    elif kind is str and fits(at, paths):
        yield value


def fits(at: Path, paths: Iterable[Path]) -> bool:
    """Whether a place is one of those."""
    return any(len(at) >= len(path) and all(map(_step, at[-len(path) :], path)) for path in paths)


def _step(step: str, wanted: str) -> bool:
    return wanted in ("*", step)


def _in_json(paths: tuple[Path, ...], text: str) -> Iterator[str]:
    """As they are spelled there: escaped one way or the other."""
    if text.lstrip()[:1] not in ("{", "["):
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    for found in at_paths(value, paths):
        yield json.dumps(found)[1:-1]
        yield json.dumps(found, ensure_ascii=False)[1:-1]


def _patterns(table: Any, where: str) -> Iterator[Rule]:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: regex is a table of patterns by name")
    for name, text in cast("Mapping[str, Any]", table).items():
        try:
            pattern = re.compile(text)
        except (re.error, TypeError) as error:
            raise UsageError(f"{where}: the pattern {name!r}: {error}") from None
        if pattern.search("") is not None:
            raise UsageError(f"{where}: the pattern {name!r} matches an empty text")
        yield Rule(name, _matches(pattern))


def _matches(pattern: re.Pattern[str]) -> Find:
    group: int | str = "s" if "s" in pattern.groupindex else 0
    return lambda text: (found[group] or "" for found in pattern.finditer(text))


def _items(table: Mapping[str, Any], name: str) -> list[Any]:
    items = table.get(name, ())
    return list(items) if class_of(items) in (list, tuple) else [items]


def _texts(table: Mapping[str, Any], name: str, where: str) -> list[str]:
    items = _items(table, name)
    if not all(isinstance(item, str) for item in items):
        raise UsageError(f"{where}: {name} is a list of texts")
    return items


_CALLS: Final = "file.py:function, or the name that a package gave it"


def _function(given: Any, where: str, directory: str) -> Rule:
    """Loaded under no name: what the program imports stays its own business."""
    function, name = given, getattr(given, "__name__", "call")
    if isinstance(given, str):
        file, colon, name = given.rpartition(":")
        space: dict[str, Any] = {"__name__": name, "__file__": os.path.join(directory, file)}
        try:
            if colon:
                with open(space["__file__"], "rb") as source:
                    exec(compile(source.read(), space["__file__"], "exec"), space)
                function = space[name]
            else:
                function = added("redactors")[name]()
        except Exception as error:  # the user's code
            raise UsageError(f"{where}: call {given!r}: {type(error).__name__}: {error}", hint=_CALLS) from None
    if not callable(function):
        raise UsageError(f"{where}: call {given!r} is no function", hint=_CALLS)
    return Rule(name, partial(_called, cast("Find", function)))


def _called(function: Find, text: str) -> Iterable[str]:
    """What the user's function finds; all of the text where it fails."""
    try:
        return [secret for secret in function(text) if secret]
    except Exception:  # the user's code: nothing gets past it, and the recording goes on
        return [text]
