// What panels have in common. A panel is `async (app, signal) => [elements]`: what it says of the selected item.

import { h, line } from "./dom.js";

/** A link to an event of a run, which carries on in what the page shows. `hit`: a text to be marked there. */
export function eventLink(app, id, { side = 0, hit = null, tab = null, words = null } = {}) {
  const row = app.runs[side].rows[id];
  if (row === undefined) return h("span", {}, `#${id}`);
  const said = words ?? `${row.kind} ${line(row.label, 90)}`;
  return h("a", {
    class: "event", href: app.address({ event: id, side, tab: tab ?? "event", hit }), title: line(row.label, 300),
    onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      app.go({ item: app.itemOf(id, side), tab: tab ?? "event", hit }, { push: true });
    },
  }, h("b", {}, `#${id}`), " ", h("span", { class: "rec" }, said));
}

export const LINKS = {
  recorded: "recorded: the recording itself says so",
  inferred: "inferred: from the text; likely, not proved",
  confirmed: "confirmed: without it, the call isn't made",
  refuted: "refuted: the call is made without it, too",
};

/** The kind of a link: a line like the one in the timeline, and its name. */
export function linkBadge(kind) {
  return h("span", { class: `link ${kind}`, title: LINKS[kind] ?? "" }, h("i", { "aria-hidden": "true" }), kind);
}

export const badge = (text, kind = "") => h("span", { class: `badge rec ${kind}` }, line(`${text}`, 80));

/** A part of a panel under a heading. */
export function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), ...children);
}

export const note = (text) => h("p", { class: "note rec" }, text);

/** A table of facts: `[name, content]`, without those that have none. */
export function facts(...pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, shown.map(([name, value]) => [h("dt", {}, name), h("dd", { class: "rec" }, typeof value === "string" ? line(value, 240) : value instanceof Node ? value : `${value}`)]));
}

export const texts = (value) => (typeof value === "string" ? value : value?.$cut !== undefined ? `${value.$cut}` : `${value ?? ""}`);
export const items = (value) => (Array.isArray(value) ? value : Array.isArray(value?.$cut) ? value.$cut : []);
export const pairs = (value) => Object.entries((value?.$cut && value?.path !== undefined ? value.$cut : value) ?? {});
