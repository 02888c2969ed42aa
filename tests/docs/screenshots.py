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
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, sync_playwright

from replay.cassette.cassette import load
from replay.model.event import Event
from tests.support.browser import INSTALL, executable
from tests.support.desk import desk
from tests.support.e2e import cli, shown
from tests.support.viewing import viewing

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


def view(page: Page, place: Path) -> Page:
    """The viewer: the receiver of a mail, back to where it came from."""
    mail = _mail(place)
    return _viewed(page, [place / "41.cassette"], e=mail.id, tab="why", v=mail.request["to"])


def view_context(page: Page, place: Path) -> Page:
    """The window in which it was decided, in dark."""
    page.emulate_media(color_scheme="dark")
    return _viewed(page, [place / "41.cassette"], e=_mail(place).id, tab="context")


def view_diff(page: Page, place: Path) -> Page:
    """Two runs side by side."""
    return _viewed(page, [place / "38.cassette", place / "41.cassette"], tab="diff")


def _viewed(page: Page, paths: list[Path], **shown: Any) -> Page:
    page.set_viewport_size({"width": 1160, "height": 600})
    with viewing(*paths) as viewer:
        page.goto(f"{viewer.url}#{urlencode({**shown, 'f': '-kind:env,clock,entropy'})}")
        page.wait_for_selector("body[data-ready][data-shown]", state="attached")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page


def _mail(place: Path) -> Event:
    with load(place / "41.cassette") as cassette:
        return next(event for event in cassette.events if event.kind == "tool" and event.name == "send_mail")


TAKEN: tuple[Taken, ...] = (report, report_graph, view, view_context, view_diff)


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
