"""`docs/errors.md` and the errors themselves name the same slugs and exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import replay
from replay.model.errors import ReplayError
from replay_cli.commands.demo import DemoNeeds

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def members(of: type[ReplayError] = ReplayError) -> set[type[ReplayError]]:
    direct = set(of.__subclasses__())
    return direct.union(*(members(each) for each in direct)) if direct else direct


def ours() -> set[type[ReplayError]]:
    """Errors of the product; tests define some of their own."""
    return {member for member in members() if member.__module__.startswith("replay.")} | {DemoNeeds}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_slug_has_its_section_and_every_section_its_slug() -> None:
    assert set(sections()) == {member.slug for member in ours()}


def test_sections_state_the_exit_code_and_a_remedy() -> None:
    for member in ours():
        text = sections()[member.slug]
        assert text.lstrip().startswith(f"Exit code {member.exit_code}"), member.slug
        assert "*Remedy:*" in text, member.slug


def test_errors_live_in_one_module() -> None:
    """So that the two tests above see all of them, whatever was imported before; a command's own are in `ours`."""
    source = Path(replay.__path__[0])
    slug = re.compile(r"^    slug = ", re.MULTILINE)
    strays = [str(file.relative_to(source)) for file in source.rglob("*.py") if slug.search(file.read_text("utf-8"))]
    assert strays == ["model/errors.py"]
