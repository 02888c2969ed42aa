"""A recording that attacks its reader: nothing runs, nothing leaves, nothing freezes; and everything can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.viewer import Viewer
from tests.support.browser import Browsed
from tests.support.hostile import BIG, PAYLOADS, hostile
from tests.support.viewing import opened, press, settled, texts, viewing

OPEN = "document.querySelectorAll('#panel details:not([open]) > summary').forEach(each => each.click())"
UNSEEN = "\x00\x07\x08\x1b\x7f\x9b\xad\u200b\u200f\u202e\u2066\u2069\u2028\ufeff\ufffe"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(tmp_path_factory.mktemp("hostile") / "<b>it<img>.cassette")


@pytest.fixture(scope="module")
def viewer(place: Path) -> Iterator[Viewer]:
    with viewing(place) as found:
        yield found


@pytest.fixture
def page(browsed: Browsed) -> Iterator[Browsed]:
    yield browsed
    assert browsed.page.evaluate("window.pwned ?? null") is None
    assert not browsed.errors
    assert not browsed.dialogs
    assert {url.split("/")[2].split(":")[0] for url in browsed.requests if url.startswith("http")} == {"127.0.0.1"}
    assert browsed.page.evaluate("document.querySelectorAll('svg, iframe, object, img, base, style, math').length") == 0
    assert browsed.page.evaluate("document.scripts.length") == 1


def events(place: Path, **wanted: str) -> list[int]:
    with load(place) as cassette:
        return [e.id for e in cassette.events if all(getattr(e, name) == value for name, value in wanted.items())]


def test_no_event_is_executed(page: Browsed, viewer: Viewer, place: Path) -> None:
    opened(page, viewer)
    for number in events(place):
        press(page, "j")
        if number < 22 or number % 5 == 0:  # behind those it is one payload after the other, in the same place
            settled(page)
        if number % 5 == 0:
            said = page.page.locator("#panel").inner_text()
            assert not [sign for sign in UNSEEN if sign in said], number


@pytest.mark.parametrize("tab", ["context", "memory", "why", "effects", "run"])
def test_no_panel_is_executed(page: Browsed, viewer: Viewer, place: Path, tab: str) -> None:
    wire = events(place, kind="tool", name="wire_money")[0]
    opened(page, viewer, f"#e={wire}&tab={tab}")
    if tab == "run":
        page.page.wait_for_selector("#panel details[open]", state="attached")
    for _ in range(2):
        page.page.evaluate(OPEN)
    said = page.page.locator("#panel").inner_text()
    assert "<script>window.pwned=1" in said
    assert not [sign for sign in UNSEEN if sign in said]


def test_a_payload_is_shown_as_it_is(page: Browsed, viewer: Viewer, place: Path) -> None:
    number = events(place, kind="tool", name=PAYLOADS["image"])[0]
    opened(page, viewer, f"#e={number}")
    assert PAYLOADS["image"] in texts(page, "#panel .value")
    number = events(place, kind="tool", name=PAYLOADS["right to left"])[0]
    opened(page, viewer, f"#e={number}")
    assert "‹202E›gnp.exe" in page.page.locator("#panel").inner_text()
    assert page.page.locator("#panel .rec").first.evaluate("each => getComputedStyle(each).unicodeBidi") == "isolate"


def test_links_cannot_be_made_of_recorded_text(page: Browsed, viewer: Viewer, place: Path) -> None:
    opened(page, viewer, f"#e={events(place, name='wire_money')[0]}&tab=why")
    links = page.page.locator("a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert links
    assert all(link.startswith("#") for link in links)


def test_five_megabytes_come_a_piece_at_a_time(page: Browsed, viewer: Viewer, place: Path) -> None:
    opened(page, viewer, f"#e={events(place, name='unbroken')[0]}")
    assert len(page.page.locator("#panel").inner_text()) < 10_000
    more = page.page.locator(".more", has_text="more characters").first
    assert f"{BIG - 600:,}" in more.inner_text()
    for _ in range(4):
        more.click()
        page.page.wait_for_selector(".more:not([disabled])")
    assert len(page.page.locator("#panel").inner_text()) > 60_000
    press(page, "j")
    settled(page)


def test_what_comes_through_the_address_is_text_too(page: Browsed, viewer: Viewer, place: Path) -> None:
    for text in (PAYLOADS["script"], PAYLOADS["leaves an attribute"], "javascript:alert(1)"):
        given = page.page.evaluate(
            "text => new URLSearchParams({e: '3', tab: 'why', v: text, f: text, hit: text})+''", text
        )
        opened(page, viewer, f"#{given}")
        assert page.page.locator("#filter").input_value() == text.strip()


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.innerHTML = '<i>'",
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.pwned = 1'}))",
    ],
)
def test_the_policy_would_stop_what_slipped_through(browsed: Browsed, viewer: Viewer, attempt: str) -> None:
    opened(browsed, viewer)
    browsed.page.evaluate(f"try {{ {attempt} }} catch (error) {{ console.error(String(error)) }}")
    assert browsed.page.evaluate("window.pwned ?? null") is None
    assert browsed.errors


def test_nothing_can_be_fetched_from_elsewhere(browsed: Browsed, viewer: Viewer) -> None:
    opened(browsed, viewer)
    assert browsed.page.evaluate("fetch('http://attacker.invalid/').then(() => 'sent', () => 'stopped')") == "stopped"
    assert any("Content Security Policy" in error for error in browsed.errors)


def test_answers_of_the_server_are_no_pages(page: Browsed, viewer: Viewer) -> None:
    opened(page, viewer)
    answer = page.page.request.get(f"{viewer.url}api/event?cassette=latest&event=19")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.body())["id"] == 19
