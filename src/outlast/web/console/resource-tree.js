// What needs what inside of a role: drawn in layers, what is started first on the left; and told in words.

import { h, svg } from "./dom.js";
import { toneOfGroup } from "./icons.js";

const BOX = { width: 150, height: 34, gapX: 56, gapY: 24 };

// `items`: [{ name, needs: [names], state }]. A cycle, which there should be none of, ends where it begins.
export function layers(items) {
  const byName = new Map(items.map((item) => [item.name, item]));
  const depths = new Map();
  const depth = (name, above) => {
    if (depths.has(name)) return depths.get(name);
    if (above.has(name)) return 0;
    const needs = byName.get(name).needs.filter((one) => byName.has(one));
    const found = needs.length ? 1 + Math.max(...needs.map((one) => depth(one, new Set([...above, name])))) : 0;
    depths.set(name, found);
    return found;
  };
  const made = [];
  for (const item of items) (made[depth(item.name, new Set())] ??= []).push(item);
  return made;
}

export function drawing(items, label, linkOf = null) {
  const links = linkOf !== null;
  const columns = layers(items);
  const places = new Map();
  columns.forEach((column, x) => column.forEach((item, y) => places.set(item.name, {
    x: x * (BOX.width + BOX.gapX) + 1, y: y * (BOX.height + BOX.gapY) + 1,
  })));
  const width = columns.length * (BOX.width + BOX.gapX) - BOX.gapX + 2;
  const height = Math.max(...columns.map((column) => column.length)) * (BOX.height + BOX.gapY) - 2;
  const edges = items.flatMap((item) => item.needs.filter((one) => places.has(one)).map((one) => {
    const from = places.get(one);
    const to = places.get(item.name);
    if (to.x - from.x > BOX.width + BOX.gapX) { // below what stands between them
      const [x1, x2, y] = [from.x + BOX.width - 20, to.x + 20, from.y + BOX.height];
      const end = to.y + BOX.height;
      return svg("path", { class: "edge", d: `M${x1} ${y}C${x1 + 20} ${y + 26} ${x2 - 20} ${end + 26} ${x2} ${end + 6}M${x2 - 4} ${end + 11}L${x2} ${end + 5}L${x2 + 4} ${end + 11}` });
    }
    const [x1, y1, x2, y2] = [from.x + BOX.width, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2];
    const bend = (x1 + x2) / 2;
    return svg("path", { class: "edge", d: `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2 - 6} ${y2}M${x2 - 11} ${y2 - 4}L${x2 - 5} ${y2}L${x2 - 11} ${y2 + 4}` });
  }));
  const boxes = items.map((item) => {
    const { x, y } = places.get(item.name);
    const box = svg("g", { class: `box ${toneOfGroup(item.state)}` },
      svg("rect", { x, y, width: BOX.width, height: BOX.height, rx: 7 }),
      svg("text", { x: x + 12, y: y + 15, class: "box-name" }, shortened(item.name)),
      svg("text", { x: x + 12, y: y + 28, class: "box-state" }, item.state),
      svg("title", {}, `${item.name}: ${item.state}`));
    return links ? svg("a", { href: linkOf(item.name) }, box) : box;
  });
  return h("figure", { class: "drawing" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: links ? "group" : "img", "aria-label": label }, edges, boxes));
}

const shortened = (name) => (name.length > 18 ? `${name.slice(0, 17)}…` : name);

const namesIn = (expression) => [...expression.matchAll(/[^&|()\s]+/g)].map(([name]) => name).filter((word) => word !== "and" && word !== "or");

export function tree(members) {
  const items = members.map((one) => ({ name: one.name, state: one.state, needs: namesIn(one.depends_on) }));
  const words = members.filter((one) => one.depends_on).map((one) => `${one.name} needs ${one.depends_on}`).join("; ");
  return drawing(items, `What needs what: ${words}`);
}
