"""An incident as a regression test: the least of its recording that breaks an expectation, and a test that says so.

The recording is cut behind the event that decides that the expectation doesn't hold: what comes later can't change it,
and a replay stops there. Where the end of the program decides it, all of it is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from replay import expect
from replay.cassette import frame as f
from replay.cassette.cassette import load
from replay.cassette.continued import Continued
from replay.cassette.header import entropy
from replay.cassette.layout import Record
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.redact.rules import Rules
from replay.cassette.redact.scanning import scan
from replay.corpus.redacting import redacted
from replay.expect.subject import of_header
from replay.model.errors import CassetteExists, UsageError

_NEW: Final = ("id", "writer", "format")

_TEST: Final = '''"""{title}

Promoted from the recording {id}. It fails as long as the code does again what it did then.
Code that does something else before that isn't that bug: `or diverged`.
"""

import pytest

from replay.testing import expect


@pytest.mark.replay({cassette!r})
def test_{name}(replayed):
    expect(replayed).holds({expression!r})
'''


@dataclass(frozen=True, slots=True)
class Promoted:
    """What was written.

    Attributes:
        test, cassette: the files. expression: what the test asks.
        kept, events: how many events the cassette has, and how many the incident had.
        why: why the incident breaks the expectation.
        redacted: how many secrets were taken out, though the recording had them.
    """

    test: Path
    cassette: Path
    expression: str
    kept: int
    events: int
    why: str
    redacted: int = 0


def promote(
    incident: str | os.PathLike[str],
    to: str | os.PathLike[str],
    expression: str,
    *,
    name: str | None = None,
    rules: Rules | None = None,
) -> Promoted:
    """Write a test and its cassette.

    Args:
        to: a directory, or the test's file (`test_….py`); the cassette lies beside it.
        expression: what should have held (docs/expressions.md), and doesn't of the recording.
        name: of both; by default the recording's, or its program's.
        rules: of what is a secret, besides what looks like one.

    Raises:
        CassetteMissing and the other errors of reading; ExpressionInvalid.
        UsageError: the expectation holds of the recording, or can't be decided, or only a secret decides it; a secret
            can't be taken out. CassetteExists: one of the files is there.

    Example:
        promote("incident.cassette", "tests/incidents", "tool refund called at most 1").test
    """
    expected = expect.parse(expression)
    with load(incident) as recording:
        header, events = dict(recording.header), len(recording.events)
        judged = expect.judge(expected, expect.recorded(recording))
        if judged.holds is not False:
            said = "holds of" if judged.holds else "can't be decided by"
            raise UsageError(
                f"{expression!r} {said} the recording ({judged.why}): the test would not fail on the code it shows",
                hint="say what should have held; `replay expect` tries it",
            )
        kept = _least(recording, expected)
    name = _identifier(name or str(header.get("name") or "") or _program(header))
    where = Path(to)
    test = where if where.suffix == ".py" else where / f"test_{name}.py"
    cassette = test.parent / f"{name}.cassette"
    for path in (test, cassette):
        if path.exists():
            raise CassetteExists(f"{path} exists already", hint="choose another --name")
    test.parent.mkdir(parents=True, exist_ok=True)
    try:
        kept = _written(os.fspath(incident), cassette, header, expected, kept, events, None)
        leaks = len(list(scan(cassette, rules)))
        if leaks:
            cassette.unlink()
            kept = _written(os.fspath(incident), cassette, header, expected, kept, events, rules or Rules())
            _check(cassette, expected, rules)
        asked = f"{expression} or diverged" if _simple(expression) else f"({expression}) or diverged"
        expect.parse(asked)
        title = f"{_program(header) or name}, recorded {_day(header)}: not {expression}".replace('"""', "'''")
        test.write_text(
            _TEST.format(
                title=title.replace("\\", "\\\\"),
                id=header.get("id"),
                cassette=cassette.name,
                name=name,
                expression=asked,
            ),
            encoding="utf-8",
        )
    except BaseException:
        cassette.unlink(missing_ok=True)
        raise
    return Promoted(test, cassette, asked, kept, events, judged.why, leaks)


def _least(recording: Any, expected: expect.Expression) -> int:
    """How many events it takes until the expectation is broken, whatever comes then: found by halving, since what is
    broken stays so."""

    def broken(count: int) -> bool:
        part = expect.Subject(list(islice(recording.events, count)), "it goes on", of_header(recording.header))
        return expect.judge(expected, part).holds is False

    low, high = 0, len(recording.events)
    if not broken(high):
        return high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if broken(middle) else (middle + 1, high)
    return low


def _check(cassette: Path, expected: expect.Expression, rules: Rules | None) -> None:
    """That a redacted cassette has no secrets, and still shows what it is kept for."""
    left = list(scan(cassette, rules))
    if left:
        first = left[0]
        raise UsageError(
            f"{len(left)} secrets can't be taken out, such as {first.shown} ({first.detector}, event {first.event}, "
            f"{first.where})",
            hint="record with --redact; `replay scan` shows them",
        )
    with load(cassette) as part:
        if expect.judge(expected, expect.recorded(part)).holds is not False:
            raise UsageError(
                "without its secrets the recording doesn't break the expectation",
                hint="name what isn't a secret: the expectation would be in the test, too",
            )


def _written(
    incident: str,
    out: Path,
    header: dict[str, Any],
    expected: expect.Expression,
    kept: int,
    events: int,
    redacting: Rules | None,
) -> int:
    """Writes the cassette, cut where that is enough, without its secrets where there are rules; how many events it
    has.
    """
    if kept < events:
        _copied(incident, out, header, kept, redacting)
        with load(out) as part:
            if redacting is not None or expect.judge(expected, expect.recorded(part)).holds is False:
                return len(part.events)
        out.unlink()
    if redacting is not None:
        _copied(incident, out, header, None, redacting)
        return events
    with open(out, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as copy:
        copy.write(Path(incident).read_bytes())
    return events


def _copied(source: str, out: Path, header: dict[str, Any], count: int | None, redacting: Rules | None) -> None:
    """The first events of a recording, as one that was interrupted there: it replays to its cut. None: all, and its
    end.
    """
    redactor = None if redacting is None else Redactor(entropy(16), redacting)
    with Reader.open(source) as reader:
        writer = Continued.create(
            out,
            {**{key: value for key, value in header.items() if key not in _NEW}, "promoted": {"id": header.get("id")}},
            redactor,
        )
        assert isinstance(writer, Continued)
        try:
            frames = reader.frames() if count is None else _until(reader.frames(), count)
            writer.copy(frames if redactor is None else redacted(reader, frames, redactor))
            if count is None and reader.outcome is not None:
                writer.end(reader.outcome)
                writer.seal()
            writer.flush()
        finally:
            writer.close()


def _until(frames: Iterator[Record], count: int) -> Iterator[Record]:
    """Those of the first `count` events, and what happened until the last of these had its outcome."""
    ended = False
    for record in frames:
        type_, event, _ = record
        if type_ in (f.CALL, f.EVENT) and event >= count and ended:
            return
        ended = ended or (event == count - 1 and type_ in (f.EVENT, f.RETURN))
        yield record


def _program(header: dict[str, Any]) -> str:
    argv = [str(word) for word in header.get("argv") or ()]
    return next((os.path.basename(word) for word in argv[1:] if not word.startswith("-")), "")


def _identifier(text: str) -> str:
    return re.sub(r"\W+", "_", text.removesuffix(".py")).strip("_").lower() or "incident"


def _day(header: dict[str, Any]) -> str:
    try:
        return datetime.fromisoformat(str(header.get("created"))).date().isoformat()
    except ValueError:
        return "at an unknown time"


def _simple(expression: str) -> bool:
    return not re.search(r"\b(and|or|not)\b", expression)
