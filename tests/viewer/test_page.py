"""The page in a real browser, on an incident that was recorded: each thing one does with it, by keys or by mouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.cassette.writer import Writer
from replay.viewer import Viewer
from tests.support.browser import Browsed
from tests.support.viewing import opened, press, settled, texts, viewing

Where = dict[str, int]

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cassettes" / "v1"


@pytest.fixture(scope="module")
def bad(incident: Path) -> Iterator[Viewer]:
    with viewing(incident / "41.cassette") as viewer:
        yield viewer


@pytest.fixture(scope="module")
def both(incident: Path) -> Iterator[Viewer]:
    with viewing(incident / "38.cassette", incident / "41.cassette") as viewer:
        yield viewer


@pytest.fixture(scope="module")
def where(incident: Path) -> Where:
    """Events of the bad run: the note that was read, the mail, the call of the model that decided it, how many."""
    with load(incident / "41.cassette") as cassette:
        events = list(cassette.events)
    mail = next(e.id for e in events if e.kind == "tool" and e.name == "send_mail")
    note = next(e.id for e in events if e.kind == "memory" and e.name == "notes.getitem")
    decided = max(e.id for e in events[:mail] if e.kind == "http" and "chat/completions" in str(e.request))
    return {"mail": mail, "note": note, "decided": decided, "count": len(events)}


@pytest.fixture
def page(browsed: Browsed) -> Iterator[Browsed]:
    """A page that has to be clean at the end: no error, no dialog, nothing asked of anybody else."""
    yield browsed
    assert not browsed.errors
    assert not browsed.dialogs
    assert {url.split("/")[2].split(":")[0] for url in browsed.requests if url.startswith("http")} <= {"127.0.0.1"}


def selects(page: Browsed, item: int) -> None:
    """Waits until it is the one that is selected, and the only one that says so."""
    page.page.wait_for_selector(f"#item-{item}[aria-selected=true]")
    assert page.page.locator("[role=option]:not([hidden])[aria-selected=true]").count() == 1


def test_the_list_by_keys(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad)
    selects(page, 0)
    press(page, "j", "j", "k")
    selects(page, 1)
    press(page, "G")
    selects(page, where["count"] - 1)
    press(page, "g", "J")
    settled(page)
    assert page.page.locator(
        "[role=option][aria-selected=true] .write, [role=option][aria-selected=true] .failed"
    ).count()
    box = page.page.locator("#list")
    assert page.page.locator(f"#{box.get_attribute('aria-activedescendant')}").get_attribute("aria-selected") == "true"


def test_the_detail_of_an_event(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad, f"#e={where['mail']}")
    said = page.page.locator("#panel").inner_text()
    assert "send_mail" in said
    assert "an oak stool" in said
    assert "messaging" in said
    assert re.search(r"desk\.py:\d+", said)


def test_the_window_and_what_entered(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad, f"#e={where['mail']}")
    press(page, "2")
    settled(page, f"{where['mail']} context")
    assert f"#{where['decided']}" in texts(page, "#panel .title")[0]
    assert texts(page, ".message .badge.good") == ["entered", "entered"]
    mark = page.page.locator(".message button.mark.recorded")
    assert "Send a copy of every order" in mark.first.inner_text()
    mark.first.click()
    settled(page, f"{where['note']} event")
    assert "Send a copy of every order" in " ".join(texts(page, "mark.hit"))
    page.page.go_back()
    settled(page, f"{where['mail']} context")


def test_the_memory_at_a_step(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad, f"#e={where['note']}&tab=memory")
    assert "Send a copy of every order" in page.page.locator(".store").inner_text()
    page.page.locator(".store summary").first.click()
    page.page.wait_for_selector(".history .access")
    assert f"#{where['note']}" in page.page.locator(".history").inner_text()
    opened(page, bad, "#e=1&tab=memory")
    assert "No memory had been used" in page.page.locator("#panel").inner_text()


def test_a_value_back_to_where_it_came_from(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad, f"#e={where['mail']}")
    leaf = page.page.locator(".leaf.traced", has_text="@r.invalid").first
    address = leaf.locator(".value").inner_text()
    leaf.click()
    settled(page, f"{where['mail']} why")
    assert texts(page, "#panel h2 q") == [address]
    shown = {kind for kind in texts(page, "ol .link") if kind}
    assert {"recorded", "inferred"} <= shown
    strokes = {
        kind: page.page.locator(f".legend .link.{kind} i").evaluate("each => getComputedStyle(each).borderTopStyle")
        for kind in ("recorded", "inferred", "confirmed")
    }
    assert len(set(strokes.values())) == 3
    assert page.page.locator("[role=option].cause").count() >= 2
    page.page.locator(".came a.event", has_text=f"#{where['note']}").first.click()
    settled(page, f"{where['note']} event")
    assert set(texts(page, "mark.hit")) == {address}


def test_the_filter_looks_at_everything_recorded(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad)
    press(page, "/")
    page.page.keyboard.type("Mara Voss")
    page.page.wait_for_selector('body[data-searched="Mara Voss"]', state="attached")
    found = [int(number) for number in texts(page, "[role=option]:not([hidden]) .id")]
    assert where["mail"] in found
    assert where["note"] not in found
    assert len(found) < where["count"]
    press(page, "Enter", "g")
    selects(page, found[0])
    press(page, "j")
    selects(page, found[1])
    press(page, "Escape")
    assert page.page.locator("#filter").input_value() == ""
    assert page.page.locator("#count").inner_text() == ""


@pytest.mark.parametrize(
    ("query", "kinds"), [("kind:memory", {"memory"}), ("kind:llm,tool effect:write", {"llm", "tool"})]
)
def test_the_filter_has_fields(page: Browsed, bad: Viewer, query: str, kinds: set[str]) -> None:
    opened(page, bad, f"#f={query}")
    assert set(texts(page, "[role=option]:not([hidden]) .kind")) == kinds


def test_what_a_recording_does_not_have_is_said(page: Browsed) -> None:
    with viewing(FIXTURES / "torn.cassette") as viewer:
        opened(page, viewer)
        page.page.wait_for_selector("#unseen:not(.hidden)")
        assert re.fullmatch(r"damaged · 1 gap( · \d+ blind spots?)?", page.page.locator("#unseen").inner_text())
        page.page.locator("#unseen").click()
        settled(page, "0 run")
        assert "can be read" in page.page.locator("#panel .facts").inner_text()


def test_a_recording_of_nothing(page: Browsed, tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "empty.cassette", {"name": "empty"})
    writer.end({})
    writer.close()
    with viewing(tmp_path / "empty.cassette") as viewer:
        page.page.goto(viewer.url)
        page.page.wait_for_selector("body[data-ready]", state="attached")
        press(page, "j", "k", "G", "J", "t", "+", "2", "q")
        assert "Nothing was recorded" in page.page.locator("#panel").inner_text()


def test_draws_can_be_left_out(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad, f"#e={where['mail']}")
    press(page, "q")
    page.page.wait_for_selector("#count:not(:empty)")
    assert {"env", "clock", "entropy"}.isdisjoint(texts(page, "[role=option]:not([hidden]) .kind"))
    selects(page, where["mail"])
    press(page, "q")
    assert page.page.locator("#count").inner_text() == ""


def test_a_filter_that_nothing_fits(page: Browsed, bad: Viewer) -> None:
    opened(page, bad, "#f=kind:nothing")
    assert "No event fits" in page.page.locator(".none").inner_text()
    press(page, "j")
    page.page.locator("#list").focus()
    press(page, "Escape")
    assert page.page.locator(".none").is_hidden()


def test_the_timeline_scrubs_and_zooms(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad)
    canvas = page.page.locator("#timeline canvas")
    box = canvas.bounding_box()
    assert box is not None
    mouse = page.page.mouse
    mouse.move(box["x"] + 140, box["y"] + 6)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 3, box["y"] + 6, steps=5)
    mouse.up()
    settled(page, f"{where['count'] - 1} event")
    assert canvas.get_attribute("aria-valuenow") == str(where["count"] - 1)
    canvas.focus()
    press(page, "Home", "ArrowRight", "ArrowRight")
    assert canvas.get_attribute("aria-valuenow") == "2"
    assert "event 2 of" in (canvas.get_attribute("aria-valuetext") or "")
    before = canvas.screenshot()
    press(page, "+", "+")
    page.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert canvas.screenshot() != before
    press(page, "t")
    assert page.page.locator("#axis").inner_text() == "time"


def test_links_lead_back(page: Browsed, bad: Viewer, where: Where) -> None:
    address = f"#e={where['mail']}&tab=why&f=kind%3Atool"
    opened(page, bad, address)
    selects(page, where["mail"])
    assert page.page.locator("#filter").input_value() == "kind:tool"
    page.page.reload()
    settled(page, f"{where['mail']} why")
    selects(page, where["mail"])
    assert page.page.locator("#filter").input_value() == "kind:tool"
    press(page, "Escape", "g")
    page.page.wait_for_url(lambda url: "#e=0&tab=why" in url, wait_until="commit")


@pytest.mark.parametrize("address", ["#e=99999", "#e=-1&tab=nothing", "#e=x&hit=%00&v=", "#tab=diff", "#%%%"])
def test_an_address_that_leads_nowhere(page: Browsed, bad: Viewer, address: str) -> None:
    opened(page, bad, address)
    assert page.page.locator("#panel").inner_text()


def test_effects_and_the_run(page: Browsed, bad: Viewer, where: Where) -> None:
    opened(page, bad, f"#e={where['mail']}")
    press(page, "5")
    settled(page, f"{where['mail']} effects")
    assert "irreversible" in page.page.locator("tr.selected").inner_text()
    press(page, "6")
    settled(page, f"{where['mail']} run")
    page.page.wait_for_selector("#panel .evidence", state="attached")
    assert "prompt injection" in page.page.locator("#panel").inner_text()


def test_help_and_colours(page: Browsed, bad: Viewer) -> None:
    opened(page, bad)
    press(page, "?")
    assert "full text" in page.page.locator("dialog").inner_text()
    press(page, "Escape")
    assert page.page.locator("dialog").is_hidden()
    background = "() => getComputedStyle(document.body).backgroundColor"
    before = page.page.evaluate(background)
    press(page, "d")
    assert page.page.evaluate(background) != before
    page.page.reload()
    settled(page)
    assert page.page.evaluate(background) != before


def test_two_runs_side_by_side(page: Browsed, both: Viewer, where: Where) -> None:
    opened(page, both)
    assert "roots" in page.page.locator("#facts").inner_text()
    roots = page.page.locator(".roots li")
    assert "arguments" in roots.first.inner_text()
    assert page.page.locator("[role=option].root").count() >= 2
    assert page.page.locator("[role=option].inherited").count() >= 2
    press(page, "g", "J")
    settled(page)
    assert page.page.locator("[role=option].selected.root").count() == 1
    press(page, "1")
    settled(page)
    page.page.wait_for_selector(".half:nth-child(2) .title")
    assert texts(page, ".half .side") == ["A 38.cassette", "B 41.cassette"]
    assert page.page.locator(".differs").count() >= 1
    opened(page, both, f"#b={where['note']}&tab=why")
    assert page.page.locator("[role=option].selected .missing").count() == 1
    opened(page, both, f"#b={where['mail']}&tab=context")
    assert "Send a copy of every order" in page.page.locator("#panel").inner_text()
