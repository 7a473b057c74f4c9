// What forms are made of: a label beside each control, what it takes below it, and the choice of groups.

import { h } from "./dom.js";
import { picture } from "./picture.js";

const MOST_SHOWN = 60;

// `control`: an input or a select with an id.
export function field(label, control, hint = "") {
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control,
    hint && h("small", { id: `${control.id}-hint`, class: "quiet" }, hint));
}

export function text(id, value, changed, more = {}) {
  return h("input", { id, type: "text", value, autocomplete: "off", autocapitalize: "none", spellcheck: "false", oninput: (event) => changed(event.target.value), ...more });
}

// `options`: [value, label].
export function select(id, value, options, changed) {
  return h("select", { id, onchange: (event) => changed(event.target.value) },
    options.map(([one, label]) => h("option", { value: one, selected: one === value }, label)));
}

// A radio button or a checkbox that says what it means.
export function choice(kind, name, { label, words = "", checked, onchange }) {
  return h("label", { class: "choice", "data-key": `${name} ${label}` },
    h("input", { type: kind, name, checked, onchange }), h("span", {}, h("strong", {}, label), words && h("small", {}, words)));
}

const ROLES = [
  ["viewer", "sees everything but users, tokens and the audit log; changes nothing"],
  ["operator", "and starts, stops, moves and locks; pauses and drains nodes"],
  ["administrator", "may do all. Who defines what runs is as good as root on every node"],
];

// `want`: { role, groups: [names], only: whether it is for these groups alone, part: what is searched for }.
export function roleFields(want, update) {
  const set = (values) => { Object.assign(want, values); update(); };
  return [
    h("fieldset", {}, h("legend", {}, "Role"), ROLES.map(([role, words]) =>
      choice("radio", "role", { label: role, words, checked: want.role === role, onchange: () => set({ role }) }))),
    want.role === "operator" && h("fieldset", { "data-key": "groups" }, h("legend", {}, "For which VMs and groups"),
      choice("radio", "only", { label: "All of them", words: "and nodes, too", checked: !want.only, onchange: () => set({ only: false }) }),
      choice("radio", "only", { label: "Only some", words: "a viewer of everything else", checked: want.only, onchange: () => set({ only: true }) }),
      want.only && picker(want, set)),
  ];
}

function picker(want, set) {
  const all = picture.status.groups.map((row) => row.name);
  const part = want.part.toLowerCase();
  const found = all.filter((name) => name.toLowerCase().includes(part));
  const gone = want.groups.filter((name) => !all.includes(name));
  const toggle = (name) => set({ groups: want.groups.includes(name) ? want.groups.filter((one) => one !== name) : [...want.groups, name] });
  return h("div", { class: "picker" },
    h("input", { type: "search", placeholder: "Search", "aria-label": "Search groups", value: want.part, oninput: (event) => set({ part: event.target.value }) }),
    h("div", { class: "picker-list", role: "group", "aria-label": "Groups" }, [...gone, ...found.slice(0, MOST_SHOWN)].map((name) =>
      h("label", { "data-key": name }, h("input", { type: "checkbox", checked: want.groups.includes(name), onchange: () => toggle(name) }), " ", name))),
    h("small", { class: "quiet", role: "status" }, [
      want.groups.length ? `chosen: ${want.groups.join(", ")}` : "none is chosen yet",
      found.length > MOST_SHOWN ? `${found.length - MOST_SHOWN} more: search for them` : ""].filter(Boolean).join("; ")));
}

// As the API takes it. Nobody is limited to no group at all: that is refused by it, and not made a "for all".
export const groupsOf = (want) => (want.role === "operator" && want.only ? want.groups : []);
export const wanted = (row = { role: "viewer", groups: [] }) => ({ role: row.role, groups: [...row.groups], only: row.groups.length > 0, part: "" });
export const noneChosen = (want) => want.role === "operator" && want.only && !want.groups.length;
