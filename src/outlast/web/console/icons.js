// The picture beside each word. Every state has a shape of its own: colour never says anything alone.

import { h, svg } from "./dom.js";

const SHAPES = {
  full: [["circle", { cx: 8, cy: 8, r: 5, fill: "currentColor" }]],
  empty: [["circle", { cx: 8, cy: 8, r: 4.5, fill: "none", stroke: "currentColor", "stroke-width": 1.6 }]],
  half: [
    ["circle", { cx: 8, cy: 8, r: 4.5, fill: "none", stroke: "currentColor", "stroke-width": 1.6 }],
    ["path", { d: "M8 3.5a4.5 4.5 0 0 1 0 9z", fill: "currentColor" }],
  ],
  cross: [["path", { d: "M4 4l8 8M12 4l-8 8", stroke: "currentColor", "stroke-width": 2.4, "stroke-linecap": "round" }]],
  question: [
    ["path", { d: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8", fill: "none", stroke: "currentColor", "stroke-width": 1.9, "stroke-linecap": "round" }],
    ["circle", { cx: 8, cy: 12.6, r: 1.2, fill: "currentColor" }],
  ],
  up: [["path", { d: "M8 13V4M4 7.5L8 3.5l4 4", fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" }]],
  down: [["path", { d: "M8 3v9M4 8.5l4 4 4-4", fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" }]],
  pause: [["path", { d: "M5.5 4v8M10.5 4v8", stroke: "currentColor", "stroke-width": 2.4, "stroke-linecap": "round" }]],
  barred: [
    ["circle", { cx: 8, cy: 8, r: 5, fill: "none", stroke: "currentColor", "stroke-width": 1.8 }],
    ["path", { d: "M4.6 11.4l6.8-6.8", stroke: "currentColor", "stroke-width": 1.8 }],
  ],
  shield: [["path", { d: "M8 1.8l5 1.9v4c0 3.2-2.1 5.3-5 6.5-2.9-1.2-5-3.3-5-6.5v-4z", fill: "currentColor" }]],
  weak: [
    ["path", { d: "M8 2l5 1.8v3.9c0 3.1-2.1 5.1-5 6.3-2.9-1.2-5-3.2-5-6.3V3.8z", fill: "none", stroke: "currentColor", "stroke-width": 1.5 }],
    ["path", { d: "M8 5v3.6", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round" }],
    ["circle", { cx: 8, cy: 10.8, r: 1, fill: "currentColor" }],
  ],
  bare: [
    ["path", { d: "M8 2l5 1.8v3.9c0 3.1-2.1 5.1-5 6.3-2.9-1.2-5-3.2-5-6.3V3.8z", fill: "none", stroke: "currentColor", "stroke-width": 1.5 }],
    ["path", { d: "M6 6l4 4M10 6l-4 4", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round" }],
  ],
  warn: [
    ["path", { d: "M8 2.2l6.2 11H1.8z", fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linejoin": "round" }],
    ["path", { d: "M8 6.4v3", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round" }],
    ["circle", { cx: 8, cy: 11.4, r: 0.9, fill: "currentColor" }],
  ],
  tick: [["path", { d: "M3.5 8.5l3 3 6-7", fill: "none", stroke: "currentColor", "stroke-width": 2.1, "stroke-linecap": "round", "stroke-linejoin": "round" }]],
  move: [["path", { d: "M2.5 8h10M9 4.5L12.5 8 9 11.5", fill: "none", stroke: "currentColor", "stroke-width": 1.9, "stroke-linecap": "round", "stroke-linejoin": "round" }]],
  lock: [
    ["rect", { x: 3.5, y: 7, width: 9, height: 6.5, rx: 1.4, fill: "currentColor" }],
    ["path", { d: "M5.5 7V5.2a2.5 2.5 0 0 1 5 0V7", fill: "none", stroke: "currentColor", "stroke-width": 1.6 }],
  ],
  wrench: [["path", { d: "M10.8 2.4a3.4 3.4 0 0 0-3.3 4.7L2.6 12l1.5 1.5 4.9-4.9a3.4 3.4 0 0 0 4.4-4.2L11.3 6.5 9.6 4.8l2-2z", fill: "currentColor" }]],
  star: [["path", { d: "M8 2l1.8 3.8 4.2.5-3.1 2.9.8 4.1L8 11.3l-3.7 2 .8-4.1L2 6.3l4.2-.5z", fill: "currentColor" }]],
};

export function icon(shape, tone = "") {
  const parts = SHAPES[shape].map(([tag, attributes]) => svg(tag, attributes));
  return svg("svg", { class: `icon ${tone}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, parts);
}

const GROUP = {
  online: ["full", "good"],
  offline: ["empty", "quiet"],
  "partially online": ["half", "warn"],
  failed: ["cross", "bad"],
  "online pending": ["up", "busy"],
  "offline pending": ["down", "busy"],
  unknown: ["question", "warn"],
};
const NODE = {
  up: ["full", "good"],
  paused: ["pause", "warn"],
  draining: ["down", "busy"],
  drained: ["empty", "warn"],
  quarantined: ["barred", "warn"],
  silent: ["question", "bad"],
  dead: ["cross", "bad"],
  out: ["empty", "quiet"],
};
const PROTECTION = { protected: ["shield", "good"], "at risk": ["weak", "warn"], "not protected": ["bare", "bad"] };

const labelled = (words, [shape, tone]) => h("span", { class: `state ${tone}` }, icon(shape, tone), h("span", {}, words));

export const groupState = (state) => labelled(state, GROUP[state] ?? ["question", "warn"]);
export const nodeState = (state) => labelled(state, NODE[state] ?? ["question", "warn"]);
export const protectionState = (state) => labelled(state, PROTECTION[state] ?? ["question", "warn"]);
export const toneOfGroup = (state) => (GROUP[state] ?? ["", "warn"])[1];
