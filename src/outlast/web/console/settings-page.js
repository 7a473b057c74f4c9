// What holds for the whole cluster: each setting, what it means, what it is, and what it is when nobody sets it.

import { ask, look } from "./connection.js";
import { h } from "./dom.js";
import { answered, badge, buttons, problem, quiet, section, table, title } from "./parts.js";
import { changed, lastOf } from "./picture.js";
import { may } from "./rights.js";
import { changeSetting, written } from "./setting-dialog.js";
import { count, seconds } from "./words.js";

const AT = "/cluster/settings";
const TOPICS = [
  ["The whole cluster", ["armed", "survive_nodes", "reserve", "node_timeout_s"]],
  ["Failover and start", ["failover_threshold", "failover_period_s", "parallel_starts", "network_delay_s"]],
  ["Moves and balance", ["balance", "parallel_moves", "parallel_moves_in_all", "migration_network", "migration_mib_s", "shutdown_drain_s"]],
  ["Fencing and quarantine", ["fence_action", "watchdog_strength", "most_fenced", "fence_period_s", "quarantine_threshold", "quarantine_period_s", "quarantine_s"]],
  ["Database", ["vote_removal_s", "most_voters", "events_kept", "backup_interval_s", "backups_kept"]],
];
const view = { words: "", changed: false };

export function settingsPage() {
  const { value: told, problem: why } = answered("settings", () => look(AT), changed, 5, lastOf("settings"));
  return h("div", { class: "page" },
    title("Settings", told && h("span", { class: "quiet" }, `${count(told.value.length, "setting")}, ${told.value.filter(isSet).length || "none"} not as by default`)),
    h("div", { class: "filters", role: "group", "aria-label": "Which settings" },
      h("input", { type: "search", placeholder: "Filter by name or meaning", "aria-label": "Filter by name or meaning", value: view.words, oninput: (event) => { view.words = event.target.value; changed(); } }),
      h("button", { class: "button small", "aria-pressed": String(view.changed), onclick: () => { view.changed = !view.changed; changed(); } }, "Not as by default")),
    why ? problem(why) : told ? topics(told) : quiet("Asking the cluster ..."));
}

const isSet = (row) => row.value !== row.default;

function topics(told) {
  const part = view.words.toLowerCase();
  const fits = (row) => (!view.changed || isSet(row)) && (!part || `${row.name} ${row.meaning}`.toLowerCase().includes(part));
  const known = new Set(TOPICS.flatMap(([, names]) => names));
  const all = [...TOPICS, ["Others", told.value.map((row) => row.name).filter((name) => !known.has(name))]];
  const found = all.map(([topic, names]) => [topic, told.value.filter((row) => names.includes(row.name) && fits(row))]).filter(([, rows]) => rows.length);
  return found.length ? found.map(([topic, rows]) => section(topic, settingTable(topic, rows, (row) => change(row, told), may("cluster.set")))) : quiet("No setting is like that.");
}

export function settingTable(label, rows, act, mayChange) {
  return h("div", { class: "settings" }, table(["Setting", "Value", "Default", "Meaning", "Actions"].slice(0, mayChange ? 5 : 4), rows.map((row) => ({
    key: row.name,
    cells: [h("code", {}, row.name),
      h("span", {}, isSet(row) ? h("strong", {}, valueOf(row, row.value)) : valueOf(row, row.value), isSet(row) && badge("star", "set")),
      valueOf(row, row.default),
      h("span", {}, row.meaning, row.fixed && h("span", { class: "why" }, row.fixed)),
      mayChange && !row.fixed && buttons([{ verb: "set", label: "Change ...", about: row.name, act: () => act(row) }], "small")].slice(0, mayChange ? 5 : 4),
  })), label));
}

function valueOf(row, value) {
  const long = row.name.endsWith("_s") && Number(value) >= 120 ? ` (${seconds(Number(value))})` : "";
  return `${written(value)}${long}`;
}

function change(row, told) {
  return changeSetting({
    row, rows: told.value, seen: told.seen, at: AT, path: "/cluster",
    foretell: (values) => ask("POST", "/cluster/would-set", { values }),
  });
}
