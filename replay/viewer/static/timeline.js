// The timeline: a canvas with a lane per task or thread. Drag on the ruler scrubs, drag on the lanes pans
// (scrubs, too, where all is in view), the wheel zooms.
//
// x is the position in the list ("steps": every event is equally wide, two runs stand aligned) or the time of the
// recording. Drawn anew per frame, only what is in view, and of what falls on the same pixel of a lane only one.

import { h, line, say, seconds } from "./dom.js";

const GUTTER = 132, RULER = 18, LEAST = 5, MOST = 18, LOWEST = 72, TALLEST = 220;

const KINDS = ["llm", "tool", "memory", "http", "file", "process", "mcp", "db", "gap", "output", "agent", "entry", "grpc"];
const COLOURS = [
  "panel", "ruler", "stripe", "grid", "soft", "accent", "bad", "write", "root", "inherited", "same", "kind-other", ...KINDS.map((kind) => `kind-${kind}`),
  ...["recorded", "inferred", "confirmed", "refuted"].map((kind) => `link-${kind}`),
];

/** The name of an event's colour: what it is; of two runs, how it differs. */
function tone(row, item, runs) {
  if (runs > 1) return item.state === "root" || item.state === "inherited" ? item.state : "same";
  return KINDS.includes(row.kind) ? `kind-${row.kind}` : "kind-other";
}

export class Timeline {
  /** `select(item)`: the user chose one. */
  constructor(place, select) {
    this.select = select;
    this.canvas = h("canvas", { tabindex: "0", role: "slider", "aria-label": "Position in the recording", "aria-valuemin": "0" });
    this.tip = h("div", { id: "tip", class: "hidden", "aria-hidden": "true" });
    place.append(this.canvas, this.tip);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.drawn = document.createElement("canvas"); // everything but the cursor and the links, which change more often
    this.stale = true;
    this.runs = [];
    this.items = [];
    this.axis = "steps";
    this.from = 0;
    this.to = 1;
    this.scroll = 0;
    this.selected = -1;
    this.shown = null;
    this.arcs = [];
    this.waiting = false;
    this.hover = -1;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(place);
  }

  /** New contents: runs, items, and which of them the filter lets through (null: all). */
  set(runs, items) {
    this.runs = runs;
    this.items = items;
    this.lay();
    this.fit();
  }

  /** Positions of items, on the axis and in lanes. */
  lay() {
    const count = this.items.length;
    this.lanes = [];
    this.runs.forEach((run, side) => run.lanes.forEach((_, lane) => this.lanes.push({ side, lane, name: laneLabel(run, lane) })));
    const before = this.runs.length > 1 ? this.runs[0].lanes.length : 0;
    this.x0 = this.runs.map(() => new Float64Array(count).fill(NaN));
    this.x1 = this.runs.map(() => new Float64Array(count));
    this.y = this.runs.map(() => new Uint32Array(count));
    this.reach = new Float64Array(count);
    this.tones = this.runs.map(() => new Array(count));
    this.end = this.axis === "steps" ? Math.max(1, count) : Math.max(1e-6, ...this.runs.map((run) => run.end));
    let reach = 0;
    for (let at = 0; at < count; at++) {
      for (let side = 0; side < this.runs.length; side++) {
        const id = side === 0 ? this.items[at].a : this.items[at].b;
        if (id === null) continue;
        const row = this.runs[side].rows[id];
        this.x0[side][at] = this.axis === "steps" ? at : row.start;
        this.x1[side][at] = this.axis === "steps" ? at + 0.86 : row.end ?? row.start;
        this.y[side][at] = row.lane + (side === 1 ? before : 0);
        this.tones[side][at] = tone(row, this.items[at], this.runs.length);
        reach = Math.max(reach, this.x1[side][at]);
      }
      this.reach[at] = reach;
    }
    this.span = this.axis === "steps" ? 8 : 2e-6;
  }

  setAxis(axis) {
    this.axis = axis;
    this.lay();
    this.fit();
    if (this.selected >= 0) this.show(this.selected);
  }

  fit() {
    this.from = 0;
    this.to = this.end;
    this.resize();
  }

  resize() {
    const place = this.canvas.parentElement;
    const rows = this.lanes?.length ?? 1;
    this.row = Math.max(LEAST, Math.min(MOST, Math.floor((TALLEST - RULER) / Math.max(1, rows))));
    const height = Math.min(TALLEST, Math.max(LOWEST, RULER + rows * this.row + 6));
    this.width = place.clientWidth;
    this.height = height;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.width * ratio));
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawn.width = this.canvas.width;
    this.drawn.height = this.canvas.height;
    this.ratio = ratio;
    this.colours();
    this.draw();
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    this.colour = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.stale = true;
  }

  /** The item that is selected; brought into view. */
  mark(item) {
    this.selected = item;
    if (item >= 0) {
      this.show(item);
      const name = this.describe(item);
      this.canvas.setAttribute("aria-valuemax", `${Math.max(0, this.items.length - 1)}`);
      this.canvas.setAttribute("aria-valuenow", `${item}`);
      this.canvas.setAttribute("aria-valuetext", name);
    }
    this.draw(false);
  }

  describe(item) {
    const { a, b } = this.items[item];
    const side = a === null ? 1 : 0;
    const row = this.runs[side].rows[a ?? b];
    return `event ${row.id} of ${this.runs[side].rows.length}: ${row.kind} ${line(row.label, 120)}, ${this.runs[side].lane(row.lane)}`;
  }

  show(item) {
    const at = this.xOf(item), wide = this.to - this.from;
    if (at < this.from + wide * 0.02 || at > this.to - wide * 0.04) {
      if (wide < this.end) this.move(at - wide / 2);
    }
    const side = this.items[item].a === null ? 1 : 0;
    const top = this.y[side][item] * this.row, room = this.height - RULER;
    if (top >= this.scroll && top + this.row <= this.scroll + room) return;
    this.scroll = Math.max(0, top - room / 2);
    this.stale = true;
  }

  xOf(item) {
    const one = this.x0[0][item];
    return Number.isNaN(one) && this.runs.length > 1 ? this.x0[1][item] : one;
  }

  move(from) {
    const wide = this.to - this.from;
    this.from = Math.max(0, Math.min(from, this.end - wide));
    this.to = this.from + wide;
    this.draw();
  }

  zoom(by, at = (this.from + this.to) / 2) {
    const wide = Math.max(this.span, Math.min(this.end, (this.to - this.from) * by));
    const share = (at - this.from) / (this.to - this.from || 1);
    this.from = at - share * wide;
    this.to = this.from + wide;
    this.move(this.from);
  }

  /** `arcs`: [from item, to item, kind of link]. `shown`: which items the filter lets through, null for all. */
  overlay({ arcs = this.arcs, shown = this.shown }) {
    const same = shown === this.shown;
    this.arcs = arcs;
    this.shown = shown;
    this.draw(!same);
  }

  /** In the next frame. `all`: not only the cursor and the links. */
  draw(all = true) {
    this.stale ||= all;
    if (this.waiting || !this.x0) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  scale() {
    return (this.width - GUTTER) / (this.to - this.from || 1);
  }

  paint() {
    const { context: c, width, height } = this;
    if (this.stale) {
      this.stale = false;
      const over = this.drawn.getContext("2d", { alpha: false });
      over.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      this.events(over);
    }
    c.save();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.drawImage(this.drawn, 0, 0);
    c.restore();
    c.save();
    c.beginPath();
    c.rect(GUTTER, RULER, width - GUTTER, height - RULER);
    c.clip();
    const scale = this.scale();
    this.links(scale);
    this.cursor(scale);
    c.restore();
  }

  events(c) {
    const { colour, width, height } = this;
    c.fillStyle = colour.panel;
    c.fillRect(0, 0, width, height);
    this.rulers(c);
    const scale = this.scale();
    c.save();
    c.beginPath();
    c.rect(0, RULER, width, height - RULER);
    c.clip();
    this.names(c);
    c.beginPath();
    c.rect(GUTTER, RULER, width - GUTTER, height - RULER);
    c.clip();
    const first = this.first(), last = this.last();
    const filled = new Int32Array(this.lanes.length).fill(-1);
    for (let at = first; at < last; at++) {
      for (let side = 0; side < this.runs.length; side++) {
        const x0 = this.x0[side][at];
        if (Number.isNaN(x0)) continue;
        const lane = this.y[side][at];
        const left = GUTTER + (x0 - this.from) * scale;
        const right = Math.max(left + 1.5, GUTTER + (this.x1[side][at] - this.from) * scale);
        if (right < GUTTER || right <= filled[lane]) continue;
        const item = this.items[at];
        const row = this.runs[side].rows[side === 0 ? item.a : item.b];
        const out = this.shown !== null && !this.shown.has(at);
        c.globalAlpha = out ? 0.12 : row.inside !== null ? 0.55 : 1;
        const top = RULER + lane * this.row - this.scroll;
        if (top > height || top + this.row < RULER) continue;
        const tall = Math.max(2, this.row - 3);
        c.fillStyle = colour[this.tones[side][at]];
        c.fillRect(left, top + 1, right - left, tall);
        if (row.status === "failed" || row.kind === "gap") {
          c.fillStyle = colour.bad;
          c.fillRect(left, top + tall - 1, right - left, 2);
        } else if (row.effect === "write" && row.kind !== "llm" && this.row > 7) {
          c.fillStyle = colour.write;
          c.fillRect(left, top + 1, right - left, 2);
        }
        if (!out) filled[lane] = Math.floor(right);
      }
    }
    c.globalAlpha = 1;
    c.restore();
  }

  first() {
    let low = 0, high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.reach[middle] < this.from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  last() {
    if (this.axis === "steps") return Math.min(this.items.length, Math.ceil(this.to) + 1);
    let low = 0, high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.xOf(middle) > this.to) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  rulers(c) {
    const { colour, width } = this;
    c.fillStyle = colour.ruler;
    c.fillRect(0, 0, width, RULER);
    c.fillStyle = colour.soft;
    c.font = "11px system-ui, sans-serif";
    c.textBaseline = "middle";
    c.fillText(this.axis === "steps" ? "steps" : "time", 8, RULER / 2);
    const wide = this.to - this.from, room = Math.max(1, Math.floor((width - GUTTER) / 90));
    let step = 10 ** Math.floor(Math.log10(wide / room));
    step *= [1, 2, 5, 10].find((by) => wide / (step * by) <= room) ?? 10;
    if (this.axis === "steps") step = Math.max(1, Math.round(step));
    const scale = this.scale();
    c.strokeStyle = colour.grid;
    c.lineWidth = 1;
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = Math.round(GUTTER + (at - this.from) * scale) + 0.5;
      c.beginPath();
      c.moveTo(x, RULER - 4);
      c.lineTo(x, this.height);
      c.stroke();
      c.fillText(this.axis === "steps" ? `${at}` : seconds(at) || "0", x + 3, RULER / 2);
    }
  }

  names(c) {
    const { colour } = this;
    const every = Math.max(1, Math.ceil(10 / this.row));
    c.font = `${Math.min(11, Math.max(9, this.row - 3))}px system-ui, sans-serif`;
    for (const [number, { name, side }] of this.lanes.entries()) {
      const top = RULER + number * this.row - this.scroll;
      if (top + this.row < RULER || top > this.height) continue;
      if (number % 2 === 1) {
        c.fillStyle = colour.stripe;
        c.fillRect(0, top, this.width, this.row);
      }
      if (number % every !== 0) continue;
      c.fillStyle = colour.soft;
      const label = this.runs.length > 1 ? `${side === 0 ? "A" : "B"} ${name}` : name;
      c.fillText(fitted(c, label, GUTTER - 16), 8, top + this.row / 2);
    }
  }

  links(scale) {
    const { context: c, colour } = this;
    for (const [from, to, kind] of this.arcs) {
      const side = this.items[from].a === null ? 1 : 0, other = this.items[to].a === null ? 1 : 0;
      const x0 = GUTTER + (this.xOf(from) - this.from) * scale + 3, x1 = GUTTER + (this.xOf(to) - this.from) * scale + 3;
      const y0 = RULER + (this.y[side][from] + 0.5) * this.row - this.scroll, y1 = RULER + (this.y[other][to] + 0.5) * this.row - this.scroll;
      c.strokeStyle = colour[`link-${kind}`];
      c.lineWidth = kind === "confirmed" ? 3 : 1.5;
      c.setLineDash(kind === "inferred" ? [4, 3] : kind === "refuted" ? [1, 4] : []);
      c.beginPath();
      c.moveTo(x0, y0);
      const lift = Math.min((this.height - Math.max(y0, y1)) * 1.2, 12 + Math.abs(x1 - x0) * 0.12); // it stays in view
      c.bezierCurveTo(x0, y0 + lift, x1, y1 + lift, x1, y1);
      c.stroke();
      c.setLineDash([]);
      c.fillStyle = colour[`link-${kind}`];
      c.beginPath();
      c.arc(x0, y0, 3, 0, 7);
      c.fill();
    }
    c.lineWidth = 1;
  }

  cursor(scale) {
    const { context: c, colour } = this;
    if (this.selected < 0 || this.selected >= this.items.length) return;
    const x = GUTTER + (this.xOf(this.selected) - this.from) * scale;
    const wide = Math.max(2, this.axis === "steps" ? 0.86 * scale : 2);
    c.fillStyle = colour.accent;
    c.globalAlpha = 0.22;
    c.fillRect(x - 1, RULER, wide + 2, this.height);
    c.globalAlpha = 1;
    c.fillRect(x - 1, RULER, 1.5, this.height);
  }

  /** The item nearest to a place on the canvas; a lane's own before others. */
  at(x, y) {
    const value = this.from + (x - GUTTER) / this.scale();
    if (this.axis === "steps") return Math.max(0, Math.min(this.items.length - 1, Math.floor(value)));
    const lane = y > RULER ? Math.floor((y - RULER + this.scroll) / this.row) : -1;
    let best = -1, least = Infinity;
    for (let at = this.first(), last = this.last(); at < last; at++) {
      for (let side = 0; side < this.runs.length; side++) {
        const x0 = this.x0[side][at];
        if (Number.isNaN(x0)) continue;
        const away = (value < x0 ? x0 - value : Math.max(0, value - this.x1[side][at])) + (lane >= 0 && this.y[side][at] !== lane ? this.end : 0);
        if (away <= least) { least = away; best = at; }
      }
    }
    return best >= 0 ? best : Math.max(0, Math.min(this.items.length - 1, this.last() - 1));
  }

  listen() {
    let held = null;
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (this.items.length === 0 || event.button !== 0) return;
      const [x, y] = place(event);
      this.canvas.setPointerCapture(event.pointerId);
      held = { x, from: this.from, scrub: y < RULER || event.shiftKey || this.to - this.from >= this.end, moved: false };
      if (held.scrub) this.select(this.at(x, y));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      if (held?.scrub) this.select(this.at(x, y));
      else if (held) {
        held.moved ||= Math.abs(x - held.x) > 3;
        if (held.moved) this.move(held.from - (x - held.x) / this.scale());
      } else this.hint(x, y);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const [x, y] = place(event);
      if (held && !held.scrub && !held.moved) this.select(this.at(x, y));
      held = null;
    });
    this.canvas.addEventListener("pointerleave", () => this.tip.classList.add("hidden"));
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [x] = place(event);
      const by = event.deltaMode === 1 ? 16 : 1;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.move(this.from + ((event.deltaX || event.deltaY) * by) / this.scale());
      } else if (event.altKey) {
        const most = Math.max(0, this.lanes.length * this.row - (this.height - RULER));
        this.scroll = Math.max(0, Math.min(most, this.scroll + event.deltaY * by));
        this.draw();
      } else this.zoom(Math.exp(event.deltaY * by * 0.0018), this.from + Math.max(0, x - GUTTER) / this.scale());
    }, { passive: false });
    this.canvas.addEventListener("dblclick", () => this.fit());
    this.canvas.addEventListener("keydown", (event) => {
      const last = this.items.length - 1, page = Math.max(1, Math.round(last / 20));
      const to = { ArrowLeft: this.selected - 1, ArrowRight: this.selected + 1, PageUp: this.selected - page, PageDown: this.selected + page, Home: 0, End: last }[event.key];
      if (to !== undefined) this.select(Math.max(0, Math.min(last, to)));
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.hop(event.key === "ArrowUp" ? -1 : 1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** To the nearest event of the lane above or below. */
  hop(by) {
    if (this.selected < 0) return this.select(0);
    const side = this.items[this.selected].a === null ? 1 : 0;
    const lane = this.y[side][this.selected] + by;
    if (lane < 0 || lane >= this.lanes.length) return undefined;
    const { side: want } = this.lanes[lane];
    for (let away = 0; away < this.items.length; away++) {
      for (const at of [this.selected - away, this.selected + away]) {
        if (at >= 0 && at < this.items.length && !Number.isNaN(this.x0[want][at]) && this.y[want][at] === lane) return this.select(at);
      }
    }
    return say("no event in that lane");
  }

  hint(x, y) {
    if (x < GUTTER || y < RULER || this.items.length === 0) return void this.tip.classList.add("hidden");
    const item = this.at(x, y);
    if (item < 0) return undefined;
    this.tip.textContent = this.describe(item);
    this.tip.style.left = `${Math.min(x + 12, Math.max(0, this.width - 420))}px`;
    this.tip.style.top = `${this.height + 2}px`;
    this.tip.classList.remove("hidden");
    return undefined;
  }
}

function laneLabel(run, lane) {
  const agents = new Set();
  for (const row of run.rows) if (row.lane === lane && row.agent !== null && agents.add(row.agent).size > 1) break;
  const name = run.lane(lane);
  return line(agents.size === 1 ? `${run.agents[[...agents][0]]} · ${name}` : name, 60);
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > room) length--;
  return `${text.slice(0, length)}…`;
}
