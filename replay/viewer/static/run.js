// One recording as the page holds it: its rows, lanes and agents. And what the page shows of it, or of two of them.

import { ask } from "./api.js";

const PAGE = 20000;

/** Rows are objects with the columns of `timeline`; `rows[id].id === id`. */
export class Run {
  constructor(name) {
    this.name = name;
    this.rows = [];
    this.lanes = [];
    this.agents = [];
    this.end = 0;
  }

  async read() {
    for (let offset = 0; offset !== null; ) {
      const page = await ask("timeline", { cassette: this.name, offset, limit: PAGE });
      const [id, kind, lane, start, end, label, status, effect, agent, inside, tone] =
        ["id", "kind", "lane", "start", "end", "label", "status", "effect", "agent", "inside", "tone"].map((column) => page.columns.indexOf(column));
      for (const row of page.rows) {
        this.rows.push({
          id: row[id], kind: text(row[kind]), lane: row[lane], start: row[start], end: row[end], label: text(row[label]),
          status: row[status], effect: row[effect], agent: row[agent], inside: row[inside], tone: row[tone],
        });
      }
      this.lanes = list(page.lanes).map(text);
      this.agents = list(page.agents).map(text);
      this.end = page.end;
      offset = page.next;
    }
    return this;
  }

  /** A lane in words: `task 3 · thread 2`. */
  lane(number) {
    return laneName(this.lanes[number] ?? `${number}`);
  }

  /** The last call of a model at or before an event, of the same agent where there is one. */
  callBefore(id) {
    const own = this.rows[id];
    let any = null;
    for (let at = id; at >= 0; at--) {
      const row = this.rows[at];
      if (row.kind !== "llm") continue;
      if (own.agent === null || row.agent === own.agent) return at;
      any ??= at;
    }
    return any;
  }
}

const text = (value) => (typeof value === "string" ? value : String(value?.$cut ?? value));
const list = (value) => (Array.isArray(value) ? value : Array.isArray(value?.$cut) ? value.$cut : []);

const WORDS = { t: "task", T: "thread", e: "executor job", g: "finaliser", c: "callback", x: "tool body" };

export function laneName(path) {
  const words = path.split("/").slice(1).map((part) => {
    const found = /^([a-zA-Z])(\d*)$/.exec(part);
    return found && WORDS[found[1]] ? `${WORDS[found[1]]}${found[2] ? ` ${found[2]}` : ""}` : part;
  });
  return words.length === 0 ? "main" : words.join(" › ");
}

/** What the list shows: an item per event, or per pair of events of two runs. `state`: same, inherited or root. */
export async function items(a, b) {
  if (b === null) return { items: a.rows.map((row) => ({ a: row.id, b: null, state: "same", root: null })), diff: null };
  const diff = await ask("diff", { a: a.name, b: b.name, limit: 1000 });
  const own = new Map(diff.roots.map((root, number) => [`${root.a} ${root.b}`, number]));
  const found = [];
  for (let offset = 0; offset !== null; ) {
    const page = await ask("align", { a: a.name, b: b.name, offset, limit: PAGE });
    for (const [one, other, same, root] of page.rows) {
      const at = own.get(`${one} ${other}`);
      const state = at !== undefined ? "root" : same || root === null ? (same ? "same" : "drawn") : "inherited";
      found.push({ a: one, b: other, state, root: at ?? root });
    }
    offset = page.next;
  }
  return { items: found, diff };
}
