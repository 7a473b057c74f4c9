// One node: how it is and why, what it owns, what it can run, and how it came to be so.

import { nodeActions } from "./actions.js";
import { ask } from "./connection.js";
import { h } from "./dom.js";
import { eventLine } from "./events-page.js";
import { groupState, nodeState } from "./icons.js";
import { forecast, loads, proof } from "./nodes-page.js";
import { answered, badge, buttons, facts, groupLink, problem, quiet, section, table, title, whyOf } from "./parts.js";
import { changed, node, picture } from "./picture.js";
import { linkTo } from "./links.js";

export function nodePage(name) {
  const row = node(name);
  if (!row) return h("div", { class: "page" }, title(name), problem(`There is no node "${name}".`), h("a", { href: linkTo("nodes") }, "All nodes"));
  const owned = picture.status.groups.filter((one) => one.owner === name);
  const explained = answered(`explain node ${name} ${row.state}`, () => ask("GET", `/nodes/${encodeURIComponent(name)}/explanation`), changed);
  return h("div", { class: "page" },
    h("nav", { class: "crumbs", "aria-label": "Where" }, h("a", { href: linkTo("nodes") }, "Nodes"), " / ", name),
    title(name, nodeState(row.state), row.coordinator && badge("star", "coordinator")),
    h("p", { class: "why-line", role: "status" }, row.why),
    buttons(nodeActions(row)),
    h("div", { class: "columns" },
      h("div", {}, section("Load", loads(row, owned)), section("About it", facts([
        ["Address", row.address], ["Rack", row.rack], ["Site", row.site], ["Proof of death", proof(row)],
        ["Watchdog", row.watchdog_problem || (row.watchdog ? `${row.watchdog}, ${row.watchdog_s} s` : "none")],
        ["Lost of late", row.losses ? `${row.losses} times` : "not"], ["Drained by", row.drained_by],
      ])),
      section("Can run", h("ul", { class: "plain" }, Object.entries(row.types).map(([type, why]) =>
        h("li", {}, type, why ? h("span", { class: "why" }, ` not: ${why}`) : ""))))),
      h("div", {}, section("Why", explained.problem ? problem(explained.problem) : explained.value
        ? h("ul", { class: "explained" }, explained.value.now.map((line) => h("li", {}, line))) : quiet("Asking ...")),
      section(`Roles on ${name}`, owned.length ? table(["Role", "State, and why"], owned.slice(0, 200).map((one) => ({
        key: one.name, cells: [groupLink(one.name), h("span", {}, groupState(one.state), h("span", { class: "why" }, whyOf(one)))],
      })), `Roles on ${name}`) : quiet("It owns nothing."), owned.length > 200 && quiet(`and ${owned.length - 200} more`)),
      section(`What if ${name} died now?`, forecast(name)))),
    explained.value && section("What led to it", h("ol", { class: "events" }, [...explained.value.story].reverse().slice(0, 100).map(eventLine))));
}
