// Whom does the page ask? The node that served it; when that does not answer, another one of the cluster.
//
// The node of the page knows who asks by a cookie that no script can read. The others are sent the session's word,
// which the page keeps in its memory while it is open, and nowhere else (docs/console.md).

const API = "/api/v1";
const LOOK_S = 10;
const CHANGE_S = 60;

export class Problem extends Error {
  constructor(words, kind, status = 0) {
    super(words);
    this.kind = kind;
    this.status = status;
  }
}

export const connection = {
  here: location.origin,
  others: [],
  at: location.origin,
  word: "",
  csrf: "",
  session: null,
};

export function hostOf(origin) {
  return new URL(origin).hostname;
}

// Under which address a node is asked; empty: the page knows none.
export function originOf(node) {
  const names = [node.name, node.address];
  const fits = (origin) => names.includes(hostOf(origin).replace(/^\[|\]$/g, "")) || hostOf(origin).startsWith(`${node.name}.`);
  return [connection.here, ...connection.others].find(fits) ?? "";
}

// Who is signed in, and with what the page goes on elsewhere. Throws `Problem`.
export async function begin() {
  const session = await ask("GET", "/session");
  connection.session = session;
  connection.csrf = session.csrf;
  const elsewhere = await ask("POST", "/session/elsewhere", undefined, { timeout_s: LOOK_S }); // as often as one likes
  connection.word = elsewhere.word;
  connection.others = elsewhere.others;
}

export function headers(more = {}) {
  if (connection.at === connection.here) return { "X-CSRF-Token": connection.csrf, ...more };
  return { Authorization: `Bearer ${connection.word}`, ...more };
}

// The next node is asked from now on. Returns false where there is no other.
export function goOn(from) {
  if (connection.at !== from) return true; // somebody else has found out already
  const all = [connection.here, ...connection.others];
  if (all.length < 2) return false;
  connection.at = all[(all.indexOf(from) + 1) % all.length];
  return true;
}

export async function open(path, { method = "GET", body, more = {}, signal } = {}) {
  const at = connection.at;
  return fetch(at + API + path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: headers(body === undefined ? more : { "Content-Type": "application/json", ...more }),
    credentials: at === connection.here ? "same-origin" : "omit",
    cache: "no-store",
    signal,
  });
}

// The answer of the API. What only looks is asked of the next node when one does not answer; what changes something is
// not: nobody knows whether it was done. `seen`: it is changed only if it is still as that ETag says. Throws `Problem`.
export const ask = async (method, path, body, more) => (await answer(method, path, body, more)).value;

// What is shown, and the ETag by which it can be changed as it was seen: { value, seen }.
export const look = (path) => answer("GET", path);

async function answer(method, path, body, { seen = "", timeout_s = method === "GET" ? LOOK_S : CHANGE_S } = {}) {
  const looks = method === "GET";
  let tries = looks ? 1 + connection.others.length : 1;
  for (;;) {
    const at = connection.at;
    try {
      return await once(method, path, body, seen, timeout_s);
    } catch (problem) {
      if (problem.kind !== "no-contact") throw problem;
      goOn(at);
      if (--tries === 0) throw problem;
    }
  }
}

async function once(method, path, body, seen, timeout_s) {
  const at = connection.at;
  let response;
  let text;
  try {
    response = await open(path, { method, body, more: seen ? { "If-Match": seen } : {}, signal: AbortSignal.timeout(timeout_s * 1000) });
    text = await response.text();
  } catch {
    const unsure = method === "GET" ? "" : "; what you asked for may have been done: look, and ask again";
    throw new Problem(`${hostOf(at)} does not answer${unsure}`, "no-contact");
  }
  const told = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Problem(told.detail, told.kind, response.status);
  return { value: told, seen: response.headers.get("ETag") ?? "" };
}
