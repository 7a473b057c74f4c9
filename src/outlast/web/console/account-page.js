// Who is signed in here, until when, and with which password?

import { connection } from "./connection.js";
import { h } from "./dom.js";
import { buttons, facts, section, title } from "./parts.js";
import { changePassword } from "./passwords.js";
import { rangeOf } from "./users-page.js";
import { when } from "./words.js";

export function accountPage() {
  const { user, role, groups, until_s: until } = connection.session;
  return h("div", { class: "page" },
    title("Your account"),
    h("div", { class: "account-facts" }, section("Signed in", facts([
      ["Name", user], ["Role", role], ["For", rangeOf({ groups })], ["Until", until ? when(until) : ""],
    ]))),
    buttons([{ verb: "user.passwd", label: "Change your password ...", act: () => changePassword(user) }]));
}
