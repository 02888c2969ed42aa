"""Reports in a real browser: nothing recorded runs, pages turn, everybody can read it, and all of it is on paper."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import expect

from replay.cassette.cassette import load
from replay.report import report
from replay.report.page import CONTENTS
from tests.report.runs import injected, long
from tests.support.browser import Browsed
from tests.support.hostile import hostile


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


def page_of(cassette: Path) -> str:
    """The address of a report on it."""
    with load(cassette) as opened:
        document, _ = report(opened)
    file = cassette.with_suffix(".html")
    file.write_text(document, "utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def small(place: Path) -> str:
    return page_of(injected(place / "small.cassette"))


@pytest.fixture(scope="module")
def large(place: Path) -> str:
    return page_of(long(place / "large.cassette", 250))


@pytest.fixture(scope="module")
def attacked(place: Path) -> str:
    return page_of(hostile(place / "hostile.cassette"))


def quiet(browsed: Browsed, address: str) -> None:
    """It asked for itself only, and nothing was wrong or popped up."""
    assert browsed.errors == []
    assert browsed.dialogs == []
    assert {each.partition("#")[0] for each in browsed.requests} == {address}


def test_nothing_that_was_recorded_runs(browsed: Browsed, attacked: str) -> None:
    page = browsed.page
    page.goto(attacked)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.keyboard.press("Tab")
    assert page.evaluate("window.pwned") is None
    assert (
        page.evaluate(
            "document.querySelectorAll('main img, main iframe, main form, main svg [onload], main math').length"
        )
        == 0
    )
    assert page.evaluate("[...document.links].filter((each) => !each.getAttribute('href').startsWith('#')).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    quiet(browsed, attacked)


def test_what_would_run_is_stopped_by_the_policy(browsed: Browsed, small: str) -> None:
    page = browsed.page
    page.goto(small)
    with page.expect_event("requestfailed") as failed:
        page.evaluate(
            """() => {
              const script = document.createElement("script");
              try { script.text = "window.pwned = 1"; document.body.append(script); } catch { window.stopped = 1; }
              new Image().src = "http://127.0.0.1:9/image.png";
            }"""
        )
    assert page.evaluate("[window.pwned, window.stopped]") == [None, 1]
    assert failed.value.failure == "csp"


def test_pages_of_events_are_turned_and_links_lead_to_them(browsed: Browsed, large: str) -> None:
    page = browsed.page
    page.goto(large)
    state, body = page.locator("#turn-state"), page.locator("#page tr")
    expect(state).to_have_text("Page 1 of 3")
    expect(body).to_have_count(100)
    static = page.locator("#page tr").nth(7).inner_text()
    page.get_by_role("button", name="Next").click()
    expect(state).to_have_text("Page 2 of 3")
    expect(page.locator("#page th").first).to_have_text("100")
    page.get_by_role("button", name="Previous").click()
    expect(state).to_have_text("Page 1 of 3")
    assert page.locator("#page tr").nth(7).inner_text() == static
    expect(page.get_by_role("button", name="First")).to_be_disabled()
    page.get_by_label("Go to event").fill("203")
    page.get_by_label("Go to event").press("Enter")
    expect(page.locator("tr.found th")).to_have_text("203")
    expect(page.locator("tr.found")).to_be_in_viewport()
    page.evaluate("location.hash = '#e155'")
    expect(page.locator("tr.found th")).to_have_text("155")
    page.locator("tr.found summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr.found details pre").first).to_be_visible()
    quiet(browsed, large)


def test_without_a_script_everything_that_matters_is_there(browsed: Browsed, large: str) -> None:
    assert browsed.page.context.browser is not None
    context = browsed.page.context.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(large)
    expect(page.locator("#turn")).to_be_hidden()
    expect(page.locator("#page tr")).to_have_count(100)
    assert [each.get_attribute("id") for each in page.locator("main > section").all()] == [key for key, _ in CONTENTS]
    for link in page.locator("#why a[href^='#e'], #effects a[href^='#e'], #hypotheses a[href^='#e']").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1
    context.close()


@pytest.mark.parametrize(
    ("which", "scheme"), [("small", "light"), ("small", "dark"), ("attacked", "light"), ("large", "dark")]
)
def test_it_is_accessible(
    browsed: Browsed, which: str, scheme: Literal["light", "dark"], request: pytest.FixtureRequest
) -> None:
    page = browsed.page
    page.emulate_media(color_scheme=scheme)
    page.goto(request.getfixturevalue(which))
    page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate("axe.run({resultTypes: ['violations']}).then((all) => all.violations)")
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []


def test_it_can_be_walked_through_by_keyboard(browsed: Browsed, small: str) -> None:
    page = browsed.page
    page.goto(small)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the report")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    node = page.locator("#why svg a").first
    node.focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"tr{node.get_attribute('href')}")).to_be_in_viewport()
    assert page.locator("header, main, footer, nav").count() == 4
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((each) => Number(each.tagName[1]))")
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip([1, *levels[2:]], levels[2:], strict=False))


def test_all_of_it_is_on_paper(browsed: Browsed, attacked: str, small: str) -> None:
    page = browsed.page
    for address in (small, attacked):
        page.goto(address)
        data = page.pdf(outline=True, tagged=True, prefer_css_page_size=True)
        page.emulate_media(media="print")
        for key, name in CONTENTS:
            assert key == "summary" or _in_outline(name, data), name  # it stands under the heading of all
            expect(page.locator(f"#{key}-heading")).to_be_visible()
        assert page.locator(".contents").is_hidden()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.emulate_media(media="screen")


def _in_outline(name: str, pdf: bytes) -> bool:
    return f"({name})".encode() in pdf or ("\ufeff" + name).encode("utf-16-be").hex().upper().encode() in pdf


@pytest.mark.torture
def test_a_run_of_ten_thousand_events(
    browsed: Browsed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    began = time.perf_counter()
    address = page_of(long(tmp_path / "long.cassette", 10_000))
    took = time.perf_counter() - began
    browsed.page.goto(address)
    browsed.page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    paint = browsed.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    browsed.page.get_by_role("button", name="Last").click()
    expect(browsed.page.locator("#turn-state")).to_have_text("Page 100 of 100")
    size = (tmp_path / "long.html").stat().st_size
    row = {
        "events": "10,000",
        "MB": f"{size / 1e6:.2f}",
        "first paint, ms": f"{paint:.0f}",
        "made in, s": f"{took:.1f}",
    }
    record_property("table: report", row)
    quiet(browsed, address)
    assert re.fullmatch(r"\d+", browsed.page.locator("#page th").last.inner_text())
