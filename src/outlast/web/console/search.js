// Where is it? Groups, VMs, nodes and pages by a part of their name.

import { h } from "./dom.js";
import { changed, picture } from "./picture.js";
import { linkTo } from "./links.js";
import { ways } from "./router.js";

const MOST = 12;
const search = { words: "", at: 0, open: false };

export function found(words) {
  const part = words.trim().toLowerCase();
  if (!part || !picture.status) return [];
  const { groups, nodes } = picture.status;
  const inGroup = groups.flatMap((row) => row.resources.filter((name) => name !== row.name).map((name) => [name, row.name]));
  const all = [
    ...nodes.map((row) => ({ name: row.name, what: `node, ${row.state}`, to: linkTo("nodes", row.name) })),
    ...groups.map((row) => ({ name: row.name, what: `role, ${row.state}${row.owner ? ` on ${row.owner}` : ""}`, to: linkTo("roles", row.name) })),
    ...inGroup.map(([name, of]) => ({ name, what: `resource of ${of}`, to: linkTo("roles", of) })),
    ...ways().map((one) => ({ name: one.title, what: "page", to: linkTo(one.path) })),
  ];
  const rank = (one) => (one.name.toLowerCase() === part ? 0 : one.name.toLowerCase().startsWith(part) ? 1 : 2);
  return all.filter((one) => one.name.toLowerCase().includes(part)).sort((a, b) => rank(a) - rank(b)).slice(0, MOST);
}

export function searchBox() {
  const results = search.open ? found(search.words) : [];
  search.at = Math.min(search.at, Math.max(0, results.length - 1));
  return h("div", { class: "search", role: "search" },
    h("input", {
      id: "search", type: "search", placeholder: "Search  /", value: search.words, autocomplete: "off", spellcheck: "false",
      role: "combobox", "aria-label": "Search roles, nodes and pages", "aria-expanded": String(results.length > 0),
      "aria-controls": "search-results", "aria-activedescendant": results.length ? `result-${search.at}` : null,
      oninput: (event) => { Object.assign(search, { words: event.target.value, at: 0, open: true }); changed(); },
      onkeydown: (event) => key(event, results),
    }),
    results.length > 0 && h("ul", { id: "search-results", role: "listbox", "aria-label": "Found" }, results.map((one, index) =>
      h("li", { id: `result-${index}`, role: "option", "aria-selected": String(index === search.at), onclick: () => go(one) },
        h("strong", {}, one.name), h("small", {}, one.what)))));
}

function key(event, results) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps && results.length) {
    event.preventDefault();
    search.at = (search.at + steps[event.key] + results.length) % results.length;
  } else if (event.key === "Enter" && results[search.at]) {
    go(results[search.at]);
  } else if (event.key === "Escape") {
    close();
  }
  changed();
}

function go(one) {
  location.hash = one.to;
  close();
}

function close() {
  Object.assign(search, { words: "", at: 0, open: false });
  const box = document.getElementById("search");
  box.value = "";
  box.blur();
  changed();
}
