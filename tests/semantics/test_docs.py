"""docs/dialects.md names every dialect, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from replay.semantics.dialects import DIALECTS

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"


def test_the_page_names_every_dialect() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z.]+)`", row.split("|")[1])}
    assert named == {dialect.name for dialect in DIALECTS}
