"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const turn = byId("turn"), body = byId("page");
  const SIZE = 100, TONES = new Set(["plain", "soft", "write", "bad"]);

  // Everything recorded is set as text: nothing here parses markup.
  function el(name, className, ...children) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children.filter((each) => each !== null));
    return made;
  }
  function rec(text, extra) { return el("bdi", extra ? `rec ${extra}` : "rec", text); }
  function details(row) {
    if (!row.d.length) return null;
    const list = el("dl", "", ...row.d.map(([name, text]) => {
      const pre = el("pre", "rec", text);
      pre.dir = "auto";
      return el("div", "", el("dt", "", name), el("dd", "", pre));
    }));
    const summary = el("summary", "", "in full");
    summary.ariaLabel = `Event ${row.i} in full`;
    return el("details", "", summary, list);
  }
  function tr(row) {
    const head = el("th", "", String(row.i));
    head.scope = "row";
    const lines = row.l.map(([text, tone]) => el("div", `line ${TONES.has(tone) ? tone : "plain"}`, rec(text)));
    const made = el("tr", `inside-${Number(row.n)}`, head, el("td", "num", row.t), el("td", "", rec(row.w)),
      el("td", "", rec(row.k, "kind"), row.e ? el("span", "badge effect", "write") : null),
      el("td", "", ...lines, details(row)));
    const id = `e${Number(row.i)}`;
    if (!byId(id)) made.id = id;
    made.dataset.event = String(row.i);
    return made;
  }
  async function unpack(page) {
    const raw = atob(byId(`chunk-${page}`).textContent);
    const bytes = Uint8Array.from(raw, (each) => each.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  let now = 0, pages = 1;
  async function show(page) {
    now = Math.min(Math.max(page, 0), pages - 1);
    const rows = await unpack(now);
    body.replaceChildren();
    body.replaceChildren(...rows.map(tr));
    byId("turn-state").textContent = `Page ${now + 1} of ${pages}`;
    byId("turn-first").disabled = byId("turn-previous").disabled = now === 0;
    byId("turn-last").disabled = byId("turn-next").disabled = now === pages - 1;
  }
  async function go(event) {
    if (!Number.isInteger(event) || event < 0 || event >= pages * SIZE) return;
    await show(Math.floor(event / SIZE));
    const row = body.querySelector(`[data-event="${event}"]`);
    if (row) { row.classList.add("found"); row.scrollIntoView({ block: "center" }); }
  }
  function follow() {
    const found = /^#e(\d{1,9})$/.exec(location.hash);
    if (found && !byId(`e${found[1]}`)) go(Number(found[1]));
  }
  if (turn && "DecompressionStream" in window) {
    pages = Number(turn.dataset.pages);
    turn.hidden = false;
    byId("turn-first").disabled = byId("turn-previous").disabled = true;
    byId("turn-first").onclick = () => show(0);
    byId("turn-previous").onclick = () => show(now - 1);
    byId("turn-next").onclick = () => show(now + 1);
    byId("turn-last").onclick = () => show(pages - 1);
    byId("turn-to").onkeydown = (event) => { if (event.key === "Enter") go(parseInt(event.target.value, 10)); };
    addEventListener("hashchange", follow);
    follow();
  }

  // On paper nothing can be opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main > section:not(#events) details:not([open])")];
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((each) => { each.open = false; }); });
})();
