"""Labels of sources for commands that judge: of a policy file, and of `[tool.replay]`."""

from __future__ import annotations

from pathlib import Path

from replay import options
from replay.forensics.trust import Trust
from replay.model.errors import UsageError
from replay.policy import files


def trust(*policies: files.Policy) -> Trust:
    """What policies say, and what the environment and pyproject.toml do.

    Raises:
        UsageError: a label of the latter isn't one.
    """
    here = options.current()
    try:
        found = Trust.of({"trusted": here.trusted, "untrusted": here.untrusted})
    except ValueError as error:
        raise UsageError(f"trusted or untrusted of [tool.replay]: {error}", hint="docs/check.md") from None
    for each in policies:
        found |= each.trust
    return found


def of_file(policy: str | None) -> Trust:
    """The same for a command with `--policy`, which needs no rules then."""
    return trust(*([] if policy is None else [files.load(Path(policy))]))
