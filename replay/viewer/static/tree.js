// A recorded value as a tree: branches are <details>, filled when they are opened; long lists and texts come in pieces.
//
// What the server cut is `{"$cut", "of", "path"}`; "more" reads on there. Values that JSON doesn't have are objects with
// one `$` key (replay/queries/plain.py).

import { isCut } from "./api.js";
import { found, h, line, long, rec } from "./dom.js";

const ITEMS = 100;

/**
 * A tree of `value`.
 *
 * `name`: its label. `open`: how many levels are open. `hit`: a text that is marked, and opened down to.
 * `rest(path, start)`: reads on. `trace(text, path)`: somebody asks where a value came from. `other`: the value beside
 * it in another run: what differs is marked.
 */
export function tree(value, options = {}) {
  return h("div", { class: "tree" }, node(options.name ?? null, value, options, "", options.open ?? 1, options.other));
}

// `other`: undefined where nothing is to be compared, null where the other run has nothing there.
function node(name, value, options, path, open, other) {
  const label = name === null ? null : h("span", { class: "key rec" }, line(`${name}`, 200));
  const differs = other !== undefined && !alike(value, other);
  if (value !== null && typeof value === "object") {
    const special = marked(value);
    if (special) return leaf(label, special.text, { ...options, kind: special.kind, cut: special.cut }, path, differs);
    return branch(label, value, options, path, open, other, differs);
  }
  return leaf(label, value, options, path, differs);
}

/** The `$` objects that are one text: what they say, and what they are. */
function marked(value) {
  const keys = Object.keys(value);
  if (isCut(value)) return typeof value.$cut === "string" ? { text: value.$cut, kind: "cut", cut: value } : null;
  if (keys.length !== 1 || !keys[0].startsWith("$")) return null;
  const inside = value[keys[0]];
  if (isCut(inside ?? null)) return { text: `${inside.$cut}`, kind: keys[0].slice(1), cut: inside };
  return typeof inside === "string" || typeof inside === "number" ? { text: `${inside}`, kind: keys[0].slice(1) } : null;
}

function entries(value) {
  if (named(value)) return value;
  if (Array.isArray(value)) return value.map((each, number) => [number, each]);
  if (Array.isArray(value.$pairs)) return value.$pairs.map(([key, each]) => [typeof key === "string" ? key : JSON.stringify(key), each]);
  if (Array.isArray(value.$set)) return value.$set.map((each, number) => [number, each]);
  return Object.entries(value);
}

/** Headers and the like: a list of names with their values reads better as such. */
const named = (value) => Array.isArray(value) && value.length > 0 && value.every((each) => Array.isArray(each) && each.length === 2 && typeof each[0] === "string" && (each[1] === null || typeof each[1] !== "object"));

function branch(label, value, options, path, open, other, differs) {
  const cut = isCut(value) ? value : null;
  const inner = cut ? cut.$cut : value;
  const pairs = entries(inner);
  const count = cut ? cut.of : pairs.length;
  const array = Array.isArray(inner);
  const type = !array && typeof inner.$type === "string" ? `${inner.$type} ` : "";
  const size = array ? `[${count}]` : `${type}{${count}}`;
  if (count === 0) return h("div", { class: "leaf" }, label, h("span", { class: "soft" }, array ? "[]" : "{}"));
  const body = h("div", { class: "branch" });
  const summary = h("summary", {}, label, h("span", { class: "soft rec" }, label ? " " : "", line(size, 120)), h("span", { class: "brief rec" }, line(brief(inner), 160)));
  const element = h("details", {}, summary, body);
  let filled = false;
  const fill = () => {
    if (filled) return;
    filled = true;
    const beside = new Map(other !== undefined && other !== null && typeof other === "object" ? entries(isCut(other) ? other.$cut : other) : []);
    const put = (some, at) => some.forEach(([key, each], number) => body.append(
      node(key, each, options, `${path}/${String(array ? at + number : key).replaceAll("~", "~0").replaceAll("/", "~1")}`, open - 1, other === undefined ? undefined : beside.get(key) ?? null)));
    page(body, pairs, count, put, cut && options.rest ? async (from) => entries((await options.rest(cut.path, from))) : null);
  };
  element.addEventListener("toggle", fill);
  const wanted = other === undefined ? open > 0 : differs; // of two, what differs is open
  if (wanted || (options.hit && holds(inner, options.hit))) {
    element.open = true;
    fill();
  }
  return element;
}

function page(body, pairs, count, put, rest) {
  let shown = 0;
  const more = h("button", { class: "more", type: "button" });
  const next = async () => {
    if (shown >= pairs.length && rest) {
      more.disabled = true;
      const read = await rest(pairs.length);
      pairs = [...pairs, ...read];
      more.disabled = false;
    }
    const some = pairs.slice(shown, shown + ITEMS);
    more.remove();
    put(some, shown);
    shown += some.length;
    if (some.length > 0 && shown < count && (shown < pairs.length || rest)) {
      more.textContent = `… ${(count - shown).toLocaleString("en")} more`;
      body.append(more);
    }
  };
  more.addEventListener("click", next);
  next();
}

function leaf(label, value, options, path, differs) {
  const string = typeof value === "string";
  const text = string ? value : JSON.stringify(value) ?? "undefined";
  const kind = options.kind ?? (value === null ? "null" : typeof value);
  const shown = string
    ? long(text, {
      marks: found(text, options.hit), of: options.cut?.of ?? text.length, first: text.length > 3000 ? 600 : 3000,
      rest: options.cut && options.rest ? async (from) => options.rest(options.cut.path, from) : null,
    })
    : rec(text, found(text, options.hit));
  shown.classList.add("value", `v-${kind}`);
  if (string && text.includes("\n")) shown.classList.add("lines");
  const tag = options.kind && options.kind !== "cut" ? h("span", { class: "soft" }, ` ${kind}`) : null;
  const asks = options.trace && text.length > 1 && !["boolean", "null"].includes(kind);
  const where = asks
    ? h("button", { class: "trace", type: "button", title: "Where does this come from?", "aria-label": `Where does ${line(text, 40)} come from?`, onclick: () => options.trace(text, path) }, "⤺")
    : null;
  const element = h("div", { class: `leaf${differs ? " differs" : ""}` }, label, shown, tag, where);
  if (asks) {
    element.classList.add("traced");
    element.addEventListener("click", (event) => {
      if (event.target.closest("button") || !getSelection().isCollapsed) return;
      options.trace(text, path);
    });
  }
  return element;
}

function brief(value) {
  if (Array.isArray(value)) return "";
  const parts = [];
  for (const [key, each] of entries(value).slice(0, 6)) {
    if (each === null || typeof each !== "object") parts.push(`${key}: ${`${each}`.slice(0, 40)}`);
  }
  return parts.join(", ");
}

function holds(value, needle) {
  const want = needle.toLowerCase();
  const waiting = [value];
  while (waiting.length > 0) {
    const each = waiting.pop();
    if (each !== null && typeof each === "object") waiting.push(...Object.values(each).slice(0, 5000));
    else if (`${each}`.toLowerCase().includes(want)) return true;
  }
  return false;
}

function alike(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
