// The screen of a VM, with its keyboard and mouse: what the distribution's noVNC makes of a web socket of the VM's node.

import { connection, originOf } from "./connection.js";
import { dialog } from "./dialog.js";
import { h } from "./dom.js";
import { groupState } from "./icons.js";
import { linkTo } from "./links.js";
import { problem, title } from "./parts.js";
import { changed, node, picture } from "./picture.js";

const NOVNC = "/novnc/core/rfb.js";
const shown = { key: "", rfb: null, socket: null, words: "", live: false };

export function screenPage(name) {
  const vm = picture.status.vms.find((row) => row.name === name);
  if (!vm) return h("div", { class: "page" }, title(name), problem(`There is no VM "${name}".`));
  const key = `${name} ${vm.owner}`;
  if (vm.state === "online" && shown.key !== key) setTimeout(() => begin(key, name, vm.owner)); // the box is there then
  return h("div", { class: "page" },
    h("nav", { class: "crumbs", "aria-label": "Where" }, h("a", { href: linkTo("roles") }, "Roles"), " / ",
      h("a", { id: "screen-back", href: linkTo("roles", vm.group) }, vm.group), " / screen"),
    title(name, groupState(vm.state), h("span", { class: "quiet" }, vm.owner && `on ${vm.owner}`)),
    h("div", { class: "buttons" },
      h("button", { class: "button small", disabled: !shown.live, onclick: () => shown.rfb.sendCtrlAltDel() }, "Ctrl+Alt+Del"),
      h("button", { class: "button small", disabled: !shown.live, onclick: () => document.getElementById("screen").requestFullscreen() }, "Full screen"),
      h("button", { class: "button small", disabled: shown.live, onclick: () => { leaveScreen(); changed(); } }, "Connect again"),
      h("span", { class: "quiet small" }, "What is typed on the screen goes to the VM; Shift+Escape leaves it.")),
    h("p", { class: "why-line", role: "status" }, vm.state === "online" ? shown.words : `${name} is ${vm.state}${vm.why ? `: ${vm.why}` : ""}`),
    h("div", { id: "screen", class: "screen", "data-own": true }));
}

// Once for each owner that the VM has.
async function begin(key, name, owner) {
  const box = document.getElementById("screen");
  if (!box || shown.key === key) return;
  leaveScreen();
  shown.key = key;
  say(`Asking ${owner} ...`);
  const origin = originOf(node(owner) ?? { name: owner, address: "" });
  if (!origin) return say(`This page knows no address of ${owner}, where ${name} runs.`);
  let RFB;
  try {
    RFB = (await import(NOVNC)).default;
  } catch {
    return say("This node cannot show screens: Debian's package novnc is missing there.");
  }
  if (shown.key !== key) return undefined;
  const word = origin === connection.here ? [] : [`outlast.word.${connection.word}`];
  const socket = new WebSocket(`${origin.replace("https:", "wss:")}/api/v1/vms/${encodeURIComponent(name)}/screen`, ["binary", ...word]);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("close", (event) => {
    if (shown.socket !== socket) return;
    shown.live = false;
    say(event.reason ? `Not shown: ${event.reason}` : `Not shown: ${owner} does not answer, or does not let you`);
  });
  const rfb = new RFB(box, socket);
  rfb.scaleViewport = true;
  rfb.addEventListener("disconnect", () => { if (shown.rfb === rfb) shown.rfb = null; });
  rfb.addEventListener("connect", () => {
    shown.live = true;
    say("");
    rfb.focus();
  });
  rfb.addEventListener("credentialsrequired", () => password(name, rfb));
  return Object.assign(shown, { rfb, socket });
}

// Of the VNC server itself, when its definition sets one.
async function password(name, rfb) {
  let given = "";
  const goOn = await dialog({
    title: `The screen of ${name} has a password of its own`,
    content: () => h("label", { class: "field" }, "Password",
      h("input", { type: "password", autocomplete: "off", oninput: (event) => { given = event.target.value; } })),
    buttons: () => [{ label: "Show the screen", value: true }],
  });
  if (goOn) rfb.sendCredentials({ password: given });
  else leaveScreen();
}

export function leaveScreen() {
  const { rfb } = shown;
  Object.assign(shown, { key: "", rfb: null, socket: null, words: "", live: false });
  rfb?.disconnect();
  document.getElementById("screen")?.replaceChildren();
}

function say(words) {
  shown.words = words;
  changed();
}

// Before noVNC has it: nobody shall be caught in a screen.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.shiftKey || !event.target.closest(".screen")) return;
  event.preventDefault();
  event.stopPropagation();
  document.getElementById("screen-back").focus();
}, { capture: true });
