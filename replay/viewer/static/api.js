// The queries of the server this page came from. Answers are kept while the page is open: a recording doesn't change.

const KEPT = 400;
const kept = new Map();

/** The answer to a query. Raises Error with the server's words; `AbortError` when `signal` says so. */
export async function ask(name, params = {}, signal = undefined) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined);
  const url = `api/${name}?${new URLSearchParams(given)}`;
  if (kept.has(url)) {
    const answer = kept.get(url);
    kept.delete(url);
    kept.set(url, answer);
    return answer;
  }
  let reply, answer;
  try {
    reply = await fetch(url, { signal });
    answer = await reply.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server doesn't answer: is `replay view` still running?");
  }
  if (!reply.ok) {
    const { message, hint, slug } = answer.error;
    throw new Error(`${message}${hint ? ` (${hint})` : ""} [${slug}]`);
  }
  kept.set(url, answer);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return answer;
}

/** The rest of a value that was cut (`{"$cut", "of", "path"}`), from `start` on. */
export async function readOn(name, params, path, start) {
  return (await ask(name, { ...params, path, start })).value;
}

export const isCut = (value) => value !== null && typeof value === "object" && "$cut" in value && "path" in value;
