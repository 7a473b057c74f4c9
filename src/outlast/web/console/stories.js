// Which events are one story? A node that is lost, and all that is started elsewhere for it; a resource that fails, and
// its group that goes on. The rest are lines by themselves.
//
// A story's steps: seen (nobody hears the node, or the resource failed), proven (the node is dead), decided (each group
// has a new owner), started, answered (the group is online).

import { count } from "./words.js";

export const STEPS = ["seen", "proven", "decided", "started", "answered"];

// `events`: oldest first. Stories and single events, the newest first; each story is
// { kind: "story", id, about, at_s, what, steps: {seen: s, ...}, groups: [{name, to, decided, started, answered}], events, open }.
// `partly`: how many groups have come to a step that others have not. Times of steps are seconds after `at_s`.
export function told(events) {
  const found = [];
  const lost = new Map(); // node to its open story
  const moving = new Map(); // group to the story in which it goes on
  for (const event of events) {
    const story = storyOf(event, lost, moving, found);
    if (story) add(story, event);
    else found.push({ kind: "event", id: event.id, at_s: event.at_s, event });
  }
  for (const one of found) if (one.kind === "story") finish(one);
  return found.reverse();
}

function storyOf(event, lost, moving, found) {
  const { kind, group, about } = event;
  if (kind === "node-silent") {
    const story = begun(event, about, "node");
    lost.set(about, story);
    found.push(story);
    return story;
  }
  if ((kind === "fence" || kind === "node-dead") && lost.has(about)) return lost.get(about);
  if (kind === "node-joined" && lost.has(about)) {
    lost.delete(about);
    return null;
  }
  if (kind === "failed" && group) {
    const open = moving.get(group);
    if (open) return open; // it failed again, before it answered
    const story = begun(event, group, "group");
    moving.set(group, story);
    found.push(story);
    return story;
  }
  if (!group) return null;
  if (kind === "decided" && !moving.has(group)) {
    const story = [...lost.values()].find((one) => event.words.includes(`: ${one.about} is dead`));
    if (story) moving.set(group, story);
  }
  const story = moving.get(group);
  if (!story || !(kind in STEP_OF || kind === "offline")) return null;
  if (kind === "online" || kind === "partially-online") moving.delete(group);
  return story;
}

function begun(event, about, what) {
  return { kind: "story", id: event.id, about, what, at_s: event.at_s, steps: {}, partly: {}, groups: new Map(), events: [], open: true };
}

const STEP_OF = {
  "node-silent": "seen", failed: "seen", "node-dead": "proven", decided: "decided", restarted: "decided",
  "online-pending": "started", online: "answered", "partially-online": "answered",
};

function add(story, event) {
  story.events.push(event);
  const step = STEP_OF[event.kind];
  const held = event.kind === "offline" ? story.groups.get(event.group) : null;
  if (held) held.waits = event.words;
  if (!step) return;
  const at = Math.max(0, event.at_s - story.at_s);
  if (event.group) {
    const row = story.groups.get(event.group) ?? { name: event.group };
    row[step] = step === "seen" ? row[step] ?? at : at;
    if (event.kind === "decided" || event.kind === "restarted") row.to = event.about ?? "";
    if (step === "started") delete row.waits;
    if (step === "answered") row.to = event.about || row.to;
    story.groups.set(event.group, row);
  } else {
    story.steps[step] = story.steps[step] ?? at;
  }
}

function finish(story) {
  story.groups = [...story.groups.values()];
  for (const step of STEPS) {
    const times = story.groups.map((row) => row[step]).filter((time) => time !== undefined);
    if (!times.length || story.steps[step] !== undefined) continue;
    if (times.length === story.groups.length) story.steps[step] = Math.max(...times);
    else story.partly[step] = times.length;
  }
  story.open = story.groups.some((row) => row.answered === undefined && !row.waits) || (!story.groups.length && story.steps.proven === undefined);
}

export function headline(story) {
  const nodes = [...new Set(story.groups.map((row) => row.to).filter(Boolean))].sort();
  const done = story.groups.filter((row) => row.answered !== undefined).length;
  const many = story.groups.length;
  const total = Math.max(0, ...story.groups.map((row) => row.answered ?? 0));
  const after = total ? ` ${total.toFixed(1)} s after that` : "";
  if (story.what === "group") {
    const where = story.groups[0]?.to ? ` on ${story.groups[0].to}` : "";
    return done ? `${story.about} failed, and was online again${where}${after}` : `${story.about} failed, and is not online again yet`;
  }
  if (!many) return story.open ? `${story.about} is silent` : `${story.about} was lost; nothing had to be started for it`;
  const what = many === 1 ? story.groups[0].name : `${many} roles`;
  if (done < many) {
    const waiting = story.groups.filter((row) => row.waits && row.answered === undefined).map((row) => row.name);
    const rest = waiting.length ? `; ${waiting.join(", ")} ${waiting.length === 1 ? "waits" : "wait"}` : "";
    return `${story.about} was lost: ${done} of ${count(many, "role")} online again${story.open ? " so far" : after}${rest}`;
  }
  return `${story.about} was lost: ${what} online again on ${nodes.join(", ")}${after}`;
}
