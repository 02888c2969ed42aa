"""What ten thousand events cost the page: `make torture ARGS="-k viewer"` prints it; how little of them is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.writer import Writer
from tests.support.browser import Browsed
from tests.support.viewing import opened, viewing

EVENTS = 10_000

FRAMES = """async ([act, count]) => {
  const list = document.getElementById("list"), canvas = document.querySelector("canvas");
  const box = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => 0;
  const at = { bubbles: true, cancelable: true, pointerId: 1, button: 0, clientY: box.top + 5 };
  const acts = {
    scroll: (i) => { list.scrollTop = i * 1500; },
    keys: (i) => list.dispatchEvent(new KeyboardEvent("keydown", { key: i % 8 ? "j" : "PageDown", bubbles: true })),
    scrub: (i) => canvas.dispatchEvent(
      new PointerEvent(i ? "pointermove" : "pointerdown", { ...at, clientX: box.left + 140 + i * 7 })),
    zoom: (i) => canvas.dispatchEvent(
      new WheelEvent("wheel", { ...at, clientX: box.left + 600, deltaY: i < count / 2 ? -60 : 60 })),
  };
  const took = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < count; i++) {
    acts[act](i);
    const now = await new Promise(requestAnimationFrame);
    took.push(now - last);
    last = now;
  }
  canvas.dispatchEvent(new PointerEvent("pointerup", { ...at, clientX: box.left + 140 }));
  took.sort((a, b) => a - b);
  return [took[count >> 1], took[Math.floor(count * 0.95)]];
}"""


def long_run(path: Path, events: int = EVENTS) -> Path:
    """Calls of models, tools and memories in seven lanes."""
    writer = Writer.create(path, {"name": "long", "argv": ["python", "agent.py"]})
    for lane in range(7):
        writer.lane(lane, "m" if lane == 0 else f"m/t{lane}")
    header = [["content-type", "application/json"]]
    called = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is paid."}}
    answer = {"status": 200, "headers": header, "body": json.dumps({"model": "m-1", "choices": [called]}).encode()}
    asked = {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "headers": header}
    for number in range(events):
        lane, at, meta = number // 7 % 7, number * 2000, {"agent": f"desk {number // 7 % 7}"}
        if number % 10 == 0:
            body = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": f"Order {number}?"}]}).encode()
            writer.event(lane, "http", "POST", "write", at, None, asked, body, None, meta, 900, 0, answer)
        elif number % 10 < 4:
            call: dict[str, Any] = {"args": [f"k{number % 50}", f"v{number}"], "kwargs": {}}
            writer.event(lane, "memory", "notes.setitem", "write", at, None, call, None, None, meta, 20, 0, None)
        else:
            call = {"args": [], "kwargs": {"order": f"A-{number}"}}
            writer.event(lane, "tool", "refund", "write", at, None, call, None, None, meta, 500, 0, {"ok": True})
    writer.end({"exit_code": 0, "took": events * 2000})
    writer.seal()
    writer.close()
    return path


@pytest.mark.torture
def test_what_ten_thousand_events_cost(browsed: Browsed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with viewing(long_run(tmp_path / "long.cassette")) as viewer:
        opened(browsed, viewer)
        ready = browsed.page.evaluate("performance.now()")
        paint = browsed.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        lines = [f"{EVENTS} events: first paint {paint:.0f} ms, everything shown after {ready:.0f} ms"]
        for act in ("scroll", "keys", "scrub", "zoom"):
            half, most = browsed.page.evaluate(FRAMES, [act, 120])
            lines.append(f"{act}: a frame takes {half:.1f} ms at the median, {most:.1f} ms at the 95th percentile")
        assert browsed.page.locator("[role=option]").count() < 100
    with capsys.disabled():
        print("", *lines, sep="\n  ")


def test_only_what_is_in_view_is_there(browsed: Browsed, tmp_path: Path) -> None:
    with viewing(long_run(tmp_path / "long.cassette", 2000)) as viewer:
        opened(browsed, viewer, "#e=1234")
        rows = browsed.page.locator("[role=option]")
        assert rows.count() < 100
        assert rows.first.get_attribute("aria-setsize") == "2000"
        assert browsed.page.locator("#item-1234").get_attribute("aria-selected") == "true"
        browsed.page.locator("#list").evaluate("each => { each.scrollTop = 0 }")
        browsed.page.wait_for_selector("#item-0")
        assert rows.count() < 100
