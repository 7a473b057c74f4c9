// A password is typed twice, so that a slip locks nobody out; who changes their own says the present one, too.

import { ask, connection, Problem } from "./connection.js";
import { dialog } from "./dialog.js";
import { field } from "./fields.js";
import { h } from "./dom.js";
import { notice } from "./operations.js";

const TAKES = "10 to 256 characters";

function hidden(id, value, changed, autocomplete = "new-password") {
  return h("input", { id, type: "password", value, autocomplete, oninput: (event) => changed(event.target.value) });
}

// Two fields, and what stands in both. `value` throws `Problem`.
export function newPassword() {
  const typed = { first: "", second: "" };
  return {
    fields: () => h("div", { class: "pair", "data-key": "password" },
      field("Password", hidden("new-password", typed.first, (value) => { typed.first = value; }), TAKES),
      field("Once more", hidden("new-password-again", typed.second, (value) => { typed.second = value; }))),
    value: () => {
      if (typed.first !== typed.second) throw new Problem("the two passwords are different; nothing was changed", "usage");
      return typed.first;
    },
  };
}

export async function changePassword(name) {
  const own = name === connection.session?.user;
  const password = newPassword();
  let current = "";
  const done = await dialog({
    title: own ? "Change your password" : `Another password for ${name}`,
    content: () => [
      h("p", {}, own ? "You stay signed in here, and are signed out everywhere else." : `Whoever is signed in as ${name} is signed out.`),
      own && field("Present password", hidden("present-password", current, (value) => { current = value; }, "current-password")),
      password.fields(),
    ],
    buttons: () => [{
      label: own ? "Change your password" : `Set the password of ${name}`,
      act: async () => ask("POST", `/users/${encodeURIComponent(name)}/password`, { password: password.value(), ...(own ? { current } : {}) }),
    }],
  });
  if (done) notice(own ? "you have another password" : `${name} has another password`, "done");
}
