"""Cassettes as tests: each is re-executed once and has to be identical, or is judged by the file beside it.

    refund.cassette
    refund.expect       one expectation in each line (docs/expressions.md); `#` begins a comment

Each line is a test of its own. `identical` is one of the things that a line can say; without the file it is the only
one.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay import expect
from replay.cassette.cassette import load
from replay.launch import Run
from replay.model.errors import ExpressionInvalid, ReplayError
from replay.pytest_plugin.replays import Wanted, note
from replay.testing.judging import Failure, subject_of

SUFFIX = ".expect"


class CassetteFile(pytest.File):
    """A cassette. Its tags are on its tests: `-m 'cassette(env="prod")'`."""

    _run: Run | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each line of the file beside it."""
        try:
            with load(self.path) as cassette:
                if (cassette.header.get("entry") or {}).get("type") == "episodes":
                    return  # a test's, which replays it itself
                tags: dict[str, str] = cassette.header.get("tags") or {}
        except ReplayError as error:
            raise self.CollectError(str(error)) from None
        self.add_marker(pytest.mark.cassette(**tags))
        beside = self.path.with_suffix(SUFFIX)
        seen: set[str] = set()
        for number, text in lines_of(beside) if beside.exists() else [(0, "identical")]:
            name = text if text not in seen else f"{text} (line {number})"
            seen.add(text)
            item: pytest.Item = Expected.from_parent(self, name=name, line=number, text=text)
            yield item

    @property
    def run(self) -> Run:
        """Of the cassette, re-executed when the first of its tests runs."""
        if self._run is None:
            self._run = Wanted(self.path).done()
        return self._run

    def teardown(self) -> None:
        self._run = None


class Expected(pytest.Item):
    """One expectation of a cassette."""

    def __init__(self, *, line: int, text: str, **more: Any) -> None:
        super().__init__(**more)
        self._line = line
        self._text = text

    def runtest(self) -> None:
        """Raises Failure."""
        assert isinstance(self.parent, CassetteFile)
        found = self.parent.run
        note(self, found)
        try:
            judged = expect.judge(self._text, subject_of(found))
        except ExpressionInvalid as error:
            where = f"{self.path.with_suffix(SUFFIX)}:{self._line}"
            pytest.fail("\n".join([f"{where}: {error}", *(f"    {line}" for line in error.excerpt)]), pytrace=False)
        if not judged.holds:
            raise Failure.of(self._text, judged, found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """An expectation that doesn't hold has no traceback that says anything."""
        if isinstance(excinfo.value, Failure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the expectation stands."""
        beside = self.path.with_suffix(SUFFIX)
        name = f"{self.path.name}: {self.name}"
        return (beside, self._line - 1, name) if self._line else (self.path, None, name)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The expectations in a file, with the numbers of their lines."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


__all__ = ["CassetteFile", "Expected", "lines_of"]
