// Who votes on what is written, and how many of them can still be lost, in words?

import { ask } from "./connection.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { answered, problem, quiet, section, table, title } from "./parts.js";
import { changed } from "./picture.js";
import { count } from "./words.js";

const SHAPES = { leads: ["star", "good"], votes: ["full", "good"], learns: ["half", "busy"], starting: ["up", "busy"] };

export function quorumPage() {
  const { value, problem: why } = answered("quorum", () => ask("GET", "/quorum"), changed, 3);
  return h("div", { class: "page" }, title("Quorum"), why ? problem(why) : value ? found(value) : quiet("Asking the cluster ..."));
}

function found(row) {
  const tone = !row.quorum ? "bad" : row.margin < 1 ? "warn" : "good";
  const shape = { good: "tick", warn: "warn", bad: "cross" }[tone];
  return [
    h("p", { class: `verdict ${tone}`, role: "status" }, icon(shape, tone), h("span", {},
      h("strong", {}, row.quorum ? "There is a quorum: " : "There is no quorum: "), row.words)),
    row.waits.length > 0 && section("What is waited for, or could be better", h("ul", { class: "explained" }, row.waits.map((words) => h("li", {}, words)))),
    section("Voters", table(["Machine", "Part", "State, and why", "Behind", "Engine", "Database"], row.voters.map(line), "Voters")),
    row.others.length > 0 && section("Do not vote yet", table(["Machine", "Part", "State, and why", "Behind", "Engine", "Database"], row.others.map(line), "Others")),
  ];
}

function line(voter) {
  const [shape, tone] = SHAPES[voter.state] ?? ["cross", "bad"];
  return {
    key: voter.name,
    cells: [voter.name || "(not started)", voter.part,
      h("span", {}, h("span", { class: `state ${tone}` }, icon(shape, tone), h("span", {}, voter.state)), h("span", { class: "why" }, voter.why)),
      voter.behind ? count(voter.behind, "entry", "entries") : "not", voter.version, `${voter.database_mib.toFixed(1)} MiB`],
  };
}
