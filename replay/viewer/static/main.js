// The page: what is selected, in which panel, behind which filter. All of it stands in the address (#e=32&tab=why), so that
// a link leads there again.

import { ask } from "./api.js";
import { h, line, say } from "./dom.js";
import { fullText, parse, test } from "./filter.js";
import { List, writes } from "./list.js";
import { context } from "./panel-context.js";
import { diff } from "./panel-diff.js";
import { event } from "./panel-event.js";
import { memory } from "./panel-memory.js";
import { effects, run } from "./panel-run.js";
import { why } from "./panel-why.js";
import { note } from "./panels.js";
import { items, Run } from "./run.js";
import { Timeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);

// name, title, what it shows, whether it depends on the selected event
const TABS = [["event", "Event", event], ["context", "Context", context], ["memory", "Memory", memory], ["why", "Why", why], ["effects", "Effects", effects], ["run", "Run", run], ["diff", "Diff", diff]];

const KEYS = [
  ["j  k", "next, previous event"], ["g  G", "first, last event"], ["J  K", "next, previous that differs, failed or writes"],
  ["/", "filter; full text of everything recorded"], ["q", "without draws and the environment, or with them"], ["Enter", "to the detail"], ["Esc", "back to the list; clears the filter"],
  ["1 … 7", "panels: event, context, memory, why, effects, run, diff"], ["t", "timeline: steps or time"], ["+  −  0", "zoom in, out, all"],
  ["← →", "on the timeline: previous, next; ↑ ↓ lanes"], ["y", "copy a link to what is shown"], ["d", "dark or light"], ["?", "these keys"],
];

class App {
  constructor() {
    this.runs = [];
    this.items = [];
    this.diff = null;
    this.order = [];
    this.at = -1;
    this.tab = "event";
    this.hit = null;
    this.value = null;
    this.filter = "";
    this.text = "";
    this.hits = new Set();
    this.places = [new Map(), new Map()];
    this.list = new List($("events"), (item) => this.go({ item }), () => $("panel").focus());
    this.timeline = new Timeline($("timeline"), (item) => this.go({ item }));
  }

  async start() {
    const { runs } = await ask("runs");
    this.runs = runs.map((name) => new Run(name));
    document.title = `${runs.map((name) => line(name, 60)).join(" · ")} — replay`;
    $("title").textContent = runs.map((name) => line(name, 60)).join("  ⇄  ");
    await Promise.all(this.runs.map((each) => each.read()));
    const read = await items(this.runs[0], this.runs[1] ?? null);
    this.items = read.items;
    this.diff = read.diff;
    this.items.forEach((item, at) => {
      if (item.a !== null) this.places[0].set(item.a, at);
      if (item.b !== null) this.places[1].set(item.b, at);
    });
    this.tabs();
    this.facts();
    this.unseen().catch((error) => say(error.message));
    this.order = this.items.map((_, at) => at);
    this.timeline.set(this.runs, this.items);
    this.list.set(this.runs, this.items, this.order);
    this.fromAddress();
    addEventListener("popstate", () => this.fromAddress());
    document.body.dataset.ready = "true";
  }

  tabs() {
    const shown = TABS.filter(([name]) => name !== "diff" || this.diff !== null);
    $("tabs").replaceChildren(...shown.map(([name, title], number) => h("button", {
      id: `tab-${name}`, role: "tab", type: "button", "aria-controls": "panel", onclick: () => this.go({ tab: name }),
    }, title, h("kbd", { "aria-hidden": "true" }, `${number + 1}`))));
  }

  facts() {
    const text = this.runs.map((each) => `${each.rows.length.toLocaleString("en")} events · ${each.lanes.length} ${each.lanes.length === 1 ? "lane" : "lanes"}`).join("  ⇄  ");
    $("facts").textContent = this.diff === null ? text : `${text} · ${this.diff.identical ? "no difference" : `${this.diff.total} roots, ${this.diff.inherited} inherited`}`;
  }

  /** What the recordings don't have is said where everybody sees it, and leads to the panel that has it in full. */
  async unseen() {
    const found = await Promise.all(this.runs.map((each) => ask("blindspots", { cassette: each.name })));
    const count = (name) => found.reduce((sum, each) => sum + (each[name].of ?? each[name].length), 0);
    const parts = [];
    if (found.some((each) => each.damage !== null)) parts.push("damaged");
    else if (found.some((each) => each.problem !== null)) parts.push("incomplete");
    for (const [name, one] of [["gaps", "gap"], ["blind_spots", "blind spot"]]) {
      const many = count(name);
      if (many > 0) parts.push(`${many} ${one}${many === 1 ? "" : "s"}`);
    }
    $("unseen").textContent = parts.join(" · ");
    $("unseen").classList.toggle("hidden", parts.length === 0);
  }

  /** The item that an event is in; of draws, which aren't compared, the one before. */
  itemOf(id, side = 0) {
    for (let at = id; at >= 0; at--) if (this.places[side].has(at)) return this.places[side].get(at);
    return 0;
  }

  /** Which run a panel of one run is about, and which of its events. */
  get side() {
    if (this.runs.length === 1) return 0;
    return this.items[this.at]?.b === null ? 0 : 1;
  }

  eventAt(side) {
    for (let at = this.at; at >= 0; at--) {
      const id = side === 0 ? this.items[at].a : this.items[at].b;
      if (id !== null) return id;
    }
    return 0;
  }

  /** The address of what would be shown. */
  address({ item = null, event: id = null, side = 0, tab = this.tab, hit = null, value = null, filter = this.filter }) {
    const at = item ?? (id === null ? this.at : this.itemOf(id, side));
    const known = this.items[at];
    const place = known === undefined ? {} : known.a === null ? { b: known.b } : { e: known.a };
    const shown = { ...place, tab: tab === "event" ? null : tab, f: filter || null, hit, v: value };
    return `#${new URLSearchParams(Object.entries(shown).filter(([, each]) => each !== null))}`;
  }

  /** Shows something else; what isn't named stays. `push`: a step that the browser's Back undoes. */
  go({ item = this.at, tab = this.tab, hit = null, value = null, filter = this.filter }, { push = false } = {}) {
    const address = this.address({ item, tab, hit, value, filter });
    clearTimeout(this.moving);
    if (push) history.pushState(null, "", address);
    else this.moving = setTimeout(() => history.replaceState(null, "", address), 120); // browsers refuse hundreds at once
    this.show({ item, tab, hit, value, filter });
  }

  fromAddress() {
    clearTimeout(this.moving);
    const given = new URLSearchParams(location.hash.slice(1));
    const [a, b] = ["e", "b"].map((name) => (/^\d+$/.test(given.get(name) ?? "") ? Number(given.get(name)) : null));
    const item = a !== null ? this.itemOf(Math.min(a, this.runs[0].rows.length - 1)) : b !== null && this.runs.length > 1 ? this.itemOf(b, 1) : this.at < 0 ? 0 : this.at;
    const tab = TABS.some(([name]) => name === given.get("tab")) ? given.get("tab") : this.diff && given.get("tab") === null && a === null && b === null ? "diff" : "event";
    this.show({ item, tab, hit: given.get("hit"), value: given.get("v"), filter: given.get("f") ?? "" });
  }

  show({ item, tab, hit, value, filter }) {
    const moved = item !== this.at;
    const same = !moved && tab === this.tab && hit === this.hit && value === this.value && document.body.dataset.shown;
    Object.assign(this, { at: item, tab: tab === "diff" && this.diff === null ? "event" : tab, hit, value });
    if (filter !== this.filter) this.narrow(filter);
    for (const button of $("tabs").children) {
      const on = button.id === `tab-${this.tab}`;
      button.setAttribute("aria-selected", on);
      button.tabIndex = on ? 0 : -1;
      if (on) $("panel").setAttribute("aria-labelledby", button.id);
    }
    if (this.items.length === 0) return $("panel").replaceChildren(note("Nothing was recorded."));
    if (moved || this.tab !== "why") { this.timeline.arcs = []; this.list.causes = new Map(); }
    this.timeline.mark(item);
    this.list.mark(item);
    if (!same) this.panel();
    return undefined;
  }

  /** Fills the panel; while somebody scrubs, only where they stop. */
  panel() {
    clearTimeout(this.timer);
    this.asked?.abort();
    const asked = new AbortController();
    this.asked = asked;
    delete document.body.dataset.shown;
    const since = performance.now() - (this.drawn ?? 0);
    this.timer = setTimeout(async () => {
      let content;
      try {
        content = await TABS.find(([name]) => name === this.tab)[2](this, asked.signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        content = [h("p", { class: "note bad rec", role: "alert" }, line(error.message, 2000))];
      }
      if (asked.signal.aborted) return;
      $("panel").replaceChildren(...content);
      $("panel").scrollTop = 0;
      $("panel").querySelector(".tree mark.hit, mark.hit")?.scrollIntoView({ block: "center" });
      document.body.dataset.shown = `${this.at} ${this.tab}`;
      this.drawn = performance.now();
    }, since < 150 ? 90 : 0);
  }

  /** The why panel says what leads to the selected event: it is drawn in the timeline, and marked in the list. */
  explain(arcs, side) {
    const drawn = arcs.map(([from, to, link]) => [this.itemOf(from, side), this.itemOf(to, side), link]);
    this.timeline.overlay({ arcs: drawn });
    this.list.mark(this.at, new Map(drawn.map(([from, , link]) => [from, link])));
  }

  /** Applies a filter: at once to what the rows say, and as the server finds it to everything else. */
  narrow(filter) {
    this.filter = filter;
    if ($("filter").value !== filter) $("filter").value = filter;
    this.searching?.abort();
    const parsed = parse(filter);
    this.text = parsed.text.length > 1 ? parsed.text : "";
    const sides = this.runs.map(() => new Set());
    const apply = (more) => {
      const tests = this.runs.map((each, side) => test(parsed, each, sides[side]));
      const fits = (item) => (item.a !== null && tests[0](this.runs[0].rows[item.a])) || (item.b !== null && tests[1](this.runs[1].rows[item.b]));
      this.order = [];
      this.items.forEach((item, at) => { if (filter === "" || fits(item)) this.order.push(at); });
      this.list.set(this.runs, this.items, this.order);
      this.timeline.overlay({ shown: filter === "" ? null : new Set(this.order) });
      $("count").textContent = filter === "" ? "" : `${this.order.length.toLocaleString("en")} of ${this.items.length.toLocaleString("en")}${more ? " …" : ""}`;
      document.body.dataset.searched = more ? "" : filter;
    };
    apply(this.text !== "");
    if (this.text === "") return;
    const searching = new AbortController();
    this.searching = searching;
    this.runs.forEach((each, side) => fullText(each, this.text, (hits, next) => {
      if (searching.signal.aborted) return;
      sides[side] = hits;
      apply(next !== null);
    }, searching.signal).catch((error) => { if (error.name !== "AbortError") say(error.message); }));
  }

  /** The next item worth a look: one that differs, else one that failed or writes. */
  notable(by) {
    const worth = (item) => {
      if (this.runs.length > 1) return item.state === "root" || item.state === "inherited";
      const row = this.runs[0].rows[item.a];
      return row.status === "failed" || row.kind === "gap" || writes(row);
    };
    for (let at = this.at + by; at >= 0 && at < this.items.length; at += by) if (worth(this.items[at])) return at;
    return this.at;
  }
}

const app = new App();

const focused = (id) => $(id).contains(document.activeElement);

const ACTS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  PageDown: () => step(app.list.page), PageUp: () => step(-app.list.page),
  g: () => step(-Infinity), Home: () => step(-Infinity), G: () => step(Infinity), End: () => step(Infinity),
  J: () => app.go({ item: app.notable(1) }), K: () => app.go({ item: app.notable(-1) }),
  "/": () => $("filter").focus(), "?": keys, t: axis, d: theme,
  "+": () => app.timeline.zoom(0.6, app.timeline.xOf(app.at)), "=": () => app.timeline.zoom(0.6, app.timeline.xOf(app.at)),
  "-": () => app.timeline.zoom(1.7, app.timeline.xOf(app.at)), 0: () => app.timeline.fit(),
  Enter: () => $("panel").focus(), y: copy, q: quiet,
  Escape: () => (focused("detail") ? $("list").focus() : app.filter ? app.go({ filter: "" }) : $("list").focus()),
};

function step(by) {
  const item = app.list.step(by);
  if (item >= 0) app.go({ item });
}

function keys() {
  if ($("keys").open) return $("keys").close();
  $("keys").replaceChildren(h("h2", {}, "Keys"), h("dl", {}, KEYS.map(([key, what]) => [h("dt", {}, key.split("  ").map((each) => h("kbd", {}, each))), h("dd", {}, what)])),
    h("p", { class: "note" }, "Filter: kind:llm,tool  effect:write  agent:…  lane:…  is:failed  id:10-20  -kind:file; other words are looked for everywhere."),
    h("form", { method: "dialog" }, h("button", { onclick: (event) => { event.preventDefault(); $("keys").close(); } }, "Close")));
  return $("keys").showModal();
}

const QUIET = "-kind:env,clock,entropy";

/** Draws and reads of the environment: many, and seldom what one looks for. */
function quiet() {
  const words = app.filter.split(" ").filter((word) => word !== "");
  app.go({ filter: (words.includes(QUIET) ? words.filter((word) => word !== QUIET) : [...words, QUIET]).join(" ") });
}

function axis() {
  app.timeline.setAxis(app.timeline.axis === "steps" ? "time" : "steps");
  $("axis").textContent = app.timeline.axis;
  say(`timeline by ${app.timeline.axis}`);
}

function theme() {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  app.timeline.colours();
  app.timeline.draw();
}

async function copy() {
  await navigator.clipboard?.writeText(location.href).catch(() => null);
  say("link copied");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open || document.body.dataset.ready === undefined) return;
  const target = event.target;
  if (target === $("filter")) {
    if (event.key === "Escape") { app.go({ filter: "" }); $("list").focus(); }
    else if (event.key === "Enter" || event.key === "ArrowDown") { $("list").focus(); if (!app.list.place.has(app.at)) step(1); }
    else return;
    return event.preventDefault();
  }
  if (/^[1-7]$/.test(event.key)) {
    const tab = $("tabs").children[Number(event.key) - 1];
    if (tab) app.go({ tab: tab.id.slice(4) });
    return undefined;
  }
  if (target.getAttribute?.("role") === "tab" && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    const next = event.key === "ArrowLeft" ? target.previousElementSibling : target.nextElementSibling;
    next?.click();
    next?.focus();
    return event.preventDefault();
  }
  const scrolls = ["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End", "Enter"].includes(event.key);
  if (scrolls && (focused("detail") || target.closest("button, a, summary, [role=separator]"))) return undefined;
  const act = ACTS[event.key];
  if (act === undefined) return undefined;
  event.preventDefault();
  return act();
});

$("filter").addEventListener("input", () => {
  clearTimeout(app.typing);
  app.typing = setTimeout(() => app.go({ filter: $("filter").value.trim(), hit: app.hit, value: app.value }), 80);
});
$("help").addEventListener("click", keys);
$("unseen").addEventListener("click", () => app.go({ tab: "run" }, { push: true }));
$("axis").addEventListener("click", axis);
$("theme").addEventListener("click", theme);

function width(percent) {
  const to = Math.max(20, Math.min(80, Math.round(percent)));
  $("split").setAttribute("aria-valuenow", to);
  document.querySelector("main").style.setProperty("--list", `${to}%`);
}
$("split").addEventListener("pointerdown", (event) => $("split").setPointerCapture(event.pointerId));
$("split").addEventListener("pointermove", (event) => { if ($("split").hasPointerCapture(event.pointerId)) width((event.clientX / innerWidth) * 100); });
$("split").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
  if (by === undefined) return;
  width(Number($("split").getAttribute("aria-valuenow")) + by);
  event.preventDefault();
});

const kept = localStorage.getItem("theme");
if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { app.timeline.colours(); app.timeline.draw(); });

app.start().then(() => $("list").focus(), (error) => {
  $("panel").replaceChildren(h("p", { class: "note bad rec", role: "alert" }, line(error.message, 2000)));
  document.body.dataset.ready = "failed";
});
