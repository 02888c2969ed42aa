// The run panel: what was recorded, how it ended, what nobody saw; the verdict of triage. And the effects.

import { ask } from "./api.js";
import { h, line, seconds } from "./dom.js";
import { badge, eventLink, facts, items, linkBadge, note, pairs, section, texts } from "./panels.js";
import { tree } from "./tree.js";

export async function run(app, signal) {
  const parts = await Promise.all(app.runs.map((each, side) => about(app, each, side, signal)));
  return app.runs.length === 1 ? parts[0] : [h("div", { class: "halves" }, parts.map((part, side) => h("div", { class: "half" }, h("h2", { class: "side" }, side === 0 ? "A" : "B"), ...part)))];
}

async function about(app, shown, side, signal) {
  const cassette = shown.name;
  const [head, spots] = await Promise.all([ask("show", { cassette, limit: 1 }, signal), ask("blindspots", { cassette }, signal)]);
  const verdict = h("div", {}, note("…"));
  ask("triage", { cassette }, signal).then((found) => verdict.replaceChildren(...triage(app, side, found)), (error) => verdict.replaceChildren(note(error.message)));
  return [
    h("div", { class: "title rec" }, line(texts(head.program), 300)),
    facts(
      ["recording", `${texts(head.cassette)}, ${head.status}`], ["ended", texts(head.ended)], ["events", `${head.recorded}`],
      ["problem", texts(spots.damage ?? head.problem ?? "")], ["blind spots", `${head.blind_spots}`], ["gaps", `${head.gaps}`],
      ["processes", items(head.children).length ? `${items(head.children).length} started by it` : ""],
    ),
    section("Verdict", verdict),
    items(spots.blind_spots).length === 0 ? null : section("Blind spots: what no seam saw", h("ul", {}, items(spots.blind_spots).map((spot) => h("li", { class: "rec" }, badge(texts(spot.what), "warn"), ` ${line(texts(spot.detail), 400)} ×${spot.count} `, h("span", { class: "soft" }, line(texts(spot.site ?? ""), 200)))))),
    items(spots.gaps).length === 0 ? null : section("Gaps: what wasn't stored", h("ul", {}, items(spots.gaps).map((gap) => h("li", { class: "rec" }, eventLink(app, gap.event, { side }), ` ${line(texts(gap.reason), 400)}`)))),
    items(spots.findings).length === 0 ? null : section("Findings", tree(spots.findings, { open: 2 })),
    section("Header", tree(head.header, { open: 1, hit: app.text })),
    head.outcome === null ? null : section("Outcome", tree(head.outcome, { open: 1 })),
  ].filter(Boolean);
}

function triage(app, side, found) {
  const words = { prompt_injection: "prompt injection", policy_scope: "policy scope", tool_capability: "tool capability", reasoning_drift: "reasoning drift", undecided: "undecided", none: "nothing found" };
  const sides = (each, name) => items(each[name]).map((evidence) => h("li", { class: name }, h("span", { class: `sign ${name}` }, name === "for" ? "+" : "−"), " ", evidenceOf(app, side, evidence)));
  return [
    h("p", {}, badge(words[texts(found.verdict)] ?? texts(found.verdict), found.verdict === "none" ? "good" : "bad")),
    ...pairs(found.hypotheses).filter(([, each]) => items(each.for).length + items(each.against).length > 0).map(([name, each]) => h("details", { open: name === found.verdict },
      h("summary", {}, words[name] ?? name, h("span", { class: "soft" }, ` ${items(each.for).length} for, ${items(each.against).length} against`)), h("ul", { class: "evidence" }, sides(each, "for"), sides(each, "against")))),
    items(found.owners).length === 0 ? null : h("p", { class: "rec" }, "Owners on the path: ", items(found.owners).map((owner) => [badge(typeof owner === "string" ? owner : texts(owner.owner ?? owner.name ?? "?")), " "])),
  ].filter(Boolean);
}

function evidenceOf(app, side, evidence) {
  if (typeof evidence === "string") return h("span", { class: "rec" }, line(evidence, 600));
  const id = evidence.event ?? items(evidence.events)[0];
  const said = texts(evidence.why ?? evidence.what ?? evidence.text ?? JSON.stringify(evidence));
  return h("span", { class: "rec" }, id === undefined || id === null ? null : eventLink(app, id, { side, words: "" }), " ", line(said, 600));
}

/** The effects panel: writes to the world, in order, each with what decided it. */
export async function effects(app, signal) {
  const side = app.side;
  const found = await ask("effects", { cassette: app.runs[side].name, limit: 1000 }, signal);
  if (found.total === 0) return [note("Nothing was written to the world.")];
  const row = (each) => h("tr", { class: each.event === app.eventAt(side) ? "selected" : "" },
    h("td", {}, eventLink(app, each.event, { side, words: line(`${texts(each.kind)} ${texts(each.what)}`, 120) })),
    h("td", { class: "short" }, badge(texts(each.outcome), each.error ? "bad" : ""), each.times > 1 ? ` ×${each.times}` : ""),
    h("td", {}, each.decided_by?.event === null || each.decided_by?.event === undefined ? h("span", { class: "soft" }, texts(each.decided_by?.link ?? "the program")) : h("span", {}, linkBadge(each.decided_by.link ?? "recorded"), " ", eventLink(app, each.decided_by.event, { side, tab: "context", words: line(texts(each.decided_by.name ?? app.runs[side].rows[each.decided_by.event]?.kind ?? ""), 40) }))),
    h("td", { class: "short" }, each.reversible === false ? badge("irreversible", "bad") : each.reversible ? "reversible" : ""),
    h("td", { class: "rec short" }, line(texts(each.owner ?? ""), 60)), h("td", { class: "short" }, seconds(each.at)));
  return [
    h("div", { class: "title" }, `${found.total} ${found.total === 1 ? "effect" : "effects"} on the world`),
    h("table", {}, h("thead", {}, h("tr", {}, ["what", "outcome", "decided by", "undone?", "owner", "at"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, found.effects.map(row))),
    found.more ? note(`${found.total - found.effects.length} more`) : null,
  ].filter(Boolean);
}
