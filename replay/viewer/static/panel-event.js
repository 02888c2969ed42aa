// The event panel: everything that was recorded of an event; of two, side by side.

import { ask, readOn } from "./api.js";
import { found, h, line, long, seconds } from "./dom.js";
import { badge, eventLink, facts, items, note, section, texts } from "./panels.js";
import { tree } from "./tree.js";

export async function event(app, signal) {
  const item = app.items[app.at];
  const sides = [item.a, item.b].map((id, side) => [id, side]).filter(([id, side]) => id !== null && side < app.runs.length);
  const found_ = await Promise.all(sides.map(([id, side]) => ask("event", { cassette: app.runs[side].name, event: id }, signal)));
  if (app.runs.length === 1) return whole(app, found_[0], 0, undefined);
  const halves = [0, 1].map((side) => {
    const at = sides.findIndex(([, each]) => each === side);
    const other = sides.findIndex(([, each]) => each !== side);
    const title = h("h2", { class: "side" }, side === 0 ? "A " : "B ", h("span", { class: "rec" }, app.runs[side].name));
    const inside = at < 0 ? [note("This run has no such step.")] : whole(app, found_[at], side, other < 0 ? undefined : found_[other]);
    return h("div", { class: "half" }, title, ...inside);
  });
  return [h("div", { class: "halves" }, ...halves)];
}

function whole(app, event, side, other) {
  const row = app.runs[side].rows[event.id];
  const params = { cassette: app.runs[side].name, event: event.id };
  const options = (name) => ({
    open: 3, hit: app.hit || app.text, other: other === undefined ? undefined : other[name] ?? null,
    rest: (path, start) => readOn("event", params, path, start),
    trace: (text) => app.go({ tab: "why", item: app.itemOf(event.id, side), value: text.slice(0, 2000) }, { push: true }),
  });
  const part = (title, name) => (event[name] === undefined || event[name] === null ? null : section(title, tree(event[name], options(name))));
  return [
    h("div", { class: "title" }, h("b", {}, `#${event.id}`), badge(row.kind, `k-${row.kind}`), h("span", { class: "name rec" }, row.label ? texts(event.name) : "")),
    h("div", { class: "badges" },
      badge(event.effect, event.effect === "write" ? "write" : ""), badge(event.status, event.status === "failed" ? "bad" : ""),
      row.inside === null ? null : h("span", {}, "inside ", eventLink(app, row.inside, { side }))),
    facts(
      ["at", `${seconds(event.at) || "0"}${event.took === null ? "" : `, took ${seconds(event.took)}`}`],
      ["lane", line(app.runs[side].lane(row.lane), 120)], ["agent", event.agent === null ? "" : texts(event.agent)],
      ["code", event.site === null ? "" : texts(event.site)],
    ),
    event.llm ? section("Answer", ...answer(app, event.llm, options("llm"))) : null,
    part("Error", "error"), part("Request", "request"), part("Response", "response"),
    items(event.pieces).length > 0 ? section(`Pieces (${event.pieces.of ?? event.pieces.length})`, tree(event.pieces, { ...options("pieces"), open: 0 })) : null,
    Object.keys(event.links ?? {}).length > 0 ? section("Links", tree(event.links, { ...options("links"), trace: null })) : null,
    part("Labels", "meta"), part("Source", "source"),
  ].filter(Boolean);
}

function answer(app, llm, options) {
  const text = (value, kind) => {
    const shown = texts(value);
    const marks = found(shown, app.hit || app.text);
    return h("div", { class: kind }, long(shown, { marks, of: value?.of ?? shown.length, rest: value?.path ? (from) => options.rest(value.path, from) : null }));
  };
  const usage = llm.usage ?? {};
  const tokens = [["input", usage.input], ["output", usage.output], ["cached", usage.cached], ["reasoning", usage.reasoning]].filter(([, count]) => count !== null && count !== undefined);
  return [
    llm.reasoning ? text(llm.reasoning, "thinks lines") : null,
    llm.text ? text(llm.text, "says lines") : null,
    ...items(llm.tool_calls).map((call) => h("div", { class: "call" }, h("span", { class: "soft" }, "asks for "), tree(call.parsed ?? texts(call.arguments), { ...options, other: undefined, name: texts(call.name) }))),
    ...items(llm.warnings).map((warning) => note(texts(warning))),
    facts(["tokens", tokens.map(([name, count]) => `${count} ${name}`).join(", ")], ["finish", texts(llm.finish_reason ?? "")], ["model", texts(llm.response_model ?? "")], ["wire", texts(llm.dialect)]),
  ];
}
