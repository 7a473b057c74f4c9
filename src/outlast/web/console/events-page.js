// What happened, the newest first; a failover is one story, with the time of each of its steps.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { groupLink, nodeLink, quiet, table, title } from "./parts.js";
import { changed, picture } from "./picture.js";
import { headline, STEPS, told } from "./stories.js";
import { clock, count, day, when } from "./words.js";

const PAGE = 100;
const view = { words: "", stories: false, most: PAGE };
const MEANS = {
  seen: "nobody hears it, or it failed", proven: "it is certain that nothing runs there",
  decided: "each role has a new owner", started: "the new owners begin", answered: "all are online",
};
const BAD = new Set(["failed", "node-silent", "node-dead", "permit", "not-moved", "unknown"]);
const GOOD = new Set(["online", "node-joined", "handed-over", "restarted"]);
const WARN = new Set(["protection", "promise", "fence", "doubted", "slow", "host-died", "stopped", "outage", "network", "volume", "armed"]);

let kept = { of: null, stories: [] };

export function stories() {
  if (kept.of !== picture.events) kept = { of: picture.events, stories: told(picture.events) };
  return kept.stories;
}

export function eventsPage() {
  const part = view.words.toLowerCase();
  const fits = (one) => (!view.stories || one.kind === "story") && (!part || wordsOf(one).includes(part));
  const all = stories().filter(fits);
  return h("div", { class: "page" },
    title("Events", h("span", { class: "quiet" }, `the last ${count(picture.events.length, "event")}`)),
    h("div", { class: "filters", role: "group", "aria-label": "Which events" },
      h("input", { type: "search", placeholder: "Filter by words", "aria-label": "Filter by words", value: view.words, oninput: (event) => { view.words = event.target.value; view.most = PAGE; changed(); } }),
      h("button", { class: "button small", "aria-pressed": String(view.stories), onclick: () => { view.stories = !view.stories; changed(); } }, "Failures only")),
    all.length ? h("ol", { class: "events" }, withDays(all.slice(0, view.most))) : quiet("Nothing like that is kept."),
    all.length > view.most && h("button", { class: "button", onclick: () => { view.most += PAGE; changed(); } }, `Show older ones (${all.length - view.most})`));
}

function wordsOf(one) {
  const events = one.kind === "story" ? one.events : [one.event];
  return events.map((event) => `${event.words} ${event.kind} ${event.group ?? ""} ${event.about ?? ""}`).join(" ").toLowerCase();
}

function withDays(list) {
  let last = "";
  return list.flatMap((one) => {
    const today = day(one.at_s);
    const head = today === last ? [] : [h("li", { class: "day", "data-key": today }, today)];
    last = today;
    return [...head, one.kind === "story" ? storyCard(one) : eventLine(one.event, 0, [], clock)];
  });
}

export function eventLine(event, index, list, at = when) {
  const tone = BAD.has(event.kind) ? "bad" : GOOD.has(event.kind) ? "good" : WARN.has(event.kind) ? "warn" : "quiet";
  const shape = { bad: "cross", good: "full", warn: "warn", quiet: "empty" }[tone];
  const reasons = event.reasons ?? [];
  return h("li", { class: "event", "data-key": event.id },
    h("time", {}, at(event.at_s)), icon(shape, tone),
    h("span", { class: "event-words" }, event.words,
      reasons.length > 0 && h("details", {}, h("summary", {}, "Why"), h("ul", { class: "reasons" }, reasons.map((one) => h("li", {}, one))))),
    h("span", { class: "kind" }, event.kind));
}

function storyCard(story) {
  const shape = story.open ? ["up", "busy"] : ["tick", "good"];
  return h("li", { class: `story ${story.open ? "open" : ""}`, "data-key": story.id, "data-story": story.about },
    h("div", { class: "story-head" }, h("time", {}, clock(story.at_s)), icon(...shape),
      h("strong", {}, headline(story)), h("span", { class: "kind" }, story.open ? "under way" : "over")),
    h("ol", { class: "steps", "aria-label": "Steps" }, STEPS.filter((step) => step !== "proven" || story.what === "node").map((step) => {
      const time = story.steps[step];
      return h("li", { class: time === undefined ? "ahead" : "done", title: MEANS[step] },
        h("span", { class: "step-name" }, step),
        h("span", { class: "step-time" }, time === undefined ? (story.partly[step] ? `${story.partly[step]} of ${story.groups.length}` : "not yet") : step === "seen" ? clock(story.at_s) : `+ ${time.toFixed(1)} s`));
    })),
    h("details", {}, h("summary", {}, story.groups.length ? `${count(story.groups.length, "role")}, ${count(story.events.length, "event")}` : count(story.events.length, "event")),
      story.groups.length > 0 && table(["Role", "New owner", "Decided", "Started", "Answered"], story.groups.map((row) => ({
        key: row.name, cells: [groupLink(row.name), nodeLink(row.to), time(row.decided), time(row.started), row.answered === undefined && row.waits ? row.waits : time(row.answered)],
      })), "Roles"),
      h("ol", { class: "events inner" }, story.events.map((event) => eventLine(event, 0, [], clock)))));
}

const time = (seconds) => (seconds === undefined ? "not yet" : `+ ${seconds.toFixed(1)} s`);
