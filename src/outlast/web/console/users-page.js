// Who may sign in, and what may they do?

import { ask, connection, look, Problem } from "./connection.js";
import { confirm, dialog } from "./dialog.js";
import { h } from "./dom.js";
import { choice, field, groupsOf, noneChosen, roleFields, text, wanted } from "./fields.js";
import { icon } from "./icons.js";
import { notice, run } from "./operations.js";
import { answered, buttons, groupLink, problem, quiet, table, title } from "./parts.js";
import { changePassword, newPassword } from "./passwords.js";
import { changed, lastOf } from "./picture.js";
import { may } from "./rights.js";
import { count, day } from "./words.js";

const path = (name, what = "") => `/users/${encodeURIComponent(name)}${what}`;

export function usersPage() {
  const { value, problem: why } = answered("users", () => ask("GET", "/users"), changed, 5, lastOf("access"));
  return h("div", { class: "page" },
    title("Users", value && !why && h("span", { class: "quiet" }, count(value.length, "user"))),
    quiet("They sign in to this console and to the HTTP API. What is changed of a role counts at once, also for whoever is signed in."),
    buttons(may("user.create") ? [{ verb: "user.create", label: "Make a user ...", act: create }] : []),
    why ? problem(why) : value ? table(["User", "Role", "For", "State", "Made", "Actions"], value.map(line), "Users") : quiet("Asking the cluster ..."));
}

function line(row) {
  const me = row.name === connection.session?.user;
  return {
    key: row.name,
    cells: [h("span", {}, row.name, me && h("span", { class: "quiet" }, " (you)")), row.role, rangeOf(row), state(row), day(row.made_at_s), buttons([
      { verb: "user.set", label: "Change ...", about: row.name, act: () => change(row, me) },
      { verb: "user.passwd", label: "Password ...", about: `of ${row.name}`, act: () => changePassword(row.name) },
      { verb: "user.delete", label: "Remove ...", about: row.name, act: () => remove(row, me) },
    ].filter((action) => may(action.verb)), "small")],
  };
}

export const rangeOf = (row) => (row.groups.length ? row.groups.map((name, index) => [index ? ", " : "", groupLink(name)]) : "everything");

function state(row) {
  const words = row.signed_in > 1 ? `signed in ${row.signed_in} times` : row.signed_in ? "signed in" : "may sign in";
  return row.enabled ? h("span", { class: `state ${row.signed_in ? "good" : "quiet"}` }, icon(row.signed_in ? "full" : "empty", row.signed_in ? "good" : "quiet"), h("span", {}, words))
    : h("span", { class: "state warn" }, icon("barred", "warn"), h("span", {}, "disabled"));
}

async function create() {
  const want = { name: "", ...wanted() };
  const password = newPassword();
  const made = await dialog({
    title: "Make a user",
    content: (update) => [
      field("Name", text("user-name", want.name, (value) => { want.name = value; })),
      password.fields(),
      roleFields(want, update),
    ],
    buttons: () => [{
      label: "Make the user", off: noneChosen(want),
      act: async () => ask("POST", "/users", { name: want.name.trim(), password: password.value(), role: want.role, groups: groupsOf(want) }),
    }],
  });
  if (made) notice(`${made.name} may sign in as ${article(made.role)} ${made.role}`, "done");
}

const article = (role) => (role === "viewer" ? "a" : "an");

async function change(listed, me) {
  const found = await look(path(listed.name)).catch((problem) => problem);
  if (found instanceof Problem) return notice(`${listed.name} cannot be changed`, "failed", found.message);
  let { value: row, seen } = found;
  const want = { enabled: row.enabled, ...wanted(row) };
  const save = async () => {
    try {
      return await ask("PATCH", path(row.name), { values: { role: want.role, groups: groupsOf(want), enabled: want.enabled } }, { seen });
    } catch (problem) {
      if (problem.kind !== "changed") throw problem;
    }
    ({ value: row, seen } = await look(path(row.name)));
    throw new Problem(`Somebody has changed ${row.name} since you looked: it is ${standing(row)} now. Nothing of yours was set. Set it again to have yours all the same.`, "changed");
  };
  const made = await dialog({
    title: `What may ${row.name} do?`,
    content: (update) => [
      me && h("p", {}, "This is you: what you take from yourself only another administrator gives back, or root on a node."),
      roleFields(want, update),
      choice("checkbox", "enabled", { label: "May sign in", words: "without it, whoever is signed in under this name is signed out at once", checked: want.enabled, onchange: (event) => { want.enabled = event.target.checked; } }),
    ],
    buttons: () => [{
      label: `Change ${row.name}`, off: noneChosen(want),
      act: save,
    }],
  });
  if (made) notice(`${made.name} is ${standing(made)}`, "done");
}

const standing = (row) => `${article(row.role)} ${row.role}${row.groups.length ? ` for ${row.groups.join(", ")}` : ""}${row.enabled ? "" : ", and cannot sign in"}`;

async function remove(row, me) {
  const words = [
    `${row.name} is signed out everywhere, and cannot sign in any more. API tokens that ${row.name} has made stay good.`,
    ...(me ? ["This is you: this page ends with it."] : []),
  ];
  if (await confirm({ title: `Remove ${row.name}?`, words, button: `Remove ${row.name}`, tone: "bad" })) {
    await run(`${row.name} is removed`, path(row.name), undefined, { method: "DELETE" });
  }
}
