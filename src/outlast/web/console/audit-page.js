// Who asked for which change, from where, and how did it end? The newest first, as far back as it is kept.

import { ask } from "./connection.js";
import { h } from "./dom.js";
import { field, select, text } from "./fields.js";
import { icon } from "./icons.js";
import { answered, problem, quiet, table, title } from "./parts.js";
import { changed } from "./picture.js";
import { when } from "./words.js";

const PAGE = 100;
const DONE = "done";
const ENDS = [["any", "however it ended"], ["done", "done"], ["not done", "not done"]];
const NOUNS = ["balance.", "cluster.", "fence.", "group.", "node.", "notice.", "resource.", "rule.", "session.", "token.", "user.", "vm.", "volume."];

const STILL_S = 0.3; // nobody has typed for so long
const view = { who: "", verb: "", ended: "any" };
const typed = { who: "", verb: "" };
let waiting = 0;
const kept = { of: "", entries: [], latest: null, more: false, problem: "", asking: false }; // oldest first

function query(before = "") {
  const wanted = { ...view, limit: String(PAGE + 1), before };
  return new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== ""));
}

const load = (before) => ask("GET", `/audit?${query(before)}`);

export function auditPage() {
  const of = String(query());
  const { value, problem: why } = answered(`audit ${of}`, () => load(), changed);
  if (kept.of !== of) Object.assign(kept, { of, entries: [], latest: null, more: false, problem: "" });
  if (value && value !== kept.latest) take(value);
  return h("div", { class: "page" },
    title("Audit log"),
    quiet("What was asked for that changes something, by whomever, also by the command line on a node. Passwords, tokens and what fence devices are given are left out; so is what somebody's role does not allow, and wrong passwords: the log of outlastd has those."),
    filters(),
    why ? problem(why) : value ? list() : quiet("Asking the cluster ..."));
}

// The latest entries are joined to those that are known. Where they do not meet, more has come than a page holds, and it
// begins anew.
function take(latest) {
  const more = latest.length > PAGE;
  const page = latest.slice(-PAGE);
  const at = kept.entries.findIndex((one) => one.id === page[0]?.id);
  if (at >= 0) kept.entries = [...kept.entries.slice(0, at), ...page];
  else Object.assign(kept, { entries: page, more });
  kept.latest = latest;
}

async function older() {
  const of = kept.of;
  kept.asking = true;
  changed();
  try {
    const found = await load(kept.entries[0].id);
    if (kept.of === of) Object.assign(kept, { entries: [...found.slice(-PAGE), ...kept.entries], more: found.length > PAGE, problem: "" });
  } catch (refused) {
    kept.problem = refused.message;
  }
  kept.asking = false;
  changed();
}

function only(values) {
  Object.assign(view, values);
  Object.assign(typed, { who: view.who, verb: view.verb });
  changed();
}

function filters() {
  const soon = (values) => {
    Object.assign(typed, values);
    clearTimeout(waiting);
    waiting = setTimeout(() => only(typed), STILL_S * 1000);
  };
  const seen = (key) => [...new Set(kept.entries.map((one) => one[key]))].sort();
  const list = (id, words) => h("datalist", { id }, words.map((one) => h("option", { value: one })));
  return h("div", { class: "filters labelled", role: "group", "aria-label": "Which entries" },
    field("Who", text("audit-who", typed.who, (who) => soon({ who }), { type: "search", list: "audit-people", placeholder: "everybody" })), list("audit-people", seen("who")),
    field("What begins with", text("audit-verb", typed.verb, (verb) => soon({ verb }), { type: "search", list: "audit-verbs", placeholder: "everything" })), list("audit-verbs", [...NOUNS, ...seen("verb")]),
    field("Result", select("audit-ended", view.ended, ENDS, (ended) => only({ ended }))),
    (view.who || view.verb || view.ended !== "any") && h("button", { class: "button small", onclick: () => only({ who: "", verb: "", ended: "any" }) }, "Show all"));
}

function list() {
  if (!kept.entries.length) return h("p", { class: "empty", role: "status" }, "Nothing like that is kept. Who is meant is written in full, what by how it begins.");
  return [
    h("div", { class: "audit" }, table(["When", "Who", "From", "Node", "What", "Result"], [...kept.entries].reverse().map(line), "Audit log")),
    kept.problem && problem(kept.problem),
    kept.more ? h("button", { class: "button", "aria-disabled": String(kept.asking), onclick: () => kept.asking || older() }, kept.asking ? "Asking ..." : "Show older ones")
      : quiet("Older ones are not kept."),
  ];
}

function line(one) {
  const done = one.result === DONE;
  return {
    key: one.id,
    cells: [h("time", {}, when(one.at_s)),
      h("button", { class: "as-link", title: `Only what ${one.who} asked for`, onclick: () => only({ who: one.who }) }, one.who),
      one.address, one.node,
      h("span", {}, h("code", {}, one.verb), " ", h("span", { class: "quiet" }, told(one.arguments))),
      h("span", { class: `state wraps ${done ? "good" : "warn"}` }, icon(done ? "tick" : "cross", done ? "good" : "warn"), h("span", {}, one.result))],
  };
}

// As `outlast audit` tells it.
function told(given) {
  const empty = (value) => value === "" || value === null || (Array.isArray(value) && !value.length);
  return Object.entries(given).filter(([, value]) => !empty(value))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");
}
