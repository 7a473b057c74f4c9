// How is a chart of the last day drawn? Time from left to right, and what is measured from the bottom up.

import { h, svg } from "./dom.js";
import { clock } from "./words.js";

const TOP = 14;
export const HOURS = 24;
export const CHART = { width: 720, height: 150, left: 42, bottom: 22 };
export const base = CHART.height - CHART.bottom;

// Where is that time on a chart that ends at `end`? Nothing is left of its axis or right of its end.
export function across(at_s, end) {
  const share = 1 - (end - at_s) / (HOURS * 3600);
  return CHART.left + Math.min(1, Math.max(0, share)) * (CHART.width - CHART.left);
}

export const tall = (share) => share * (base - TOP);
export const up = (share) => base - tall(share);

export function axis(end, most, unit) {
  const { width, height, left } = CHART;
  const hours = [24, 18, 12, 6, 0];
  return [
    svg("line", { class: "axis", x1: left, y1: base, x2: width, y2: base }),
    hours.map((back) => svg("text", { class: "tick", x: across(end - back * 3600, end), y: height - 6, "text-anchor": back === 0 ? "end" : back === 24 ? "start" : "middle" }, clock(end - back * 3600).slice(0, 5))),
    svg("text", { class: "tick scale", x: left - 4, y: 12, "text-anchor": "end" }, `${most}${unit}`),
    svg("text", { class: "tick scale", x: left - 4, y: base, "text-anchor": "end" }, "0"),
  ];
}

export function chart(label, ...content) {
  return h("figure", { class: "chart" }, svg("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img", "aria-label": label }, content));
}
