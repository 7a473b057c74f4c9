// One role: how it is and why, what can be done with it, what it is made of, where it could run, and how it came to be
// as it is.

import { groupActions } from "./actions.js";
import { ask } from "./connection.js";
import { h } from "./dom.js";
import { eventLine } from "./events-page.js";
import { groupState, icon } from "./icons.js";
import { answered, badge, buttons, facts, groupLink, lockOf, maintenanceOf, nodeLink, problem, protection, quiet, section, table, title, whyOf } from "./parts.js";
import { changed, group, picture } from "./picture.js";
import { may } from "./rights.js";
import { tree } from "./resource-tree.js";
import { linkTo } from "./links.js";
import { allSettings } from "./group-settings.js";
import { count, memory, seconds, when } from "./words.js";

const path = (name, what = "") => `/groups/${encodeURIComponent(name)}${what}`;

export function groupPage(name) {
  const row = group(name);
  if (!row) return h("div", { class: "page" }, title(name), problem(`There is no role "${name}".`), h("a", { href: linkTo("roles") }, "All roles"));
  const epoch = `${name} ${row.epoch} ${row.state}`; // asked anew at once when it has changed
  const whole = answered(`group ${epoch}`, () => ask("GET", path(name)), changed);
  const explained = answered(`explain ${epoch}`, () => ask("GET", path(name, "/explanation")), changed);
  return h("div", { class: "page" },
    h("nav", { class: "crumbs", "aria-label": "Where" }, h("a", { href: linkTo("roles") }, "Roles"), " / ", name),
    title(name, groupState(row.state),
      row.locked && badge("lock", lockOf(row)), row.maintenance && badge("wrench", maintenanceOf(row), "warn")),
    h("p", { class: "why-line", role: "status" }, whyOf(row) || (row.settled ? "" : `wanted ${row.wanted}`)),
    row.transfer && transfer(row),
    h("div", { class: "buttons" }, buttons(groupActions(row)), screens(row)),
    h("div", { class: "columns" },
      h("div", {}, section("Now", facts([
        ["Owner", nodeLink(row.owner)], ["Wanted", `${row.wanted}, by ${row.wanted_by || "nobody yet"}`], ["Protection", protection(row)],
        ["Moves to", row.move_to === "*" ? "any other node" : row.move_to], ["Returns to", row.return_to],
        ["Notes", row.protection_notes.join("; ")],
      ])),
      section("Settings", facts([
        ["Priority", row.priority], ["Preferred owners", row.preferred_owners.join(", ") || "none"],
        ["Possible owners", row.possible_owners.join(", ") || "all nodes"], ["Failback", failback(row)],
        ["Failovers allowed", `${row.failover_threshold} within ${seconds(row.failover_period_s)}`],
        ["When taken offline", row.offline_action], ["Balanced", row.balance],
      ])),
      section("Starts after", row.start_after.length ? h("ul", { class: "plain" }, row.start_after.map((one) => h("li", {},
        groupLink(one.group), one.until === "answers" ? " answers" : " is online", one.delay_s ? ` for ${seconds(one.delay_s)}` : ""))) : quiet("It waits for no other role."))),
      h("div", {}, explanation(explained), resources(whole), failures(row))),
    allSettings(row),
    story(explained));
}

function screens(row) {
  const vms = picture.status.vms.filter((vm) => vm.group === row.name && vm.state === "online");
  return may("vm.screen", row.name) && vms.map((vm) =>
    h("a", { class: "button", href: linkTo("screen", vm.name) }, vms.length > 1 || vm.name !== row.name ? `Screen of ${vm.name}` : "Screen"));
}

function transfer(row) {
  const { percent, rate_mib_s: rate, left_mib: left, downtime_ms: still } = row.transfer;
  const words = [`${percent} %`, rate && `${Math.round(rate)} MiB/s`, left && `${Math.round(left)} MiB left`, still && `will stand still for ${still} ms`];
  return h("div", { class: "transfer", role: "status" }, icon("move", "busy"),
    h("span", {}, `Live migration from ${row.owner} to ${row.move_to || "another node"}: ${words.filter(Boolean).join(", ")}`),
    h("progress", { max: 100, value: percent, "aria-label": `${percent} %` }));
}

function failback(row) {
  const [from, to] = row.failback_hours;
  return row.failback === "window" ? `between ${from} and ${to} o'clock` : row.failback;
}

function resources({ value, problem: why }) {
  if (why) return section("Resources", problem(why));
  if (!value) return section("Resources", quiet("Asking ..."));
  const rows = value.members.map((one) => ({
    key: one.name,
    cells: [one.name, one.type, h("span", {}, groupState(one.state), one.why && h("span", { class: "why" }, one.why)),
      [memory(one.memory_mib), one.vcpus ? count(one.vcpus, "vCPU") : ""].filter(Boolean).join(", "),
      one.guest_status?.words || one.depends_on && `needs ${one.depends_on}` || ""],
  }));
  return section("Resources", table(["Name", "Type", "State, and why", "Size", "Notes"], rows, "Resources"),
    value.members.some((one) => one.depends_on) && tree(value.members));
}

function explanation({ value, problem: why }) {
  if (why) return section("Why", problem(why));
  return section("Why", value ? h("ul", { class: "explained" }, value.now.map((line) => h("li", {}, line))) : quiet("Asking ..."));
}

function failures(row) {
  return row.failures.length ? section("Failures that count", h("ul", { class: "plain" }, row.failures.map((one) =>
    h("li", {}, `on ${one.node}: ${one.why}`, h("small", { class: "quiet" }, ` ${when(one.at_s)}`))))) : null;
}

function story({ value }) {
  if (!value) return null;
  return section("What led to it", h("ol", { class: "events" }, [...value.story].reverse().slice(0, 100).map(eventLine)));
}
