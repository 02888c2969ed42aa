"""Pictures of pages, taken in a real browser from the recordings of docs/incident.md.

    python -m tests.docs.screenshots [NAME...]      # writes docs/pictures, or these of them: `make screenshots`

Each picture is a function that brings a page to where it is worth a picture; its name is that of the file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from tests.support.browser import INSTALL, executable
from tests.support.desk import desk
from tests.support.e2e import cli, shown

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
TICKETS = ("38", "17", "41")

Taken = Callable[[Page, Path], "Locator | Page"]
"""Given a page and the directory of the recordings; gives what is to be seen."""


def report(page: Page, place: Path) -> Page:
    """The first screen of the report."""
    page.goto(_reported(place))
    return page


def report_graph(page: Page, place: Path) -> Locator:
    """The graph of the decision in it."""
    page.goto(_reported(place))
    return page.locator("#why .drawing")


def _reported(place: Path) -> str:
    file = place / "incident.html"
    if not file.exists():
        words = ("--owners", "OWNERS", "--policy", "policy.yaml", "--earlier", "17.cassette")
        done = cli("report", "41.cassette", "-o", file, *words, cwd=place)
        assert done.returncode == 0, shown(done)
    return file.as_uri()


TAKEN: tuple[Taken, ...] = (report, report_graph)


def main(names: list[str]) -> None:
    """Takes them."""
    path = executable()
    if path is None:
        sys.exit(INSTALL)
    unsafe = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses to run as root
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as room,
        desk(Path(room), TICKETS) as (place, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=unsafe)
        for taken in TAKEN:
            name = taken.__name__.replace("_", "-")
            if not names or name in names:
                page = browser.new_page(viewport={"width": 1200, "height": 860}, device_scale_factor=1.5)
                taken(page, place).screenshot(path=PICTURES / f"{name}.png", timeout=90_000)
                page.close()
                print(PICTURES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
