// All that the cluster keeps running: VMs and groups, each with its state, and the reason beside every state that is not fine.
//
// Only the rows that are in sight are elements, so that thousands are no more work than thirty.

import { groupActions } from "./actions.js";
import { h } from "./dom.js";
import { groupState, icon, nodeState, protectionState } from "./icons.js";
import { draggable, dragged, droppable, saidOf } from "./moving.js";
import { lockOf, maintenanceOf, needsAttention, title, weaknesses, whyOf } from "./parts.js";
import { changed, picture } from "./picture.js";
import { linkTo } from "./links.js";
import { compareNames, count, memory } from "./words.js";

const ROW_PX = { wide: 38, narrow: 76 };
const SPARE = 8;
const narrow = matchMedia("(max-width: 760px)");
const view = { words: "", only: "all", node: "", by: "name", down: false, menu: "" };
let top = 0;

narrow.addEventListener("change", changed);
window.addEventListener("scroll", () => { if (document.getElementById("roles")) changed(); }, { passive: true });
window.addEventListener("resize", changed);

const FILTERS = {
  all: () => true,
  attention: needsAttention,
  weak: (row) => row.protection === "at risk",
  online: (row) => row.state === "online",
  offline: (row) => row.state === "offline",
};
const ORDERS = {
  name: (a, b) => compareNames(a.name, b.name),
  state: (a, b) => Number(needsAttention(b)) - Number(needsAttention(a)) || a.state.localeCompare(b.state) || compareNames(a.name, b.name),
  owner: (a, b) => compareNames(a.owner, b.owner) || compareNames(a.name, b.name),
  protection: (a, b) => a.protection.localeCompare(b.protection) || compareNames(a.name, b.name),
  memory: (a, b) => memoryOf(b) - memoryOf(a) || compareNames(a.name, b.name),
};

let sums = { of: null, mib: new Map() };
function memoryOf(row) {
  if (sums.of !== picture.status.vms) {
    sums = { of: picture.status.vms, mib: new Map() };
    for (const vm of picture.status.vms) sums.mib.set(vm.group, (sums.mib.get(vm.group) ?? 0) + vm.memory_mib);
  }
  return sums.mib.get(row.name) ?? 0;
}

export function rolesPage() {
  const all = picture.status.groups;
  const part = view.words.toLowerCase();
  const rows = all.filter((row) => FILTERS[view.only](row) && (!view.node || row.owner === view.node)
    && (!part || row.name.toLowerCase().includes(part) || row.resources.some((name) => name.toLowerCase().includes(part))));
  rows.sort(ORDERS[view.by]);
  if (view.down) rows.reverse();
  return h("div", { class: "page" },
    title("Roles", h("span", { class: "quiet" }, summary(all))),
    nodeStrip(),
    filters(all, rows),
    all.length ? list(rows) : h("p", { class: "empty" }, "Nothing is protected yet. On a node: ", h("code", {}, "outlast vm protect FILE.xml")));
}

function summary(all) {
  const bad = all.filter(needsAttention).length;
  return `${count(all.length, "role")}, ${bad ? `${bad} ${bad === 1 ? "needs" : "need"} attention` : "none needs attention"}`;
}

// Each node: drop a role onto it to move it there; press it to see only what it owns.
function nodeStrip() {
  return h("ul", { class: "strip", "aria-label": "Nodes" }, picture.status.nodes.map((node) => {
    const said = dragged.name ? saidOf(node.name) : node.why;
    const owned = picture.status.groups.filter((row) => row.owner === node.name).length;
    return h("li", { "data-key": node.name },
      h("button", {
        class: "strip-node", "aria-pressed": String(view.node === node.name), ...droppable(node.name), "data-node": node.name,
        title: said || `Show only what ${node.name} owns`,
        onclick: () => { view.node = view.node === node.name ? "" : node.name; changed(); },
      },
      h("span", { class: "strip-head" }, h("strong", {}, node.name), nodeState(node.state)),
      h("small", { class: "quiet" }, said || [count(owned, "role"), node.memory_mib ? `${memory(node.memory_mib - node.memory_used_mib) || "0 MiB"} free` : ""].filter(Boolean).join(", "))));
  }));
}

function filters(all, rows) {
  const choice = (key, label) => h("button", {
    class: "button small", "aria-pressed": String(view.only === key), onclick: () => { view.only = key; changed(); },
  }, `${label} ${all.filter(FILTERS[key]).length}`);
  return h("div", { class: "filters", role: "group", "aria-label": "Which roles" },
    h("input", {
      type: "search", placeholder: "Filter by name", "aria-label": "Filter by name", value: view.words,
      oninput: (event) => { view.words = event.target.value; changed(); },
    }),
    choice("all", "All"), choice("attention", "Need attention"), choice("weak", "At risk"), choice("online", "Online"), choice("offline", "Offline"),
    view.node && h("button", { class: "button small", "aria-pressed": "true", onclick: () => { view.node = ""; changed(); } }, `on ${view.node}  ×`),
    h("span", { class: "quiet small", role: "status" }, rows.length === all.length ? "" : `${rows.length} of ${all.length}`));
}

const HEADS = [["name", "Name"], ["state", "State, and why"], ["owner", "Owner"], ["protection", "Protection"], ["memory", "Memory"]];

function list(rows) {
  const height = narrow.matches ? ROW_PX.narrow : ROW_PX.wide;
  const box = document.getElementById("roles-rows");
  if (box) top = Math.max(0, -box.getBoundingClientRect().top);
  const first = Math.max(0, Math.floor(Math.min(top, rows.length * height) / height) - SPARE);
  const shown = rows.slice(first, first + Math.ceil(window.innerHeight / height) + 2 * SPARE);
  return h("div", { id: "roles", class: "roles", role: "table", "aria-label": "Roles", "aria-rowcount": rows.length + 1 },
    h("div", { class: "role-row heads", role: "row", "aria-rowindex": 1 }, HEADS.map(([key, label]) =>
      h("span", { role: "columnheader", "aria-sort": view.by === key ? (view.down ? "descending" : "ascending") : null },
        h("button", { class: "head", onclick: () => sortBy(key) }, label, view.by === key ? (view.down ? " ▾" : " ▴") : ""))),
      h("span", { role: "columnheader" }, h("span", { class: "unseen" }, "Actions"))),
    h("div", { id: "roles-rows", role: "rowgroup", style: { height: `${rows.length * height}px` } },
      shown.map((row, index) => roleRow(row, first + index, height))),
    rows.length === 0 && h("p", { class: "empty" }, "No role is like that."));
}

function sortBy(key) {
  view.down = view.by === key && !view.down;
  view.by = key;
  changed();
}

function roleRow(row, index, height) {
  const why = whyOf(row);
  const weak = weaknesses(row)[0] ?? "";
  const single = row.resources.length === 1;
  return h("div", {
    class: `role-row ${row.transfer ? "moving" : ""}`, role: "row", "data-key": row.name, "data-role": row.name, "aria-rowindex": index + 2,
    style: { transform: `translateY(${index * height}px)` }, ...draggable(row), onkeydown: rowKey,
  },
  h("span", { role: "cell", class: "role-name" },
    h("a", { href: linkTo("roles", row.name) }, row.name),
    !single && h("small", { class: "quiet" }, ` ${count(row.resources.length, "resource")}`),
    row.locked && h("span", { title: lockOf(row) }, icon("lock", "quiet")),
    row.maintenance && h("span", { title: maintenanceOf(row) }, icon("wrench", "warn"))),
  h("span", { role: "cell", class: "role-state", title: why }, groupState(row.state),
    row.wanted !== row.state && row.wanted === "offline" && row.state !== "offline" ? h("small", { class: "quiet" }, "wanted offline") : null,
    why && h("span", { class: "why" }, why),
    row.transfer && h("progress", { max: 100, value: row.transfer.percent, "aria-label": `${row.transfer.percent} % moved` })),
  h("span", { role: "cell", class: "role-owner" }, row.owner || h("span", { class: "quiet" }, "none"), row.move_to && row.move_to !== "*" ? h("span", { class: "quiet" }, ` → ${row.move_to}`) : null),
  h("span", { role: "cell", class: "role-protection", title: weaknesses(row).join("\n") }, protectionState(row.protection), weak && h("span", { class: "why" }, weak)),
  h("span", { role: "cell", class: "role-memory number" }, memory(memoryOf(row))),
  h("span", { role: "cell", class: "role-actions" }, menu(row)));
}

function menu(row) {
  const actions = groupActions(row);
  if (!actions.length) return null;
  const open = view.menu === row.name;
  const toggle = () => { view.menu = open ? "" : row.name; changed(); };
  return [
    h("button", { class: "button plain small dots", "aria-haspopup": "menu", "aria-expanded": String(open), "aria-label": `Actions for ${row.name}`, onclick: toggle }, "⋯"),
    open && h("div", { class: "menu", role: "menu", "aria-label": `Actions for ${row.name}` }, actions.map((action) =>
      h("button", { role: "menuitem", "data-verb": action.verb, onclick: () => { view.menu = ""; changed(); action.act(); } }, action.label))),
  ];
}

document.addEventListener("click", (event) => {
  if (view.menu && !event.target.closest(".role-actions")) { view.menu = ""; changed(); }
});

// Up and down go from row to row; "m" moves the role, Escape closes its menu.
function rowKey(event) {
  const row = event.currentTarget;
  const inMenu = event.target.closest(".menu");
  if (event.key === "Escape") { view.menu = ""; changed(); }
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (step) {
    event.preventDefault();
    const from = inMenu ? event.target : row;
    const to = from[step];
    (inMenu ? to : to?.querySelector("a"))?.focus();
    if (!inMenu) to?.scrollIntoView({ block: "nearest" });
  } else if (event.key === "m" && !inMenu) {
    groupActions(picture.status.groups.find((one) => one.name === row.dataset.role)).find((action) => action.verb === "group.move")?.act();
  }
}
