// The memory panel: what every store held before the selected event and after it; of a key, who wrote and read it.

import { ask, readOn } from "./api.js";
import { h, line, long } from "./dom.js";
import { badge, eventLink, items, note, pairs, section, texts } from "./panels.js";
import { tree } from "./tree.js";

export async function memory(app, signal) {
  const side = app.side;
  const run = app.runs[side];
  const id = app.eventAt(side);
  const [before, after] = await Promise.all([id, id + 1].map((at) => ask("memory", { cassette: run.name, at }, signal)));
  const stores = pairs(after.stores);
  for (const [name, content] of pairs(before.stores)) if (!stores.some(([other]) => other === name)) stores.push([name, {}, content]);
  if (stores.length === 0) return [note(`No memory had been used by event ${id}. Stores are declared with replay.memory, or known by their library.`)];
  return [
    h("div", { class: "title" }, `Memory after event ${id}`),
    ...stores.map(([name, content]) => {
      const was = new Map(pairs(pairs(before.stores).find(([other]) => other === name)?.[1]));
      const now = new Map(pairs(content));
      const keys = [...now.keys(), ...[...was.keys()].filter((key) => !now.has(key))];
      return section(h("span", { class: "rec" }, `${line(name, 80)} — ${keys.length} ${keys.length === 1 ? "key" : "keys"}`), h("div", { class: "store" }, keys.map((key) => row(app, run, side, id, name, key, was, now, after))));
    }),
  ];
}

function row(app, run, side, id, store, key, was, now) {
  const state = !now.has(key) ? "gone" : !was.has(key) ? (run.rows[id].effect === "read" ? "first read" : "new") : JSON.stringify(was.get(key)) === JSON.stringify(now.get(key)) ? "" : "changed";
  const value = now.has(key) ? now.get(key) : was.get(key);
  const options = {
    open: 0, hit: app.hit || app.text, rest: (path, start) => readOn("memory", { cassette: run.name, at: id + 1 }, path, start),
    trace: (text) => app.go({ item: app.itemOf(id, side), hit: text.slice(0, 400), filter: `kind:memory "${text.slice(0, 60).replaceAll('"', "")}"` }, { push: true }),
  };
  const history = h("div", { class: "history" });
  const more = h("details", { class: "keyed", ontoggle: async () => {
    if (!more.open || history.childElementCount > 0) return;
    history.append(note("…"));
    try {
      const read = await ask("memory", { cassette: run.name, key: `${store}:${key}`, limit: 20 });
      history.replaceChildren(...items(read.keys).flatMap((each) => items(each.history)).map((entry) => access(app, side, id, entry)));
    } catch (error) { history.replaceChildren(note(error.message)); }
  } }, h("summary", {}, h("span", { class: "key rec" }, line(key, 120)), state ? badge(state, state === "gone" ? "bad" : "good") : null), history);
  const old = state === "changed" ? h("div", { class: "was" }, h("span", { class: "soft" }, "before: "), tree(was.get(key), { ...options, trace: null })) : null;
  return h("div", { class: `entry ${state === "first read" ? "new" : state}` }, more, tree(value, options), old);
}

/** One access of a key: what it was, and who decided it, what it came from, what it reached. */
function access(app, side, id, entry) {
  const write = entry.effect === "write";
  const more = [];
  const decided = entry.decided_by?.event;
  if (write && decided !== null && decided !== undefined) more.push(h("div", { class: "soft" }, "decided by ", eventLink(app, decided, { side })));
  for (const out of items(entry.out_of).slice(0, 5)) more.push(h("div", { class: "soft" }, "out of ", eventLink(app, out.event, { side })));
  if (!write && entry.written_by !== null && entry.written_by !== undefined) more.push(h("div", { class: "soft" }, "written by ", eventLink(app, entry.written_by.event, { side })));
  if (entry.foreign) more.push(h("div", {}, badge("nobody who was recorded wrote this", "bad")));
  if (entry.reached !== null && entry.reached !== undefined) more.push(h("div", { class: "soft" }, "reached ", eventLink(app, entry.reached, { side, tab: "context" })));
  return h("div", { class: `access ${entry.event > id ? "later" : ""}` },
    h("div", {}, badge(texts(entry.op), write ? "write" : ""), eventLink(app, entry.event, { side, words: "" }), " ", long(texts(typeof entry.new === "string" ? entry.new : JSON.stringify(entry.new ?? entry.value ?? null)), { first: 200 })), ...more);
}
