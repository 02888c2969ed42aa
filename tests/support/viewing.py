"""Recordings in a browser: `replay view`'s server in this process, and a page that has loaded it."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replay.interop import formats
from replay.viewer import Viewer
from tests.support.browser import Browsed
from tests.support.desk import desk

SAMPLE = Path(__file__).parents[2] / "fixtures" / "transcripts"
TICKETS = ("38", "17", "41")
"""In this order: 17 plants the note that 41 obeys; 38 is as it should be."""


@contextmanager
def viewing(*paths: Path) -> Generator[Viewer]:
    """A viewer that answers."""
    with Viewer(paths) as viewer:
        thread = threading.Thread(target=viewer.serve)
        thread.start()
        try:
            yield viewer
        finally:
            viewer.stop()
            thread.join()


def imported(file: Path, path: Path) -> Path:
    """The first run of a transcript, as a cassette."""
    next(iter(formats.importer("chat")(file))).write(path)
    return path


def opened(browsed: Browsed, viewer: Viewer, address: str = "") -> None:
    """Goes there, and waits until everything is shown."""
    browsed.page.goto("about:blank")
    browsed.page.goto(viewer.url + address)
    settled(browsed)


def settled(browsed: Browsed, shown: str = "") -> None:
    """Waits until the panel shows what is selected (`shown`: which item and panel, such as `31 why`)."""
    wanted = f'[data-shown="{shown}"]' if shown else "[data-shown]"
    browsed.page.wait_for_selector(f"body[data-ready]{wanted}", state="attached")


def press(browsed: Browsed, *keys: str) -> None:
    for key in keys:
        browsed.page.keyboard.press(key)


def texts(browsed: Browsed, selector: str) -> list[str]:
    return browsed.page.locator(selector).all_inner_texts()


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """`fixtures/incident`, recorded once for all workers: `38.cassette` is good, `41.cassette` mails a stranger."""
    base = tmp_path_factory.getbasetemp()
    place = (base if worker_id == "master" else base.parent) / "incident"
    with open(place.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _record(place)
    return place


def _record(place: Path) -> None:
    with tempfile.TemporaryDirectory() as directory, desk(Path(directory), TICKETS) as (here, _):
        place.mkdir()
        for ticket in TICKETS:
            shutil.copy(here / f"{ticket}.cassette", place)
