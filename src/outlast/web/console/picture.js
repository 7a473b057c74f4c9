// What is known of the cluster now? One value, kept true by the stream; whoever shows it is told when it has changed.

import { ask } from "./connection.js";
import { compareNames } from "./words.js";

const KEPT = 5000;
const listeners = new Set();
let planned = false;

export const picture = {
  status: null,
  events: [], // oldest first
  live: false,
  at: "", // the node that answers
  lost: "", // why nobody answers
  since_s: 0, // by this machine's clock: from then on nothing was heard
};

export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Whoever shows it is told once before the next frame, however much has changed.
export function changed() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    for (const listener of listeners) listener();
  });
}

export function take(kind, data) {
  if (kind === "snapshot") picture.status = sorted(data);
  else if (kind === "change") picture.status = merged(picture.status, data);
  else if (kind === "event") add([data]);
  else if (kind === "reset") loadEvents();
  changed();
}

// What has come meanwhile by the stream stays.
export async function loadEvents() {
  add(await ask("GET", `/events?limit=${KEPT}`));
  changed();
}

function add(events) {
  const known = new Set(picture.events.map((event) => event.id));
  const fresh = events.filter((event) => !known.has(event.id));
  if (!fresh.length) return;
  const inOrder = !picture.events.length || fresh[0].id > picture.events.at(-1).id;
  const all = [...picture.events, ...fresh];
  if (!inOrder) all.sort((one, other) => (one.id < other.id ? -1 : 1));
  picture.events = all.slice(-KEPT);
}

const LISTS = ["nodes", "groups", "vms"];

function sorted(status) {
  const made = { ...status };
  for (const list of LISTS) made[list] = [...status[list]].sort((one, other) => compareNames(one.name, other.name));
  return made;
}

export function merged(status, change) {
  const made = { ...status, ...(change.cluster ?? {}) };
  for (const list of LISTS) {
    const rows = change[list] ?? [];
    const gone = new Set(change.gone?.[list] ?? []);
    if (!rows.length && !gone.size) continue;
    const fresh = new Map(rows.map((row) => [row.name, row]));
    const kept = status[list].filter((row) => !gone.has(row.name)).map((row) => {
      const found = fresh.get(row.name);
      fresh.delete(row.name);
      return found ?? row;
    });
    made[list] = fresh.size ? [...kept, ...fresh.values()].sort((a, b) => compareNames(a.name, b.name)) : kept;
  }
  return made;
}

export const group = (name) => picture.status?.groups.find((row) => row.name === name);
export const node = (name) => picture.status?.nodes.find((row) => row.name === name);
// The last event of that kind: when it is another one, something of that kind has changed.
export const lastOf = (kind) => picture.events.findLast((event) => event.kind === kind)?.id ?? "";
export const lastEvent = () => picture.events.at(-1)?.id ?? "";
