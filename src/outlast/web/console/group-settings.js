// What each setting of a role and of its resources means and is, and a way to change it: for administrators.

import { look } from "./connection.js";
import { h } from "./dom.js";
import { answered, problem, quiet, section } from "./parts.js";
import { changed, picture } from "./picture.js";
import { may } from "./rights.js";
import { changeSetting } from "./setting-dialog.js";
import { settingTable } from "./settings-page.js";

const opened = new Set();

export function allSettings(row) {
  if (!may("group.set")) return null;
  const { name, epoch, resources } = row;
  return h("details", { "data-key": "settings", ontoggle: (event) => { event.target.open ? opened.add(name) : opened.delete(name); changed(); } },
    h("summary", {}, "All settings, and how to change them"),
    opened.has(name) && [
      settingsOf("groups", name, `Settings of ${name}`, epoch),
      resources.map((one) => settingsOf("resources", one, one === name ? `What is watched and healed of ${one}` : `Settings of its resource ${one}`, epoch)),
    ]);
}

function settingsOf(kind, name, label, epoch) {
  const path = `/${kind}/${encodeURIComponent(name)}`;
  const at = `${path}/settings`;
  const { value: told, problem: why } = answered(at, () => look(at), changed, 5, epoch);
  const nodes = picture.status.nodes.map((row) => row.name);
  return section(label, why ? problem(why) : !told ? quiet("Asking ...") : settingTable(label, told.value, (row) => changeSetting({
    row, rows: told.value, seen: told.seen, at, path, nodes: row.name.endsWith("_owners") ? nodes : [],
  }), true));
}
