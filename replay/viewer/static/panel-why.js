// The why panel: what accounts for the selected call; of a value, the texts that it stood in before.

import { ask } from "./api.js";
import { h, line, long, rec } from "./dom.js";
import { badge, eventLink, items, linkBadge, LINKS, note, section, texts } from "./panels.js";

export async function why(app, signal) {
  const side = app.side;
  const run = app.runs[side];
  const id = app.eventAt(side);
  const value = app.value;
  let found;
  try {
    found = await ask("why", { cassette: run.name, event: id, value: value || null }, signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return [note(error.message)];
  }
  const causes = items(found.causes);
  const through = items(found.came_through).filter((each) => each !== id);
  const arcs = causes.map((cause) => [cause.event, id, cause.link]);
  if (value) arcs.splice(0, arcs.length, ...causes.filter((cause) => fits(cause, value)).map((cause) => [cause.event, id, cause.link]), ...through.map((each) => [each, id, "recorded"]));
  app.explain(arcs.filter(([from]) => from !== id), side);
  const ranked = value ? [...causes].sort((one, other) => fits(other, value) - fits(one, value)) : causes;
  return [
    h("div", { class: "title" }, "Why ", eventLink(app, id, { side })),
    found.inside === null || found.inside === id ? null : note(h("span", {}, "It happened inside ", eventLink(app, found.inside, { side, tab: "why" }), ", which is what is explained.")),
    found.decision === null || found.decision === id ? null : h("p", { class: "note" }, linkBadge("recorded"), " asked for by ", eventLink(app, found.decision, { side, tab: "context" })),
    value ? section(h("span", {}, "Where ", h("q", { class: "rec" }, line(value, 80)), " comes from"), came(app, side, through, value, causes, id)) : null,
    section("Causes, best first", causes.length === 0 ? note("Nothing that was recorded before accounts for it.") : h("ol", { class: "causes" }, ranked.map((cause) => one(app, side, cause, value)))),
    items(found.made_up).length === 0 ? null : section("Made up", h("ul", {}, items(found.made_up).map((each) => h("li", { class: "rec" }, badge(texts(each.argument)), " ", rec(texts(each.value)), " stands in nothing the model had read")))),
    h("p", { class: "legend" }, ["recorded", "inferred", "confirmed"].map((kind) => h("span", { title: LINKS[kind] }, linkBadge(kind)))),
    note("`replay why --intervene` puts causes to the test, and confirms or refutes them."),
  ].filter(Boolean);
}

const same = (one, other) => one.includes(other) || other.includes(one);

/** Whether the cause's evidence has the value. */
function fits(cause, value) {
  const want = value.toLowerCase();
  return items(cause.evidence).some((each) => each.kind === "value" && same(texts(each.value).toLowerCase(), want)) ? 1 : 0;
}

function came(app, side, through, value, causes, id) {
  const best = causes.find((cause) => fits(cause, value));
  if (through.length === 0 && best === undefined) return note("It stands in nothing that was recorded before: the program or the model made it.");
  const first = through[0];
  return h("ol", { class: "came" }, through.slice(0, 50).map((each) => h("li", {}, linkBadge("recorded"), " ", eventLink(app, each, { side, hit: value }), each === first ? badge("first", "good") : null)),
    through.length > 50 ? note(`${through.length - 50} more`) : null,
    best && !through.includes(best.event) && best.event !== id ? h("li", {}, linkBadge(best.link), " ", eventLink(app, best.event, { side, hit: value })) : null);
}

function one(app, side, cause, value) {
  const evidence = items(cause.evidence);
  const hit = evidence.find((each) => each.kind === "directive" || each.kind === "value" || each.kind === "request");
  return h("li", { class: `cause ${value && !fits(cause, value) ? "away" : ""}` },
    h("div", { class: "who" },
      h("meter", { min: 0, max: 1, value: Math.min(1, cause.score), "aria-label": "score", title: `score ${cause.score}` }), h("span", { class: "score" }, cause.score.toFixed(2)), linkBadge(cause.link),
      badge(texts(cause.role)), eventLink(app, cause.event, { side, hit: hit ? texts(hit.text).slice(0, 400) : null })),
    h("ul", { class: "evidence" }, evidence.map((each) => say(app, side, each)).filter(Boolean)));
}

const WORDS = { window: "it was in the window of", directive: "it tells somebody to do this", request: "what the user or operator asked for", via: "it came through", trust: "its source is labelled" };

function say(app, side, each) {
  const text = each.text ? long(texts(each.text), { first: 400, marks: each.part ? [[each.part[0], each.part[1], each.link]] : [] }) : null;
  if (each.kind === "value" && each.text) {
    const marks = [[0, texts(each.text).length, each.link]];
    return h("li", {}, linkBadge(each.link), " ", badge(texts(each.argument ?? "value")), h("span", { class: "soft" }, ` stands in it (${texts(each.how)}): `), long(texts(each.text), { first: 400, marks }));
  }
  return h("li", {}, linkBadge(each.link), " ", h("span", { class: "soft" }, `${WORDS[each.kind] ?? each.kind}: `),
    each.event !== undefined && each.event !== null ? eventLink(app, each.event, { side, tab: each.kind === "window" ? "context" : "event", words: each.kind === "window" ? "" : null }) : null, text ? h("q", {}, text) : null);
}
