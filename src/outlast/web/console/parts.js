// What several pages show in the same way.

import { h } from "./dom.js";
import { groupState, icon, protectionState } from "./icons.js";
import { group } from "./picture.js";
import { linkTo } from "./links.js";

export const title = (words, ...beside) => h("div", { class: "title" }, h("h1", {}, words), beside);
export const groupLink = (name) => h("a", { href: linkTo("roles", name) }, name);
export const nodeLink = (name) => (name ? h("a", { href: linkTo("nodes", name) }, name) : h("span", { class: "quiet" }, "no node"));
export const quiet = (words) => h("p", { class: "quiet" }, words);
export const problem = (words) => h("p", { class: "problem", role: "alert" }, words);

export function section(words, ...content) {
  return h("section", {}, h("h2", {}, words), content);
}

// A table with its heads; on a phone each row is a card, and the heads stand beside the values.
export function table(heads, rows, label) {
  return h("div", { class: "table-wrap" }, h("table", { "aria-label": label },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map(({ key, cells, tone = "" }) => h("tr", { "data-key": key ?? null, class: tone },
      cells.map((cell, index) => h(index ? "td" : "th", { scope: index ? null : "row", "data-head": heads[index] }, cell)))))));
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// So much of so much, in words and as a bar. `most` 0: nobody knows.
export function load(label, used, most, words) {
  const share = most ? Math.min(1, used / most) : 0;
  const tone = share > 0.9 ? "bad" : share > 0.75 ? "warn" : "";
  return h("div", { class: "load" },
    h("span", { class: "load-words" }, h("span", { class: "quiet" }, label), h("span", {}, words)),
    most > 0 && h("span", { class: `bar ${tone}`, "aria-hidden": "true" }, h("span", { style: { width: `${Math.round(share * 100)}%` } })));
}

export const buttons = (actions, size = "") => h("div", { class: "buttons" }, actions.map((action) =>
  h("button", { class: `button ${size}`, onclick: action.act, "data-verb": action.verb, "aria-label": action.about ? `${action.label.replace(" ...", "")} ${action.about}` : null }, action.label)));

// Who locks without a reason leaves the words "locked by ...".
export const lockOf = (row) => row.locked && (row.locked.startsWith("locked") ? row.locked : `locked: ${row.locked}`);
export const maintenanceOf = (row) => row.maintenance && `in maintenance: ${row.maintenance}`;

export function whyOf(row) {
  if (row.transfer && row.move_to) return `goes to ${row.move_to} as it runs: ${row.transfer.percent} %`;
  const also = [maintenanceOf(row), lockOf(row)];
  return [row.why, ...also].filter(Boolean).join("; ");
}

const moves = (row) => row.state === "online" && row.move_to; // what is said of it then is how far it is

export const needsAttention = (row) => row.state === "failed" || row.state === "unknown" || (Boolean(row.why) && !moves(row))
  || (row.wanted === "online" && row.protection === "not protected");

export const weaknesses = (row) => [...row.not_protected_because, ...row.at_risk_because];

export function stateOf(name) {
  const row = group(name);
  return row ? groupState(row.state) : h("span", { class: "quiet" }, "gone");
}

export function protection(row) {
  const why = weaknesses(row);
  return h("div", {}, protectionState(row.protection), why.length > 0 && h("ul", { class: "reasons" }, why.map((one) => h("li", {}, one))));
}

export const badge = (shape, words, tone = "quiet") => h("span", { class: `chip state ${tone}` }, icon(shape, tone), h("span", {}, words));

// What is asked for once a page is opened, and again when `again` has passed, or when `since` is another one; until then
// what was answered before.
const asked = new Map();
const MOST_KEPT = 200;
const DENIED_S = 60; // who may not ask does not fill the service's log

export function answered(key, ask, changed, again_s = 5, since = "") {
  const now = performance.now() / 1000;
  const kept = asked.get(key) ?? { value: null, problem: "", at_s: -Infinity, running: false, since, wait_s: again_s };
  asked.delete(key); // the last one that is shown is the last one to be forgotten
  asked.set(key, kept);
  if (asked.size > MOST_KEPT) asked.delete(asked.keys().next().value);
  if (!kept.running && (kept.since !== since || now - kept.at_s > kept.wait_s)) {
    Object.assign(kept, { running: true, since });
    ask().then((value) => Object.assign(kept, { value, problem: "", wait_s: again_s }),
      (problem) => Object.assign(kept, { problem: problem.message, wait_s: problem.kind === "denied" ? DENIED_S : again_s }))
      .finally(() => {
        Object.assign(kept, { running: false, at_s: performance.now() / 1000 });
        changed();
        setTimeout(changed, again_s * 1000 + 100); // whoever is still shown then is asked again
      });
  }
  return kept;
}
