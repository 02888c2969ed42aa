// The list of events: only the rows in view are elements, however long the recording is.

import { h, line, seconds } from "./dom.js";

const ROW = 22;

export class List {
  /** `select(item)`: the user chose one; `open()`: they want to see it. */
  constructor(place, select, open) {
    this.select = select;
    this.open = open;
    this.box = h("div", { id: "list", role: "listbox", tabindex: "0", "aria-label": "Events, in order" });
    this.space = h("div", { class: "space", role: "presentation" });
    this.box.append(this.space);
    this.head = h("div", { class: "head", "aria-hidden": "true" });
    this.none = h("p", { class: "none hidden" });
    place.append(this.head, this.box, this.none);
    this.pool = [];
    this.order = [];
    this.place = new Map();
    this.selected = -1;
    this.causes = new Map();
    this.waiting = false;
    this.box.addEventListener("scroll", () => { this.top = this.box.scrollTop; this.draw(); }, { passive: true });
    this.box.addEventListener("click", (event) => {
      const row = event.target.closest("[data-item]");
      if (row) this.select(Number(row.dataset.item));
    });
    this.box.addEventListener("dblclick", () => this.open());
    this.tall = 0; // reading these makes the browser lay out
    this.top = 0;
    new ResizeObserver(() => this.resize()).observe(this.box);
  }

  /** Which items are shown, of which runs. */
  set(runs, items, order) {
    this.runs = runs;
    this.items = items;
    this.order = order;
    this.place = new Map(order.map((item, at) => [item, at]));
    this.space.style.height = `${order.length * ROW}px`;
    this.box.classList.toggle("two", runs.length > 1);
    this.head.classList.toggle("two", runs.length > 1);
    const one = ["#", "at", "lane", "kind", "what", "took"];
    this.head.replaceChildren(...(runs.length > 1 ? ["#", "kind", runs[0].name, "", "#", "kind", runs[1].name] : one).map((name) => h("span", {}, line(name, 60))));
    this.none.classList.toggle("hidden", order.length > 0);
    this.none.textContent = items.length === 0 ? "Nothing was recorded." : "No event fits the filter. Esc clears it.";
    this.draw(true);
  }

  /** What is selected stays in view, unless one has scrolled away from it. */
  resize() {
    const at = this.place.get(this.selected), top = (at ?? -1) * ROW;
    const seen = this.tall === 0 || (top >= this.top && top < this.top + this.tall);
    this.tall = this.box.clientHeight;
    if (seen && at !== undefined) this.mark(this.selected);
    this.draw();
  }

  mark(item, causes = this.causes) {
    this.selected = item;
    this.causes = causes;
    const at = this.place.get(item);
    if (at !== undefined && this.tall > 0) {
      const top = at * ROW, scrollTop = this.top, clientHeight = this.tall;
      const away = Math.max(scrollTop - top, top + ROW - scrollTop - clientHeight);
      const most = Math.max(0, this.order.length * ROW - clientHeight);
      if (away > ROW * 3) this.top = top - clientHeight / 2; // a jump, not a step
      else if (away > 0) this.top += top < scrollTop ? -away : away;
      this.top = Math.max(0, Math.min(most, this.top));
      if (this.top !== scrollTop) this.box.scrollTop = this.top;
    }
    this.draw();
  }

  /** The item `by` rows away from the selected one. */
  step(by) {
    if (this.order.length === 0) return -1;
    let at = this.place.get(this.selected);
    if (at === undefined) { // filtered away: the next one that isn't
      at = this.order.findIndex((item) => item > this.selected);
      if (at < 0) at = this.order.length;
      if (by > 0) at -= 1;
    }
    return this.order[Math.max(0, Math.min(this.order.length - 1, at + by))];
  }

  get page() {
    return Math.max(1, Math.floor(this.tall / ROW) - 1);
  }

  draw(now = false) {
    if (now) return this.paint();
    if (this.waiting) return undefined;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
    return undefined;
  }

  paint() {
    const first = Math.max(0, Math.floor(this.top / ROW) - 4);
    const last = Math.min(this.order.length, first + Math.ceil(this.tall / ROW) + 8);
    while (this.pool.length < last - first) {
      const row = h("div", { role: "option" });
      this.pool.push(row);
      this.space.append(row);
    }
    this.pool.forEach((row, number) => {
      const at = first + number;
      row.hidden = at >= last;
      if (!row.hidden) this.fill(row, at);
      else if (row.id) {
        row.removeAttribute("id"); // another row may have it now
        row.dataset.key = "";
      }
    });
    const shown = this.place.has(this.selected) ? `item-${this.selected}` : "";
    if (this.box.getAttribute("aria-activedescendant") !== shown) this.box.setAttribute("aria-activedescendant", shown);
  }

  fill(row, at) {
    const number = this.order[at], item = this.items[number];
    const cause = this.causes.get(number) ?? "";
    const key = `${number} ${number === this.selected} ${cause} ${this.order.length} ${this.runs.length}`;
    if (row.dataset.key === key && row.items === this.items) return;
    row.items = this.items;
    row.dataset.key = key;
    row.dataset.item = number;
    row.id = `item-${number}`;
    row.style.transform = `translateY(${at * ROW}px)`;
    row.setAttribute("aria-posinset", at + 1);
    row.setAttribute("aria-setsize", this.order.length);
    row.setAttribute("aria-selected", number === this.selected);
    const first = this.runs[item.a === null ? 1 : 0].rows[item.a ?? item.b];
    const quiet = first.kind === "env" || first.effect === "draw" ? " draw" : "";
    row.className = `${item.state}${quiet}${number === this.selected ? " selected" : ""}${cause ? ` cause ${cause}` : ""}`;
    if (this.runs.length > 1) this.both(row, item);
    else this.one(row, this.runs[0].rows[item.a]);
  }

  one(row, event) {
    const run = this.runs[0];
    if (row.childElementCount !== 6) row.replaceChildren(...["id", "at", "lane", "kind", "what", "took"].map((name) => cell(name, "")));
    const [id, at, where, kinds, said, took] = row.children;
    put(id, `${event.id}`);
    put(at, event.start.toFixed(3));
    put(where, line(lane(run, event), 40));
    put(kinds, line(event.kind, 20), kindClass(event));
    put(said, line(event.label, 160), whatClass(event));
    put(took, event.end === null ? "" : seconds(event.end - event.start));
    if (event.inside !== null) row.classList.add("inside");
  }

  both(row, item) {
    const half = (side) => {
      const id = side === 0 ? item.a : item.b;
      const event = id === null ? null : this.runs[side].rows[id];
      return event ? [cell("id", event.id), kind(event), what(event)] : [cell("id", ""), cell("none", ""), cell("what missing", "—")];
    };
    const sign = { same: "", drawn: "", inherited: "≠", root: "◆" }[item.state];
    const name = { inherited: "differs because of a root", root: "a root: nothing before explains it" }[item.state];
    row.replaceChildren(...half(0), h("span", { class: "sign", title: name, "aria-label": name }, sign), ...half(1));
  }
}

const cell = (name, text) => h("span", { class: name }, `${text}`);
const kindClass = (event) => `kind k-${/^[a-z]+$/.test(event.kind) ? event.kind : "other"}`;
const whatClass = (event) => `what rec ${event.status} ${writes(event) ? "write" : ""}`;
const kind = (event) => h("span", { class: kindClass(event) }, line(event.kind, 20));
const what = (event) => h("span", { class: whatClass(event) }, line(event.label, 160));

/** Rows are filled again while one scrolls: what is as it was is left alone. */
function put(cell, text, name = cell.className) {
  if (cell.className !== name) cell.className = name;
  if (cell.firstChild === null) cell.append(text);
  else if (cell.firstChild.data !== text) cell.firstChild.data = text;
}

/** A call of a model is a POST; it changes nothing. */
export const writes = (event) => event.effect === "write" && event.kind !== "llm";

function lane(run, event) {
  const name = run.lane(event.lane);
  return event.agent === null ? name : `${run.agents[event.agent]} · ${name}`;
}
