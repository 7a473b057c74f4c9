// The last day: what failed when, how long it took until it was seen and until all was online again, and what the nodes
// had to do.
//
// The failures are drawn from the event log.

import { across, axis, CHART, chart, HOURS, tall, up } from "./charts.js";
import { h, svg } from "./dom.js";
import { stories } from "./events-page.js";
import { loadOfTheDay } from "./load-charts.js";
import { nodeLink, quiet, section, table, title } from "./parts.js";
import { picture } from "./picture.js";
import { headline } from "./stories.js";
import { clock, count, memory } from "./words.js";

export function graphsPage() {
  const now = Math.max(Date.now() / 1000, picture.events.at(-1)?.at_s ?? 0);
  const latest = picture.events.at(-1)?.at_s ?? now;
  const end = now - latest > HOURS * 3600 * 30 ? latest : now; // a simulated cluster has a clock of its own
  const recent = stories().filter((one) => one.kind === "story" && one.at_s > end - HOURS * 3600);
  const over = recent.filter((one) => one.groups.some((row) => row.answered !== undefined));
  const proofs = recent.map((one) => one.steps.proven).filter((time) => time !== undefined);
  return h("div", { class: "page" },
    title("Last day", h("span", { class: "quiet" }, `${count(recent.length, "failure")}, until ${clock(end)}`)),
    h("div", { class: "columns even" },
      section("Failures by hour", byHour(recent, end)),
      section("Time until all was online again", durations(over, end))),
    h("p", { class: "quiet small" }, proofs.length ? `Nodes were proven dead ${proofs.map((time) => `${time.toFixed(1)} s`).join(", ")} after they were called silent.` : "No node was proven dead."),
    over.length > 0 && table(["When", "What", "Longest, from seen to answered"], over.map((one) => ({
      key: one.id, cells: [clock(one.at_s), headline(one), `${Math.max(...one.groups.map((row) => row.answered ?? 0)).toFixed(1)} s`],
    })), "Failures of the last day"),
    section("What the nodes had to do", loadOfTheDay()),
    section("Given away now", givenAway()),
    quiet("The event log is bounded (events_kept): on a busy day it may reach less far back."));
}

function byHour(recent, end) {
  const { width, left } = CHART;
  const sums = { node: new Array(HOURS).fill(0), group: new Array(HOURS).fill(0) };
  for (const one of recent) sums[one.what][Math.min(HOURS - 1, Math.max(0, HOURS - 1 - Math.floor((end - one.at_s) / 3600)))] += 1;
  const most = Math.max(1, ...sums.node.map((value, hour) => value + sums.group[hour]));
  const step = (width - left) / HOURS;
  const bars = sums.node.flatMap((nodes, hour) => {
    const groups = sums.group[hour];
    const x = left + hour * step + 2;
    return [
      nodes > 0 && svg("rect", { class: "bar-node", x, y: up(nodes / most), width: step - 4, height: tall(nodes / most) }),
      groups > 0 && svg("rect", { class: "bar-group", x, y: up((nodes + groups) / most), width: step - 4, height: tall(groups / most) }),
    ];
  });
  const lost = recent.filter((one) => one.what === "node").length;
  return [chart(`Failures by hour: ${lost} nodes lost, ${recent.length - lost} roles failed`, axis(end, most, ""), bars),
    h("p", { class: "legend" }, h("span", { class: "swatch bar-node" }), `nodes lost (${lost})`, h("span", { class: "swatch bar-group" }), `roles failed (${recent.length - lost})`)];
}

function durations(over, end) {
  if (!over.length) return quiet("Nothing had to be brought online again.");
  const points = over.map((one) => ({ at: one.at_s, took: Math.max(...one.groups.map((row) => row.answered ?? 0)), one }));
  const most = Math.max(1, Math.ceil(Math.max(...points.map((point) => point.took))));
  return chart(`Time until all was online again, at most ${most} s`, axis(end, most, " s"), points.map(({ at, took, one }) =>
    svg("circle", {
      class: "dot", r: 4, cx: Math.min(across(at, end), CHART.width - 6), cy: up(took / most),
    }, svg("title", {}, headline(one)))));
}

function givenAway() {
  return table(["Node", "Roles", "Memory given away", "vCPUs given away"], picture.status.nodes.map((row) => ({
    key: row.name, cells: [nodeLink(row.name), picture.status.groups.filter((one) => one.owner === row.name).length,
      row.memory_mib ? `${memory(row.memory_used_mib) || "0"} of ${memory(row.memory_mib)}` : memory(row.memory_used_mib) || "none", row.cpus ? `${row.cpus_used} on ${count(row.cpus, "CPU")}` : row.cpus_used],
  })), "Given away now");
}
