"""axe finds nothing serious, in light and in dark, in any panel; and nothing needs a mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]

from replay.viewer import Viewer
from tests.support.browser import Browsed
from tests.support.viewing import opened, press, settled, viewing


@pytest.fixture(scope="module")
def both(incident: Path) -> Iterator[Viewer]:
    with viewing(incident / "38.cassette", incident / "41.cassette") as viewer:
        yield viewer


PANELS = ("#b=31&tab=context", "#b=27&tab=memory", "#b=32&tab=why", "#tab=effects", "#tab=run", "#tab=diff")


def serious(browsed: Browsed, where: str) -> dict[str, list[str]]:
    """Rule -> the elements that break it."""
    browsed.page.evaluate(AXE_SCRIPT)
    told: dict[str, Any] = browsed.page.evaluate("where => axe.run(where, {resultTypes: ['violations']})", where)
    found = [each for each in told["violations"] if each["impact"] in ("serious", "critical")]
    return {each["id"]: [node["html"][:300] for node in each["nodes"]] for each in found}


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(browsed: Browsed, both: Viewer, colours: Literal["light", "dark"]) -> None:
    browsed.page.emulate_media(color_scheme=colours)
    opened(browsed, both, "#b=32&f=kind:tool")
    assert not serious(browsed, "html")
    for place in PANELS if colours == "light" else PANELS[2:4]:
        opened(browsed, both, place)
        assert not serious(browsed, "#panel"), place


def test_every_control_is_reached_by_the_keyboard(browsed: Browsed, both: Viewer) -> None:
    opened(browsed, both)
    reached = set[str]()
    for _ in range(20):
        press(browsed, "Tab")
        reached.add(browsed.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"filter", "axis", "theme", "help", "CANVAS", "list", "split", "tab-diff", "panel"} <= reached
    browsed.page.locator("#tab-diff").focus()
    press(browsed, "ArrowLeft")
    settled(browsed)
    assert browsed.page.locator("#tab-run").get_attribute("aria-selected") == "true"
