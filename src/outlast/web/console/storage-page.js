// Shared volumes: how each node sees them, what lies on them, and what is changed on them.

import { ask } from "./connection.js";
import { h } from "./dom.js";
import { groupState, icon } from "./icons.js";
import { answered, facts, groupLink, nodeLink, problem, quiet, table, title } from "./parts.js";
import { changed, picture } from "./picture.js";
import { bytes, count, seconds } from "./words.js";

const opened = new Set();
const SEEN = { direct: ["full", "good"], unavailable: ["cross", "bad"], "not known": ["question", "warn"] };

export function storagePage() {
  const { value, problem: why } = answered("volumes", () => ask("GET", "/volumes"), changed);
  return h("div", { class: "page" },
    title("Storage", value && h("span", { class: "quiet" }, count(value.length, "shared volume"))),
    why ? problem(why) : !value ? quiet("Asking the cluster ...") : value.length ? value.map(volume)
      : h("p", { class: "empty" }, "There is no shared volume. Which nodes see the disks of a VM, its own page tells. To add one: ", h("code", {}, "outlast volume add NAME PATH")));
}

function volume(row) {
  const nodes = Object.entries(row.nodes).map(([name, seen]) => ({
    key: name,
    cells: [nodeLink(name), h("span", { class: `state ${(SEEN[seen.state] ?? SEEN["not known"])[1]}` }, icon(...(SEEN[seen.state] ?? SEEN["not known"])), h("span", {}, seen.is_full ? `${seen.state}, full` : seen.state)), seen.why],
  }));
  const open = opened.has(row.name);
  return h("article", { class: "card", "data-key": row.name, "aria-label": row.name },
    h("div", { class: "card-head" }, h("h2", {}, row.name), groupState(row.state)),
    (row.why || row.warning) && h("p", { class: "why-line" }, row.why || row.warning),
    facts([
      ["Path", h("code", {}, row.path)], ["Coordinator", nodeLink(row.coordinator)],
      ["If it is lost", row.limit_s < 0 ? "what needs it waits" : `what needs it is moved after ${seconds(row.limit_s)}`],
      ["On it", row.groups.length ? row.groups.map((name, index) => [index ? ", " : "", groupLink(name)]) : "nothing"],
    ]),
    table(["Node", "Sees it", "Why"], nodes, `Who sees ${row.name}`),
    row.changes.length > 0 && table(["Change", "Image", "Stage", "What came of it"], row.changes.map((one) => ({
      key: one.id, cells: [one.what, one.image, one.stage === "running" ? `running, ${one.percent} %` : one.stage, one.words],
    })), "Changes"),
    h("details", { ontoggle: (event) => { event.target.open ? opened.add(row.name) : opened.delete(row.name); changed(); } },
      h("summary", {}, "Images"), open && images(row.name)));
}

function images(name) {
  const { value, problem: why } = answered(`images ${name}`, () => ask("GET", `/volumes/${encodeURIComponent(name)}/images`), changed, 30);
  if (why) return problem(why);
  if (!value) return quiet("Asking ...");
  return value.length ? table(["Image", "Format", "Size", "On disk", "Snapshots", "Used by"], value.map((one) => ({
    key: one.image, cells: [one.image, one.format, bytes(one.bytes), bytes(one.on_disk_bytes), one.snapshots || "none", one.used_by.filter((vm) => picture.status.vms.some((row) => row.name === vm)).join(", ") || "nobody"],
  })), `Images of ${name}`) : quiet("There is none.");
}
