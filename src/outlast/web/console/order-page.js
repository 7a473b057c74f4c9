// Which roles start after which? As a picture, what starts first on the left, and in words.

import { ask } from "./connection.js";
import { h } from "./dom.js";
import { answered, groupLink, quiet, section, stateOf, table, title } from "./parts.js";
import { changed, picture } from "./picture.js";
import { drawing } from "./resource-tree.js";
import { linkTo } from "./links.js";
import { count, seconds } from "./words.js";

const RANKS = ["high", "medium", "low", "no auto start"];

export function orderPage() {
  const { groups } = picture.status;
  const named = new Set(groups.flatMap((row) => (row.start_after.length ? [row.name, ...row.start_after.map((one) => one.group)] : [])));
  const related = groups.filter((row) => named.has(row.name));
  const rules = answered("rules", () => ask("GET", "/rules"), changed, 10).value ?? [];
  return h("div", { class: "page" },
    title("Start order", h("span", { class: "quiet" }, related.length ? `${count(related.length, "role")} in an order` : "")),
    related.length ? [
      drawing(related.map((row) => ({ name: row.name, state: row.state, needs: row.start_after.map((one) => one.group) })),
        "Which roles start after which; the table below says the same", (name) => linkTo("roles", name)),
      table(["Role", "State", "Starts after"], related.filter((row) => row.start_after.length).map((row) => ({
        key: row.name, cells: [groupLink(row.name), stateOf(row.name), row.start_after.map((one, index) => [index ? "; " : "", groupLink(one.group), one.until === "answers" ? " answers" : " is online", one.delay_s ? `, and ${seconds(one.delay_s)} more` : ""])],
      })), "Start order"),
    ] : h("p", { class: "empty" }, "No role waits for another one. To set it: ", h("code", {}, "outlast group set NAME start_after=OTHER")),
    section("By priority", table(["Priority", "Roles"], RANKS.map((rank) => {
      const of = groups.filter((row) => row.priority === rank);
      return { key: rank, cells: [rank, of.length ? [count(of.length, "role"), of.length <= 12 && [": ", of.map((row, index) => [index ? ", " : "", groupLink(row.name)])]] : "none"] };
    }), "Roles by priority"), quiet("Of what a node is to start, the more urgent begins first. How it hangs together inside of a role, its own page shows.")),
    rules.length > 0 && section("Placement rules", table(["Rule", "Says", "Kept?"], rules.map((rule) => ({
      key: rule.name, cells: [rule.name, saying(rule), !rule.enabled ? "disabled" : rule.broken.length ? h("span", { class: "why" }, rule.broken.join("; ")) : "kept"],
    })), "Placement rules")));
}

function saying(rule) {
  const on = rule.nodes.length ? ` ${rule.nodes.join(", ")}` : ` ${rule.domain}`;
  return `${rule.groups.join(", ")}: ${rule.kind}${on}${rule.hard ? "" : ", if possible"}`;
}
