// Asking back before something is done: what would happen, in the words of the cluster, and one button that names it.

import { h, show } from "./dom.js";

// Resolves to the value that was chosen, or null. `content(update)` gives what stands in the dialog; `update` shows it
// anew. `buttons()`: those that go on, each with a label, a value and perhaps a tone and a reason why it is off.
export function dialog({ title, content, buttons }) {
  return new Promise((resolve) => {
    let chosen = null;
    const box = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title", "data-own": true });
    const choose = (value) => {
      chosen = value;
      box.close();
    };
    const update = () => show(box,
      h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); box.querySelector("button.main:enabled")?.click(); } },
        h("h2", { id: "dialog-title" }, title),
        h("div", { class: "dialog-content" }, content(update)),
        h("div", { class: "dialog-buttons" },
          h("button", { type: "button", class: "button", onclick: () => choose(null) }, "Cancel"),
          buttons().map((button) => h("button", {
            type: "button", class: `button main ${button.tone ?? ""}`, disabled: Boolean(button.off),
            onclick: () => choose(button.value),
          }, button.label)))));
    box.addEventListener("close", () => {
      box.remove();
      resolve(chosen);
    });
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
