// The filter: `kind:llm effect:write agent:desk lane:t3 is:failed`, and words that are looked for in all that was recorded.

import { ask } from "./api.js";

const FIELDS = ["kind", "effect", "agent", "lane", "is", "id"];

/** What a filter asks for: fields with their values, and the text that is left. */
export function parse(query) {
  const fields = [];
  const words = [];
  for (const part of query.match(/"[^"]*"|\S+/g) ?? []) {
    const found = /^(-?)(\w+):(.+)$/.exec(part);
    if (found && FIELDS.includes(found[2])) fields.push({ not: found[1] === "-", name: found[2], value: found[3].toLowerCase() });
    else words.push(part.replace(/^"|"$/g, ""));
  }
  return { fields, text: words.join(" ") };
}

function holds(field, row, run) {
  const value = {
    kind: row.kind, effect: row.effect, agent: run.agents[row.agent] ?? "",
    lane: `${run.lanes[row.lane]} ${run.lane(row.lane)}`, id: `${row.id}`,
    is: `${row.status} ${row.kind === "gap" ? "gap" : ""} ${row.inside === null ? "" : "inside"} ${row.tone}`,
  }[field.name].toLowerCase();
  const fits = field.name === "kind" || field.name === "effect"
    ? field.value.split(",").includes(value)
    : field.name === "id" ? between(row.id, field.value) : value.includes(field.value);
  return fits !== field.not;
}

function between(id, range) {
  const [from, to] = range.split("-").map(Number);
  return to === undefined ? id === from : id >= from && id <= to;
}

/** A test of rows. `hits`: events in which the text was found, beside those in whose words it stands. */
export function test(parsed, run, hits) {
  const want = parsed.text.toLowerCase();
  return (row) =>
    parsed.fields.every((field) => holds(field, row, run)) &&
    (want === "" || row.label.toLowerCase().includes(want) || row.kind.includes(want) || hits.has(row.id));
}

/** Events in which a text stands, a page at a time: `heard(hits)` after each. */
export async function fullText(run, text, heard, signal) {
  const hits = new Set();
  for (let offset = 0; offset !== null; ) {
    const page = await ask("search", { cassette: run.name, text, offset, limit: 1000 }, signal);
    for (const hit of page.hits) hits.add(hit.event);
    offset = page.next;
    heard(hits, offset);
  }
}
