"""A page in a real headless Chromium, driven by playwright: one browser per worker, a fresh context per test.

The machine's own Chromium is used, so nothing is downloaded; `CHROMIUM=/path` names another one. Without one the tests
that ask for `browsed` are skipped, and say what to install.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Playwright, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_running_loop: Callable[[asyncio.AbstractEventLoop | None], None] = vars(asyncio)["_set_running_loop"]
INSTALL = "no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it"


@dataclass  # playwright sets attributes on whatever owns a handler: no slots
class Browsed:
    """A page, and what it did beside being looked at.

    `errors`: what the console calls an error (a violation of the page's CSP is one) and uncaught exceptions.
    `requests`: every URL that it asked for. `dialogs`: what alert, confirm and the like said; each is closed.
    """

    page: Page
    errors: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])
    dialogs: list[str] = field(default_factory=list[str])

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def uncaught(self, error: Error) -> None:
        self.errors.append(str(error))

    def dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def request(self, request: Request) -> None:
        self.requests.append(request.url)


def executable() -> str | None:
    """The Chromium of this machine."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Running:
    """The worker's browser. Its loop counts as running while a test uses it, and not in other tests: `asyncio.run`
    refuses to start beside a running one."""

    playwright: Playwright
    browser: Browser
    loop: asyncio.AbstractEventLoop

    def enter(self) -> None:
        _running_loop(self.loop)

    def leave(self) -> None:
        _running_loop(None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Running]:
    """The worker's headless Chromium, started for the first test that needs it."""
    path = executable()
    if path is None:
        pytest.skip(INSTALL)
    unsafe = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses to run as root
    playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=path, args=[*unsafe, "--disable-dev-shm-usage"])
    running = Running(playwright, browser, asyncio.get_running_loop())
    running.leave()
    yield running
    running.enter()
    browser.close()
    playwright.stop()
    running.leave()


@pytest.fixture
def browsed(chromium: Running) -> Iterator[Browsed]:
    """An empty page of a context of its own, 1280 × 800: `browsed.page.goto(…)`."""
    chromium.enter()
    try:
        context = chromium.browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        context.set_default_timeout(15_000)
        found = Browsed(context.new_page())
        found.page.on("console", found.console)
        found.page.on("pageerror", found.uncaught)
        context.on("dialog", found.dialog)
        context.on("request", found.request)
        yield found
        context.close()
    finally:
        chromium.leave()
