// To which node? By a dialog that says of each node what a move there would be, or why it cannot be; or by dragging the
// group onto a node.

import { ask } from "./connection.js";
import { confirm, dialog } from "./dialog.js";
import { h } from "./dom.js";
import { nodeState } from "./icons.js";
import { run } from "./operations.js";
import { changed, group, picture } from "./picture.js";
import { may } from "./rights.js";

const TYPE = "application/x-outlast-group";
export const dragged = { name: "", verdicts: new Map() }; // of each node: { words } or { refused }

function foresee(name, to) {
  const query = `verb=move&to=${encodeURIComponent(to)}`;
  return ask("GET", `/groups/${encodeURIComponent(name)}/would?${query}`).then((answer) => answer.words);
}

async function verdict(name, to) {
  try {
    return { words: await foresee(name, to) };
  } catch (problem) {
    return { refused: problem.message };
  }
}

export const targets = (name) => picture.status.nodes.filter((node) => node.name !== group(name)?.owner);

export async function moveDialog(name) {
  const verdicts = new Map();
  let to = "";
  const owner = group(name).owner;
  const nodes = targets(name);
  const answer = await dialog({
    title: `Move ${name} from ${owner} to ...`,
    content: (update) => {
      if (!verdicts.size) {
        for (const node of nodes) {
          verdicts.set(node.name, {});
          verdict(name, node.name).then((found) => {
            verdicts.set(node.name, found);
            if (!to && found.words) to = node.name;
            update();
          });
        }
      }
      return h("fieldset", {}, h("legend", {}, "Node"), nodes.map((node) => {
        const found = verdicts.get(node.name);
        const said = found.words ?? found.refused ?? "asking ...";
        return h("label", { class: `choice ${found.refused ? "off" : ""}`, "data-key": node.name },
          h("input", {
            type: "radio", name: "to", value: node.name, disabled: !found.words, checked: to === node.name,
            onchange: () => { to = node.name; update(); },
          }),
          h("span", {}, h("strong", {}, node.name), " ", nodeState(node.state), h("small", {}, said)));
      }));
    },
    buttons: () => [{ label: to ? `Move ${name} to ${to}` : "Move", value: true, off: !to }],
  });
  if (answer) await move(name, to);
}

export function move(name, to) {
  return run(`${name} moves to ${to}`, `/groups/${encodeURIComponent(name)}/move`, { to }, { group: name });
}

// --- dragging ---------------------------------------------------------------------------------------------------------

// Attributes of what can be dragged.
export function draggable(row) {
  if (!row.owner || !may("group.move", row.name)) return {};
  return {
    draggable: "true",
    ondragstart: (event) => {
      event.dataTransfer.setData(TYPE, row.name);
      event.dataTransfer.effectAllowed = "move";
      begin(row.name);
    },
    ondragend: () => begin(""),
  };
}

function begin(name) {
  dragged.name = name;
  dragged.verdicts = new Map();
  changed();
  if (!name) return;
  const mine = dragged.verdicts;
  for (const node of targets(name)) verdict(name, node.name).then((found) => { mine.set(node.name, found); changed(); });
}

// Attributes of a node onto which it can be dropped.
export function droppable(node) {
  const found = dragged.verdicts.get(node);
  const takes = dragged.name && group(dragged.name)?.owner !== node && !found?.refused;
  return {
    "data-drop": !dragged.name ? null : takes ? "yes" : "no",
    ondragover: (event) => { if (takes) event.preventDefault(); },
    ondrop: (event) => {
      event.preventDefault();
      const name = event.dataTransfer.getData(TYPE);
      begin("");
      if (name) dropped(name, node);
    },
  };
}

export const saidOf = (node) => {
  const found = dragged.verdicts.get(node);
  return found?.refused ?? found?.words ?? "";
};

async function dropped(name, to) {
  const title = `Move ${name} to ${to}?`;
  if (await confirm({ title, foretold: foresee(name, to), button: `Move ${name} to ${to}` })) await move(name, to);
}
