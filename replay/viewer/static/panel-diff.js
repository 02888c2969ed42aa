// The differences of two runs: causes, each with what it changed; what differs because of them is counted.

import { h, line } from "./dom.js";
import { badge, facts, items, note, pairs, section, texts } from "./panels.js";
import { tree } from "./tree.js";

export async function diff(app) {
  const found = app.diff;
  const roots = items(found.roots);
  const selected = app.items[app.at]?.root;
  return [
    h("div", { class: "title" }, found.identical ? "Nothing differs but times, ids and random numbers." : `${found.total} ${found.total === 1 ? "root" : "roots"}, ${found.inherited} differences because of them`),
    roots.length === 0 ? null : section("Roots: nothing before explains them", h("ol", { class: "roots" }, roots.map((root, number) => one(app, root, number, selected)))),
    pairs(found.surroundings).length === 0 ? null : section("Where they ran", facts(...pairs(found.surroundings).map(([name, [a, b]]) => [line(name, 80), `${short(a)} → ${short(b)}`]))),
    pairs(found.ends).length === 0 ? null : section("How they ended", facts(...pairs(found.ends).map(([name, [a, b]]) => [line(name, 80), `${short(a)} → ${short(b)}`]))),
    items(found.windows).length === 0 ? null : section("What the model was given to read", ...items(found.windows).map((window) => h("div", { class: "window" }, h("h3", {}, link(app, window.a, window.b)), h("ul", {}, items(window.shifts).map(shift))))),
    found.identical ? null : note("`replay bisect inputs` finds by execution which of the roots made it go wrong."),
  ].filter(Boolean);
}

function one(app, root, number, selected) {
  return h("li", { class: selected === number ? "selected" : "" },
    h("div", { class: "who" }, badge(texts(root.class), `c-${texts(root.class)}`), root.a === null && root.b === null ? null : link(app, root.a, root.b), h("span", { class: "rec" }, line(texts(root.what), 300)), root.inherited ? h("span", { class: "soft" }, `→ ${root.inherited} more`) : null),
    h("dl", { class: "changes" }, pairs(root.changes).map(([name, change]) => {
      const [a, b] = items(change);
      return [h("dt", { class: "rec" }, line(name, 120)), h("dd", {}, h("div", { class: "was" }, tree(a, { open: 0 })), h("div", { class: "now" }, tree(b, { open: 0 })))];
    })));
}

function link(app, a, b) {
  const item = app.items.findIndex((each) => each.a === a && each.b === b);
  const name = `A ${a === null ? "—" : `#${a}`} · B ${b === null ? "—" : `#${b}`}`;
  if (item < 0) return h("span", {}, name);
  return h("a", { class: "event", href: app.address({ item, tab: "event" }), onclick: (event) => { event.preventDefault(); app.go({ item, tab: "event" }, { push: true }); } }, h("b", {}, name));
}

const shift = (each) => h("li", { class: "rec" }, badge(texts(each.what), each.what === "injected" ? "good" : each.what === "dropped" ? "bad" : "warn"), " ",
  each.before ? h("div", { class: "was" }, line(texts(each.before), 800)) : null, each.after ? h("div", { class: "now" }, line(texts(each.after), 800)) : null);

const short = (value) => line(typeof value === "string" ? value : JSON.stringify(value) ?? "", 300);
