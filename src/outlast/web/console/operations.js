// What was begun here and takes its time: how far is it, and how did it end? Shown in a corner until somebody has read it.

import { ask, Problem } from "./connection.js";
import { changed } from "./picture.js";

const WAIT_S = 8;
const READ_S = 8;
export const notices = []; // { id, words, state: running | done | failed, why, group, cancel }
let last = 0;

export function notice(words, state, why = "") {
  const made = { id: (last += 1), words, state, why, group: "", cancel: null };
  notices.push(made);
  if (state === "done") passing(made);
  changed();
  return made;
}

export function dismiss(one) {
  const at = notices.indexOf(one);
  if (at >= 0) notices.splice(at, 1);
  changed();
}

function passing(one) {
  setTimeout(() => dismiss(one), READ_S * 1000);
}

// `words`: what is done, as "web1 moves to n2". Never throws: what went wrong is told.
export async function run(words, path, body = {}, { group = "", method = "POST" } = {}) {
  const told = notice(words, "running");
  told.group = group;
  try {
    const answer = await ask(method, path, body);
    if (answer?.id && answer.state) await followed(told, answer);
    else end(told, "done", typeof answer === "string" ? answer : answer?.warning ?? "");
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    end(told, "failed", problem.message);
  }
}

async function followed(told, operation) {
  if (operation.cancellable) {
    told.cancel = async () => {
      told.cancel = null;
      try {
        await ask("DELETE", `/operations/${operation.id}`);
      } catch (problem) {
        notice(`${told.words}: it cannot be taken back`, "failed", problem.message);
      }
    };
  }
  while (operation.state === "running") {
    changed();
    operation = await ask("GET", `/operations/${operation.id}?wait_s=${WAIT_S}`);
  }
  end(told, operation.state === "failed" ? "failed" : "done", operation.state === "cancelled" ? "taken back" : operation.why);
}

function end(told, state, why) {
  told.state = state;
  told.why = why;
  told.cancel = null;
  if (state === "done") passing(told);
  changed();
}
