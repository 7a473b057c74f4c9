// Asking back before something is done: what would happen, in the words of the cluster, and one button that names it.

import { Problem } from "./connection.js";
import { h, show } from "./dom.js";

// Resolves to the value that was chosen, or null. `content(update)` gives what stands in the dialog; `update` shows it
// anew. `buttons()`: those that go on, each with a label, a value and perhaps a tone and a reason why it is off. One with
// `act` does that first, and its answer is the value; why it could not be done is told, and the dialog stays.
export function dialog({ title, content, buttons, cancel = "Cancel" }) {
  return new Promise((resolve) => {
    let chosen = null;
    let refused = "";
    let busy = false;
    const box = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title", "data-own": true });
    // Gone at once: the event comes later, and what stands in it may be a secret.
    const end = () => {
      box.remove();
      resolve(chosen);
    };
    const choose = (value) => {
      chosen = value;
      box.close();
      end();
    };
    const press = async (button) => {
      if (!button.act) return choose(button.value);
      if (busy) return undefined;
      busy = true;
      refused = "";
      update();
      try {
        return choose(await button.act());
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        refused = problem.message;
        return undefined;
      } finally {
        busy = false;
        update();
      }
    };
    const update = () => show(box,
      h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); box.querySelector("button.main:enabled")?.click(); } },
        h("h2", { id: "dialog-title" }, title),
        h("div", { class: "dialog-content" }, content(update)),
        h("p", { class: "problem", role: "alert" }, refused),
        h("div", { class: "dialog-buttons", "aria-busy": String(busy) },
          h("button", { type: "button", class: "button", onclick: () => choose(null) }, cancel),
          buttons().map((button) => h("button", {
            type: "button", class: `button main ${button.tone ?? ""}`, disabled: Boolean(button.off),
            onclick: () => press(button),
          }, button.label)))));
    box.addEventListener("close", end); // by Escape
    document.body.append(box);
    update();
    box.showModal();
  });
}

// `foretold`: a promise of what would happen, in words, or of why it cannot be done (a `Problem`).
export async function confirm({ title, words = [], foretold, button, tone }) {
  let told = foretold ? null : "";
  let refused = "";
  return dialog({
    title,
    content: (update) => {
      if (foretold && told === null) {
        foretold.then((answer) => { told = answer; }, (problem) => { refused = told = problem.message; }).then(update);
        foretold = null;
      }
      return [
        words.map((line) => h("p", {}, line)),
        h("p", { class: refused ? "problem" : "foretold", role: "status" }, told ?? "Asking the cluster what would happen ..."),
      ];
    },
    buttons: () => [{ label: button, value: true, tone, off: refused || told === null }],
  });
}
