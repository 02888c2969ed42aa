"""Who answers for an event: by what is said of it, and by CODEOWNERS of the repository that the program ran in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from replay.forensics import owners
from replay.model.errors import UsageError
from replay.model.event import Event

_CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where it may be, in the order in which GitHub looks."""


def rules(file: Path | None) -> list[owners.Rule]:
    """Of a file that says who owns what (docs/triage.md). Raises UsageError."""
    try:
        return [] if file is None else owners.rules(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--owners {file}: {getattr(error, 'strerror', None) or error}") from None


def answerable(header: Mapping[str, Any], known: Sequence[owners.Rule] = ()) -> Callable[[Event], list[owners.Owner]]:
    """For `triage`. `known`: rules of the user's own, which come first."""
    roots = _roots(header)
    code = _codeowners(roots)

    def named(event: Event) -> list[owners.Owner]:
        return owners.of_event(event, known, code, [str(root) for root in roots])

    return named


def _roots(header: Mapping[str, Any]) -> list[Path]:
    """The directory that the program ran in, and those above it up to the root of its repository."""
    where = header.get("cwd")
    if not isinstance(where, str):
        return []
    above = [Path(where), *Path(where).parents]
    top = next((number for number, path in enumerate(above) if (path / ".git").exists()), 0)
    return above[top::-1]


def _codeowners(roots: Sequence[Path]) -> list[owners.Rule]:
    files = (root / name for root in roots for name in _CODEOWNERS)
    found = next((file for file in files if file.is_file()), None)
    return [] if found is None else owners.rules(found.read_text("utf-8", "replace"))
