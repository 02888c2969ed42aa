"""The browser that the other tests use says what a page did, and is out of the way of tests with loops of their own."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.browser import Browsed

DIRTY = """
<script>console.error("said"); alert("hello"); fetch("http://127.0.0.1:9/away").catch(() => 0); nowhere()</script>
"""


def test_what_a_page_did_is_seen(browsed: Browsed) -> None:
    browsed.page.set_content(DIRTY, wait_until="load")
    assert browsed.page.evaluate("1 + 1") == 2
    assert browsed.dialogs == ["alert: hello"]
    assert "said" in browsed.errors
    assert any("nowhere" in error for error in browsed.errors)
    assert browsed.requests == ["http://127.0.0.1:9/away"]


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_has_a_page_of_its_own(browsed: Browsed, time: int) -> None:
    assert browsed.page.evaluate("window.before ?? 0") == 0
    browsed.page.evaluate("time => { window.before = time }", time)
    assert not browsed.errors


def test_a_loop_runs_between_pages(chromium: object) -> None:
    async def answer() -> int:
        return 3

    assert chromium is not None
    assert asyncio.run(answer()) == 3
