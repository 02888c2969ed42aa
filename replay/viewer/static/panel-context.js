// The context panel: what the model had in its window, where each message came from, what entered and left since its last call.

import { ask, readOn } from "./api.js";
import { found, h, line, long } from "./dom.js";
import { badge, eventLink, facts, items, note, pairs, section, texts } from "./panels.js";

export async function context(app, signal) {
  const side = app.side;
  const run = app.runs[side];
  const own = app.eventAt(side);
  const id = run.callBefore(own);
  if (id === null) return [note("No model had been called by then.")];
  const params = { cassette: run.name, event: id };
  const window = await ask("context", { ...params, limit: 500 }, signal);
  const entered = new Map(), left = [];
  for (const change of items(window.changes)) {
    if (change.b === null) left.push(change);
    else entered.set(change.b, change);
  }
  const counts = [entered.size ? `${entered.size} entered or changed` : "", left.length ? `${left.length} left` : ""].filter(Boolean).join(", ");
  return [
    h("div", { class: "title" }, id === own ? "The window of " : "At this step, the window was last that of ", eventLink(app, id, { side })),
    facts(
      ["since", window.previous === null ? "the first call" : h("span", {}, eventLink(app, window.previous, { side, tab: "context" }), counts ? ` — ${counts}` : " — nothing changed")],
      ["tokens", window.tokens.input === null ? "" : `${window.tokens.input} in, ${window.tokens.output ?? "?"} out`],
      ["whole", window.whole ? "" : "not all events before this call were looked at for origins"],
    ),
    ...pairs(window.other).map(([name, { before, after }]) => note(`${line(name, 80)}: ${line(short(before), 300)} → ${line(short(after), 300)}`)),
    items(window.tools).length === 0 ? null : h("details", { class: "tools" },
      h("summary", {}, `${window.tools.of ?? items(window.tools).length} tools offered: `, h("span", { class: "rec soft" }, line(items(window.tools).map((tool) => texts(tool.name)).join(", "), 300))),
      h("ul", {}, items(window.tools).map((tool) => h("li", { class: "rec" }, h("b", {}, line(texts(tool.name), 100)), " ", line(texts(tool.description ?? ""), 600))))),
    left.length === 0 ? null : section("Left the window", h("ol", { class: "messages" }, left.map((change) => h("li", { class: "message left" }, h("div", { class: "who" }, badge(change.what, "bad")), long(texts(change.before), { first: 400 }))))),
    section(`Messages (${window.total})`, messages(app, window, side, params, entered)),
    ...items(window.warnings).map((warning) => note(texts(warning))),
  ].filter(Boolean);
}

function messages(app, window, side, params, entered) {
  const list = h("ol", { class: "messages" });
  const put = (page) => page.messages.forEach((message) => list.append(one(app, message, side, params, entered.get(message.number))));
  put(window);
  let next = window.next;
  if (next !== null) {
    const more = h("button", { class: "more", type: "button", onclick: async () => {
      const page = await ask("context", { ...params, offset: next, limit: 500 });
      more.remove();
      put(page);
      next = page.next;
      if (next !== null) list.append(more);
    } }, "… more messages");
    list.append(more);
  }
  return list;
}

function one(app, message, side, params, change) {
  const text = texts(message.text);
  const marks = found(text, app.hit || app.text);
  for (const part of items(message.parts)) {
    const words = texts(part.part ?? "");
    const at = words ? text.indexOf(words) : -1;
    if (at >= 0 && part.event !== null) {
      marks.push([at, at + words.length, "recorded", `from #${part.event} ${part.kind} ${line(texts(part.name ?? ""), 60)}`, () => app.go({ item: app.itemOf(part.event, side), tab: "event", hit: words.slice(0, 400) }, { push: true })]);
    }
  }
  const from = message.from;
  const origin = from.event === null
    ? h("span", { class: "soft" }, `from ${from.kind === "code" ? "the program's code" : from.kind}`)
    : h("span", { class: "soft" }, "from ", eventLink(app, from.event, { side, hit: text.slice(0, 200), words: `${from.kind} ${line(texts(from.name ?? ""), 60)}` }));
  const sign = change === undefined ? null : badge(change.what === "injected" ? "entered" : change.what, change.what === "injected" ? "good" : "warn");
  const before = change !== undefined && change.before ? h("details", {}, h("summary", {}, "before"), long(texts(change.before), { first: 600 })) : null;
  return h("li", { class: `message ${change === undefined ? "" : change.what === "injected" ? "entered" : "changed"}` },
    h("div", { class: "who" }, h("span", { class: "soft" }, `${message.number}`), badge(texts(message.role), `r-${/^[a-z]+$/.test(texts(message.role)) ? texts(message.role) : "other"}`), sign, origin),
    h("div", { class: "lines" }, long(text, { first: 1200, marks, of: message.text?.of ?? text.length, rest: message.text?.path ? (start) => readOn("context", { ...params, limit: 500 }, message.text.path, start) : null })),
    before);
}

const short = (value) => (typeof value === "string" ? value : JSON.stringify(value));
