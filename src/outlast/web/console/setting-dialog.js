// One setting is changed: what it means and takes, what the cluster would do at once; and what somebody else has set
// meanwhile, before theirs is overwritten.

import { ask, look, Problem } from "./connection.js";
import { dialog } from "./dialog.js";
import { h } from "./dom.js";
import { choice, field, select, text } from "./fields.js";
import { notice } from "./operations.js";
import { lastEvent, picture } from "./picture.js";

const STILL_S = 0.4; // nobody has typed for so long

export const written = (value) => (value === "" ? "none" : value);

// `rows` and `seen`: the settings as they were shown, and their ETag. `at`: where they are asked for; `path`: where they
// are set; `foretell(values)`: promises what the cluster would do at once, in lines. Resolves when it is over.
export async function changeSetting({ row, rows, seen, at, path, foretell, nodes = [] }) {
  const want = { value: row.value, told: null, refused: "", lines: [] };
  const opened = lastEvent();
  let waiting = 0;
  const set = (value, update) => {
    want.value = value;
    clearTimeout(waiting);
    if (foretell) waiting = setTimeout(() => foresee(update), STILL_S * 1000);
    update();
  };
  const foresee = async (update) => {
    const asked = want.value;
    const lines = await foretell({ [row.name]: asked }).then((found) => (found.length ? found : ["Nothing would be done at once."]), (problem) => [problem.message]);
    if (asked !== want.value) return;
    want.lines = asked === row.value ? [] : lines;
    update();
  };
  const save = async () => {
    for (;;) {
      try {
        return await ask("PATCH", path, { values: { [row.name]: want.value } }, { seen });
      } catch (problem) {
        if (problem.kind !== "changed") throw problem;
      }
      const now = await look(at);
      const theirs = now.value.filter((one) => one.value !== rows.find((before) => before.name === one.name)?.value);
      const before = rows;
      ({ value: rows, seen } = now);
      // The record has more than settings in it: where it runs, say. Nobody is asked about that.
      if (theirs.length) throw new Problem(conflict(theirs, before, row, opened), "changed");
    }
  };
  const made = await dialog({
    title: `Change ${row.name}?`,
    content: (update) => [
      h("p", {}, `${row.meaning[0].toUpperCase()}${row.meaning.slice(1)}.`),
      control(row, want, (value) => set(value, update)),
      nodes.length > 0 && h("p", { class: "small quiet" }, `Nodes: ${nodes.join(", ")}`),
      h("p", { class: "small quiet" }, `It is ${written(row.value)}`, row.value === row.default ? ", which is its default." : h("span", {}, `; its default is ${written(row.default)}. `,
        h("button", { type: "button", class: "as-link", onclick: () => { set(row.default, update); reset(row); } }, "Take the default"))),
      foretell && h("ul", { class: "foretold", role: "status", "aria-label": "What would be done at once" }, want.lines.map((line) => h("li", {}, line))),
    ],
    buttons: () => [{ label: `Set ${row.name}`, act: save }],
  });
  if (made) notice(`${row.name} is ${written(want.value)}`, "done", [...(made.warnings ?? []), ...(made.notes ?? []), made.warning ?? ""].filter(Boolean).join("; "));
}

function conflict(theirs, before, mine, opened) {
  const told = theirs.map((one) => `${one.name} is ${written(one.value)} now (it was ${written(before.find((old) => old.name === one.name)?.value ?? "")})`);
  const same = theirs.some((one) => one.name === mine.name) ? "theirs is overwritten" : "theirs is left as it is";
  const names = (event) => theirs.some((one) => event.words.includes(one.name));
  const by = picture.events.filter((event) => event.id > opened && names(event)).map((event) => ` The event log says: ${event.words}.`).join("");
  return `Somebody has changed the settings since you looked: ${told.join("; ")}.${by} Nothing of yours was set. Set it again to have yours all the same: ${same}.`;
}

const ID = "setting-value";

function control(row, want, set) {
  if (row.several && row.choices.length) {
    const has = want.value.split(",").filter(Boolean);
    const toggle = (one) => set(row.choices.filter((other) => (other === one) !== has.includes(other)).join(","));
    return h("fieldset", {}, h("legend", {}, row.name), row.choices.map((one) => choice("checkbox", ID, { label: one, checked: has.includes(one), onchange: () => toggle(one) })));
  }
  if (row.choices.length) return field(row.name, select(ID, want.value, row.choices.map((one) => [one, one]), set));
  return field(row.name, text(ID, want.value, set), `It takes ${row.takes}.`);
}

// The field has the focus perhaps, and keeps what was typed: it is told itself.
function reset(row) {
  const control = document.getElementById(ID);
  if (control && "value" in control) control.value = row.default;
}
