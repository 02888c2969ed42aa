// Elements, and recorded text made visible. Recorded text is an attacker's: it only ever becomes a text node.

/** An element: `h("a", {class: "x", href: "#", onclick: f}, "text", child)`; null and false children are left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : visible(`${value}`));
  }
  for (const each of children.flat(Infinity)) {
    if (each !== null && each !== undefined && each !== false) element.append(typeof each === "string" ? visible(each) : each);
  }
  return element;
}

// What isn't seen, or reorders what is seen: controls, format characters, lone surrogates, tags, noncharacters.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

function name(character) {
  const code = character.codePointAt(0);
  return code === 0x1b ? "‹ESC›" : `‹${code.toString(16).toUpperCase().padStart(code < 256 ? 2 : 4, "0")}›`;
}

const visible = (text) => text.replace(UNSEEN, name);

/** The text on one line, with signs for what isn't seen. */
export function line(text, most = 400) {
  return text.slice(0, most).replace(/[\t\n\r ]+/g, " ").replace(UNSEEN, name);
}

/** Appends a text to an element: what isn't seen gets a sign, `marks` ([from, to, class, title, act]) are marked. */
export function write(element, text, marks = []) {
  let at = 0;
  for (const [from, to, kind, title, act] of [...marks].sort((a, b) => a[0] - b[0])) {
    if (from < at || to > text.length || from >= to) continue;
    plain(element, text.slice(at, from));
    const mark = act
      ? h("button", { class: `mark ${kind}`, type: "button", title, onclick: act })
      : h("mark", { class: kind, title });
    plain(mark, text.slice(from, to));
    element.append(mark);
    at = to;
  }
  plain(element, text.slice(at));
}

function plain(element, text) {
  let at = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (found.index > at) element.append(text.slice(at, found.index));
    element.append(h("span", { class: "sign" }, name(found[0])));
    at = found.index + found[0].length;
  }
  if (at < text.length) element.append(at === 0 ? text : text.slice(at));
}

/** A span of recorded text, isolated: its direction doesn't reach its surroundings. */
export function rec(text, marks, tag = "span") {
  const element = h(tag, { class: "rec" });
  write(element, text, marks);
  return element;
}

const PIECE = 20000;

/** A long text, a piece at a time: `first` characters, then more when it is asked for. `rest(from)` fetches what isn't here. */
export function long(text, { first = 1500, marks = [], of = text.length, rest = null } = {}) {
  const inside = h("span", { class: "rec text" });
  const reach = marks.reduce((most, mark) => Math.max(most, mark[1] + 200), first);
  let shown = Math.min(text.length, reach);
  write(inside, text.slice(0, shown), marks);
  if (shown >= of) return inside;
  const more = h("button", { class: "more", type: "button" });
  const label = () => { more.textContent = `… ${(of - shown).toLocaleString("en")} more characters`; };
  more.addEventListener("click", async () => {
    if (shown >= text.length && rest !== null) {
      more.disabled = true;
      try { text += await rest(text.length); } catch (error) { more.textContent = error.message; return; }
      more.disabled = false;
    }
    const next = text.slice(shown, shown + PIECE);
    if (next === "") { more.remove(); return; }
    write(inside, next);
    shown += next.length;
    if (shown >= of) more.remove();
    else label();
  });
  label();
  return h("span", {}, inside, more);
}

/** Where `needle` stands in a text, as marks. */
export function found(text, needle, kind = "hit", most = 200) {
  const marks = [];
  if (!needle) return marks;
  const low = text.toLowerCase(), want = needle.toLowerCase();
  if (low.length !== text.length) return marks; // a letter whose small form is longer: places would be wrong
  for (let at = low.indexOf(want); at >= 0 && marks.length < most; at = low.indexOf(want, at + want.length)) {
    marks.push([at, at + want.length, kind]);
  }
  return marks;
}

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 0.0009995) return `${Math.round(value * 1e6)} µs`;
  if (value < 0.9995) return `${(value * 1e3).toPrecision(3)} ms`;
  return `${value.toFixed(value < 100 ? 2 : 0)} s`;
}

/** A screen reader says it. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
