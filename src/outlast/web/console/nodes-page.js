// The nodes: how each is, what it has to do, and what would happen if it died now.

import { nodeActions } from "./actions.js";
import { ask } from "./connection.js";
import { h } from "./dom.js";
import { nodeState } from "./icons.js";
import { answered, badge, buttons, groupLink, load, nodeLink, problem, quiet, table, title } from "./parts.js";
import { changed, picture } from "./picture.js";
import { count, memory } from "./words.js";

const opened = new Set();

export function nodesPage() {
  const { nodes } = picture.status;
  const up = nodes.filter((row) => row.state === "up").length;
  const ails = nodes.filter((row) => row.state !== "up" || row.why).length;
  return h("div", { class: "page" },
    title("Nodes", h("span", { class: "quiet" }, [up === nodes.length ? `${count(nodes.length, "node")}, all up` : `${up} of ${count(nodes.length, "node")} up`,
      ails ? `${ails} ${ails === 1 ? "needs" : "need"} attention` : ""].filter(Boolean).join(", "))),
    h("div", { class: "cards" }, nodes.map(card)));
}

function card(row) {
  const owned = picture.status.groups.filter((one) => one.owner === row.name);
  const open = opened.has(row.name);
  return h("article", { class: "card", "data-key": row.name, "aria-label": row.name },
    h("div", { class: "card-head" }, h("h2", {}, nodeLink(row.name)), nodeState(row.state), row.coordinator && badge("star", "coordinator")),
    row.why && h("p", { class: "why-line" }, row.why),
    loads(row, owned),
    h("p", { class: "quiet small" }, [row.address, row.rack && `rack ${row.rack}`, row.site && `site ${row.site}`, proof(row)].filter(Boolean).join(" · ")),
    buttons(nodeActions(row), "small"),
    h("details", {
      class: "foretelling", ontoggle: (event) => { event.target.open ? opened.add(row.name) : opened.delete(row.name); changed(); },
    }, h("summary", {}, `What if ${row.name} died now?`), open && forecast(row.name)));
}

export function loads(row, owned) {
  return h("div", { class: "loads" },
    load("Roles", 0, 0, `${owned.length}`),
    load("Memory given away", row.memory_used_mib, row.memory_mib,
      row.memory_mib ? `${memory(row.memory_used_mib) || "0"} of ${memory(row.memory_mib)}` : memory(row.memory_used_mib) || "none"),
    load("vCPUs given away", row.cpus_used, 0, row.cpus ? `${row.cpus_used} on ${count(row.cpus, "CPU")}` : `${row.cpus_used}`));
}

export function proof(row) {
  const ways = [...row.fence, row.watchdog_proves && `watchdog of ${row.watchdog_s} s`].filter(Boolean);
  return ways.length ? `its death is proven by ${ways.join(", ")}` : "nothing proves its death: an administrator must";
}

// What would become of each role, in the order in which they would be placed.
export function forecast(name) {
  const { value, problem: why } = answered(`forecast ${name}`, () => ask("GET", `/what-if/node-down?nodes=${encodeURIComponent(name)}`), changed);
  if (why) return problem(why);
  if (!value) return quiet("Asking the cluster ...");
  const rows = value.restarts.map((one) => ({
    key: one.group, tone: one.to ? "" : "bad",
    cells: [groupLink(one.group), one.to ? h("span", {}, "on ", nodeLink(one.to)) : h("strong", { class: "state bad" }, "would not run"), one.why],
  }));
  return h("div", {},
    rows.length ? table(["Role", "Would run", "Why"], rows, `If ${name} died now`) : quiet("Nothing would have to be started elsewhere."),
    value.notes.length > 0 && h("ul", { class: "reasons" }, value.notes.map((note) => h("li", {}, note))));
}
