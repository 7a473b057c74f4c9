// What can be done with a group or a node, for whom, and what does each ask back?

import { ask } from "./connection.js";
import { confirm, dialog } from "./dialog.js";
import { h } from "./dom.js";
import { moveDialog } from "./moving.js";
import { run } from "./operations.js";
import { group } from "./picture.js";
import { may } from "./rights.js";

const path = (kind, name, verb) => `/${kind}/${encodeURIComponent(name)}/${verb}`;
const would = (name, verb) =>
  ask("GET", `${path("groups", name, "would")}?verb=${verb}`).then((answer) => answer.words);

// Those that make sense now, and that who is signed in may ask for.
export function groupActions(row) {
  const name = row.name;
  const wantedOnline = row.wanted === "online";
  const all = [
    { verb: "group.online", label: "Bring online", offered: !wantedOnline || row.state === "failed", act: () => online(name) },
    { verb: "group.move", label: "Move ...", offered: Boolean(row.owner), act: () => moveDialog(name) },
    { verb: "group.offline", label: "Take offline ...", offered: wantedOnline, act: () => offline(name) },
    { verb: "group.maintenance", label: "Maintenance ...", offered: !row.maintenance, act: () => maintenance(name) },
    { verb: "group.maintenance", label: "End maintenance", offered: Boolean(row.maintenance), act: () => endMaintenance(name) },
    { verb: "group.lock", label: "Lock in place ...", offered: !row.locked, act: () => lock(name) },
    { verb: "group.unlock", label: "Unlock", offered: Boolean(row.locked), act: () => unlock(name) },
  ];
  return all.filter((action) => action.offered && may(action.verb, name));
}

async function online(name) {
  const title = `Bring ${name} online?`;
  if (await confirm({ title, foretold: would(name, "online"), button: `Bring ${name} online` })) {
    await run(`${name} is brought online`, path("groups", name, "online"), {}, { group: name });
  }
}

async function offline(name) {
  let stop = "";
  const choice = (value, label, words) => h("label", { class: "choice" },
    h("input", { type: "radio", name: "stop", value, checked: stop === value, onchange: () => { stop = value; } }),
    h("span", {}, h("strong", {}, label), h("small", {}, words)));
  const usual = group(name)?.offline_action ?? "as it is set";
  const answer = await dialog({
    title: `Take ${name} offline?`,
    content: () => [
      h("p", {}, `${name} stops, and stays off until somebody brings it online again.`),
      h("fieldset", {}, h("legend", {}, "How"),
        choice("", `As it is set: ${usual}`, "the group's own setting"),
        choice("shutdown", "Shut down", "in order, with a time limit, then by force"),
        choice("save", "Save", "put away as it runs, to go on from there with the next start"),
        choice("turn_off", "Turn off", "at once; what is not on disk is lost")),
    ],
    buttons: () => [{ label: `Take ${name} offline`, value: true, tone: "bad" }],
  });
  if (answer) await run(`${name} is taken offline`, path("groups", name, "offline"), stop ? { stop } : {}, { group: name });
}

async function reasoned({ title, words, button }) {
  let why = "";
  const answer = await dialog({
    title,
    content: () => [
      h("p", {}, words),
      h("label", { class: "field" }, "Why (others see it)",
        h("input", { type: "text", maxlength: 200, oninput: (event) => { why = event.target.value; } })),
    ],
    buttons: () => [{ label: button, value: true }],
  });
  return answer ? { why } : null;
}

async function maintenance(name) {
  const given = await reasoned({
    title: `Put ${name} into maintenance?`,
    words: `The cluster looks away: ${name} is neither restarted nor moved, whatever is done to it by hand. If its node is lost, it still fails over.`,
    button: `Put ${name} into maintenance`,
  });
  if (given) await run(`${name} is put into maintenance`, path("groups", name, "maintenance"), { on: true, ...given });
}

const endMaintenance = (name) => run(`the maintenance of ${name} ends`, path("groups", name, "maintenance"), { on: false });

async function lock(name) {
  const given = await reasoned({
    title: `Lock ${name} in place?`,
    words: `It is not moved on purpose: not by balancing, not by a drain. If its node is lost, it still fails over.`,
    button: `Lock ${name}`,
  });
  if (given) await run(`${name} is locked`, path("groups", name, "lock"), given);
}

const unlock = (name) => run(`${name} is unlocked`, path("groups", name, "unlock"));

// --- nodes ------------------------------------------------------------------------------------------------------------

export function nodeActions(row) {
  const name = row.name;
  const takes = row.state === "up";
  const held = ["paused", "draining", "drained"].includes(row.state);
  const all = [
    { verb: "node.drain", label: "Drain ...", offered: takes || row.state === "paused", act: () => drain(name) },
    { verb: "node.pause", label: "Pause ...", offered: takes, act: () => pause(name) },
    { verb: "node.resume", label: "Resume ...", offered: held, act: () => resume(name) },
    { verb: "node.confirm_down", label: "Confirm that it is off ...", offered: row.state === "silent", act: () => confirmDown(name) },
  ];
  return all.filter((action) => action.offered && may(action.verb));
}

async function drain(name) {
  const foretold = ask("GET", path("nodes", name, "outlook")).then((rows) => {
    if (!rows.length) return `Nothing runs on ${name}.`;
    return h("ul", { class: "outlook" }, rows.map((row) =>
      h("li", {}, h("strong", {}, row.group), row.to ? ` goes to ${row.to}` : ` stays: ${row.why}`)));
  });
  const words = [`What runs on ${name} is moved to other nodes, as it runs where that is possible, and it gets nothing new until it is resumed.`];
  if (await confirm({ title: `Drain ${name}?`, words, foretold, button: `Drain ${name}` })) {
    await run(`${name} is drained`, path("nodes", name, "drain"));
  }
}

async function pause(name) {
  const words = [`${name} keeps what it has, and gets nothing new until it is resumed.`];
  if (await confirm({ title: `Pause ${name}?`, words, button: `Pause ${name}` })) {
    await run(`${name} is paused`, path("nodes", name, "pause"));
  }
}

async function resume(name) {
  const answer = await dialog({
    title: `Resume ${name}?`,
    content: () => [h("p", {}, `${name} takes groups again. What left it can be called back at once.`)],
    buttons: () => [
      { label: `Resume ${name}`, value: "stay" },
      { label: "Resume, and call back what left it", value: "back", tone: "second" },
    ],
  });
  if (answer) await run(`${name} is resumed`, path("nodes", name, "resume"), { failback: answer === "back" });
}

async function confirmDown(name) {
  const words = [
    `Say this only if you know that ${name} has no power. What ran there is started on other nodes at once.`,
    `If ${name} still runs, its VMs run twice, and their disks are destroyed.`,
  ];
  if (await confirm({ title: `Is ${name} off?`, words, button: `${name} is off: go on without it`, tone: "bad" })) {
    await run(`${name} is called dead by your word`, path("nodes", name, "confirm-down"));
  }
}
