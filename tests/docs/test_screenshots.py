"""The pictures in docs/pictures are those that `make screenshots` takes, and pages show them."""

from __future__ import annotations

import re

from tests.docs.screenshots import PICTURES, TAKEN
from tests.docs.walkthrough import ROOT, pages


def test_each_picture_is_taken_by_the_script_and_shown_on_a_page() -> None:
    taken = {f"{each.__name__.replace('_', '-')}.png" for each in TAKEN}
    texts = [page.read_text("utf-8") for page in pages()]
    shown = {name for text in texts for name in re.findall(r"pictures/([\w-]+\.png)", text)}
    assert {path.name for path in PICTURES.iterdir()} == taken
    assert shown == taken
    assert all((PICTURES / name).read_bytes().startswith(b"\x89PNG") for name in taken)
    assert "screenshots:" in (ROOT / "Makefile").read_text("utf-8")
