// API tokens: with which scripts, and the command line from elsewhere, ask the cluster.

import { ask } from "./connection.js";
import { confirm, dialog } from "./dialog.js";
import { h, show } from "./dom.js";
import { field, groupsOf, noneChosen, roleFields, select, text, wanted } from "./fields.js";
import { icon } from "./icons.js";
import { run } from "./operations.js";
import { answered, buttons, problem, quiet, table, title } from "./parts.js";
import { changed, lastOf } from "./picture.js";
import { may } from "./rights.js";
import { rangeOf } from "./users-page.js";
import { count, day, when } from "./words.js";

const DAY_S = 86400;
const SOON_S = 7 * DAY_S;
const LIFETIMES = [["1", "1 day"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["0", "until it is revoked"], ["other", "another number of days"]];

export function tokensPage() {
  const { value, problem: why } = answered("tokens", () => ask("GET", "/api-tokens"), changed, 5, lastOf("access"));
  return h("div", { class: "page" },
    title("API tokens", value && !why && h("span", { class: "quiet" }, count(value.length, "token"))),
    quiet("Scripts, Prometheus and the command line on other machines ask with them. Of a token only a hash is kept: it is shown once, when it is made."),
    buttons(may("token.create") ? [{ verb: "token.create", label: "Make a token ...", act: create }] : []),
    why ? problem(why) : !value ? quiet("Asking the cluster ...") : value.length
      ? table(["Token", "Role", "For", "Made", "By", "Good until", "Actions"], value.map(line), "API tokens")
      : h("p", { class: "empty" }, "There is no API token."));
}

function line(row) {
  return {
    key: row.name,
    cells: [row.name, row.role, rangeOf(row), day(row.made_at_s), row.made_by, until(row), buttons([
      { verb: "token.delete", label: "Revoke ...", about: row.name, act: () => revoke(row) },
    ].filter((action) => may(action.verb)), "small")],
  };
}

function until(row) {
  if (!row.until_s) return "it is revoked";
  const left_s = row.until_s - Date.now() / 1000;
  if (left_s > SOON_S) return `${when(row.until_s)} (${Math.floor(left_s / DAY_S)} days)`;
  const over = left_s <= 0;
  const words = over ? `${when(row.until_s)}: its time is up` : `${when(row.until_s)}: ${left_s < DAY_S ? "less than a day" : count(Math.floor(left_s / DAY_S), "day")} left`;
  return h("span", { class: "state warn" }, icon(over ? "barred" : "warn", "warn"), h("span", {}, words));
}

async function create() {
  const want = { name: "", days: "90", other: "", ...wanted() };
  const made = await dialog({
    title: "Make an API token",
    content: (update) => [
      field("Name", text("token-name", want.name, (value) => { want.name = value; }), "What it is for: it stands in the audit log"),
      field("Good for", select("token-days", want.days, LIFETIMES, (value) => { want.days = value; update(); })),
      want.days === "other" && h("div", { "data-key": "other-days" },
        field("Days", text("token-other-days", want.other, (value) => { want.other = value; }, { inputmode: "decimal" }))),
      roleFields(want, update),
    ],
    buttons: () => [{
      label: "Make the token", off: noneChosen(want),
      act: () => ask("POST", "/api-tokens", { name: want.name.trim(), role: want.role, groups: groupsOf(want), lifetime_s: lifetime(want) }),
    }],
  });
  if (made) await shownOnce(made);
}

// What is no number is handed on as it is: the API says what it takes.
function lifetime(want) {
  const days = want.days === "other" ? want.other.trim() : want.days;
  return days === "" || Number.isNaN(Number(days)) ? days : Number(days) * DAY_S;
}

async function shownOnce(made) {
  const word = h("code", { class: "secret", id: "token-word", tabindex: "0", "aria-label": "The token" }, made.token);
  const said = h("span", { class: "quiet", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.token);
      show(said, "copied");
    } catch { // the browser does not let us
      getSelection().selectAllChildren(word);
      show(said, "it is selected: copy it with the keys of your system");
    }
  };
  await dialog({
    title: `The token ${made.row.name}`,
    content: () => [
      h("p", {}, "Keep it now: it is not shown again. Whoever has it may do what its role allows."),
      word,
      h("div", { class: "buttons" }, h("button", { type: "button", class: "button main", onclick: copy }, "Copy"), said),
      made.fingerprint && h("p", { class: "small" }, "Fingerprint of the cluster's authority, for ", h("code", {}, "outlast context add"), ": ", h("code", {}, made.fingerprint)),
    ],
    buttons: () => [],
    cancel: "I have kept it",
  });
}

async function revoke(row) {
  const words = [`Whoever asks with ${row.name} is refused from then on. A new token of this name is another one.`];
  if (await confirm({ title: `Revoke ${row.name}?`, words, button: `Revoke ${row.name}`, tone: "bad" })) {
    await run(`${row.name} is revoked`, `/api-tokens/${encodeURIComponent(row.name)}`, undefined, { method: "DELETE" });
  }
}
