// What had each node to do in the last day? The nodes themselves keep it and tell it; nothing is known of a time that
// they say nothing of, and that is shown as such (docs/console.md).

import { across, axis, base, chart, HOURS, up } from "./charts.js";
import { ask } from "./connection.js";
import { h, svg } from "./dom.js";
import { answered, nodeLink, problem, quiet, table } from "./parts.js";
import { changed, picture } from "./picture.js";
import { clock, count, memory } from "./words.js";

const STEP_MIN = 5;
const AGAIN_S = 30;
const told = new Map(); // node to what it told last, and when by this machine's clock: one that dies is not forgotten
let shown = null;

export function loadOfTheDay() {
  const states = picture.status.nodes.map((row) => `${row.name} ${row.state}`); // whose state changes is asked at once
  const { value, problem: why } = answered(`load ${states}`, () => ask("GET", `/load?step_min=${STEP_MIN}`), changed, AGAIN_S);
  if (value && value !== shown) {
    shown = value;
    for (const one of value) if (!one.why) told.set(one.node, { ...one, heard_s: performance.now() / 1000 });
  }
  if (!shown) return why ? problem(why) : quiet("Asking the nodes ...");
  return [why && problem(why), table(["Node", "CPU now", "CPU mean", "CPU peak", "Memory now", "Memory peak", "VMs", "Not known"], shown.map(row), "Load of the last day"),
    shown.map(one)];
}

const percent = (share) => `${Math.round(share * 100)} %`;
const at = (at_s) => clock(at_s).slice(0, 5);
const most = (steps, name) => steps.reduce((best, step) => (step[name] > best[name] ? step : best));
const peakOf = (node, name, words) => `${words(node.day[name])} at ${at(most(node.steps, name).at_s)}`;

function row(node) {
  if (node.why || !node.day) return { key: node.node, cells: [nodeLink(node.node), "", "", "", "", "", "", h("span", { class: "why" }, node.why || "nothing is known yet")] };
  const { now, day } = node;
  return {
    key: node.node,
    cells: [nodeLink(node.node), now ? `${percent(now.cpu)} of ${count(node.cpus, "CPU")}` : "", percent(day.cpu), peakOf(node, "cpu_peak", percent),
      now ? `${memory(now.memory_mib)} of ${memory(node.memory_mib)}` : "", peakOf(node, "memory_peak_mib", memory), now ? now.vms : "", gapsInWords(node, node.at_s) || "nothing"],
  };
}

function one(node) {
  const last = node.why ? told.get(node.node) : node;
  if (!last?.day) return node.why && h("article", { class: "loaded", "data-key": node.node, "aria-label": `Load of ${node.node}` }, h("h3", {}, node.node), h("p", { class: "why" }, node.why));
  const end = node.why ? last.at_s + performance.now() / 1000 - last.heard_s : last.at_s;
  return h("article", { class: "loaded", "data-key": node.node, "aria-label": `Load of ${node.node}` },
    h("h3", {}, node.node),
    node.why && h("p", { class: "why", role: "status" }, `${node.why}. What is shown it told at ${clock(last.at_s)}.`),
    h("div", { class: "columns even" },
      drawn(last, end, "CPU", "100", " %", percent, (step) => step.cpu, (step) => step.cpu_peak),
      drawn(last, end, "Memory", Math.round(last.memory_mib / 1024), " G", (share) => memory(Math.round(share * last.memory_mib)) || "0",
        (step) => step.memory_mib / last.memory_mib, (step) => step.memory_peak_mib / last.memory_mib)));
}

function drawn(node, end, what, scale, unit, words, mean, peak) {
  const step_s = node.step_min * 60;
  const missing = gaps(node, end);
  const busiest = node.steps.reduce((best, step) => (peak(step) > peak(best) ? step : best));
  const label = `${what} of ${node.node} in the last day: ${words(mean(node.day))} at the mean, ${words(peak(node.day))} at the peak at ${at(busiest.at_s)}`
    + (node.now ? `, ${words(mean(node.now))} now` : "") + (missing.length ? `; not known: ${gapsInWords(node, end)}` : "");
  const line = (steps, value) => steps.map((step) => `L${x(step.at_s, end)} ${y(value(step))}L${x(step.at_s + step_s, end)} ${y(value(step))}`).join("");
  const pieces = runs(node.steps, step_s).flatMap((steps) => {
    const [from, to] = [x(steps[0].at_s, end), x(steps.at(-1).at_s + step_s, end)];
    return [svg("path", { class: "load-mean", d: `M${from} ${base}${line(steps, mean)}L${to} ${base}Z` }),
      svg("path", { class: "load-peak", d: `M${line(steps, peak).slice(1)}` })];
  });
  return h("div", {},
    h("p", { class: "legend" }, h("strong", {}, what), h("span", { class: "swatch load-mean" }), "mean", h("span", { class: "swatch load-peak" }), "peak",
      missing.length > 0 && [h("span", { class: "swatch load-gap" }), "not known"]),
    chart(label, missing.map(([from, to]) => svg("rect", { class: "load-gap", x: x(from, end), y: up(1), width: Math.max(1, x(to, end) - x(from, end)), height: base - up(1) })),
      pieces, axis(end, scale, unit), byHour(node, end, words, mean, peak)));
}

const x = (at_s, end) => across(at_s, end).toFixed(1);
const y = (share) => up(Math.min(1, share)).toFixed(1);

// What a pointer that rests on an hour is told.
function byHour(node, end, words, mean, peak) {
  return Array.from({ length: HOURS }, (_, index) => {
    const [from, to] = [end - (HOURS - index) * 3600, end - (HOURS - index - 1) * 3600];
    const steps = node.steps.filter((step) => step.at_s >= from && step.at_s < to);
    const known = steps.length ? `${words(steps.reduce((sum, step) => sum + mean(step), 0) / steps.length)} at the mean, ${words(Math.max(...steps.map(peak)))} at the peak` : "not known";
    return svg("rect", { class: "load-hour", x: x(from, end), y: up(1), width: x(to, end) - x(from, end), height: base - up(1) },
      svg("title", {}, `${at(from)} to ${at(to)}: ${known}`));
  });
}

// Steps that follow each other without a gap.
function runs(steps, step_s) {
  const found = [];
  for (const step of steps) {
    if (found.length && step.at_s <= found.at(-1).at(-1).at_s + step_s) found.at(-1).push(step);
    else found.push([step]);
  }
  return found;
}

// From when to when nothing is known, within the day that ends then.
function gaps(node, end) {
  const step_s = node.step_min * 60;
  const found = [];
  let known_s = end - HOURS * 3600;
  for (const steps of runs(node.steps, step_s)) {
    if (steps[0].at_s > known_s + step_s) found.push([known_s, steps[0].at_s]);
    known_s = steps.at(-1).at_s + step_s;
  }
  if (end > known_s + step_s) found.push([known_s, end]);
  return found;
}

function gapsInWords(node, end) {
  return gaps(node, end).map(([from, to]) => {
    if (from <= end - HOURS * 3600) return `before ${at(to)}`;
    return to >= end ? `since ${at(from)}` : `${at(from)} to ${at(to)}`;
  }).join(", ");
}
