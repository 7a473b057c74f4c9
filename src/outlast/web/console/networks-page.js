// The networks that guests need: on which nodes they are up, and which roles they count for.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { groupLink, table, title } from "./parts.js";
import { picture } from "./picture.js";
import { compareNames, count } from "./words.js";

const MOST = 12;

export function networksPage() {
  const { nodes, groups } = picture.status;
  const names = [...new Set([...nodes, ...groups].flatMap((row) => Object.keys(row.networks)))].sort(compareNames);
  const rows = names.map((name) => {
    const needing = groups.filter((row) => name in row.networks);
    return {
      key: name,
      cells: [name, ...nodes.map((node) => on(node, name)),
        needing.length ? h("span", {}, needing.slice(0, MOST).map((row, index) => [index ? ", " : "", groupLink(row.name)]), needing.length > MOST && ` and ${needing.length - MOST} more`) : "none"],
    };
  });
  return h("div", { class: "page" },
    title("Networks", h("span", { class: "quiet" }, `${count(names.length, "network")} that guests need`)),
    names.length ? table(["Network", ...nodes.map((node) => node.name), "Counts for"], rows, "Networks")
      : h("p", { class: "empty" }, "No guest needs a network that the nodes tell of."));
}

function on(node, name) {
  const why = node.networks[name];
  if (why === undefined) return h("span", { class: "state quiet" }, icon("empty", "quiet"), h("span", {}, "not told"));
  return why ? h("span", {}, h("span", { class: "state bad" }, icon("cross", "bad"), h("span", {}, "lost")), h("span", { class: "why" }, why))
    : h("span", { class: "state good" }, icon("full", "good"), h("span", {}, "up"));
}
