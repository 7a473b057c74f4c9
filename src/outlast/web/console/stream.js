// What changes in the cluster, as it happens (server-sent events). When nothing is heard for a while, another node is
// asked, from the last event on that is known.
//
// EventSource cannot send who asks to another node, so the stream is read by hand.

import { connection, goOn, open } from "./connection.js";

const ALIVE_S = 1;
const SILENT_S = 4;
const AGAIN_S = 1;

// For ever. `told(kind, data)`; `heard(at)`: that node answers; `lost(at)`: it does not any more.
// `ended(kind, message)`: nobody is told anything any more.
export async function follow({ told, heard, lost, ended, last = "" }) {
  let failed = 0;
  for (;;) {
    const at = connection.at;
    const attempt = await read(at, last, (kind, id, data) => {
      failed = 0;
      last = id || last;
      if (kind === "reset") last = "";
      told(kind, data);
    }, () => heard(at));
    if (attempt.kind === "sign-in" || attempt.kind === "denied") {
      ended(attempt.kind, attempt.message);
      return;
    }
    lost(at, attempt.message);
    goOn(at);
    failed += 1;
    if (failed > connection.others.length) await sleep(AGAIN_S);
  }
}

async function read(at, last, told, heard) {
  const ending = new AbortController();
  let watch = 0;
  const alive = () => {
    clearTimeout(watch);
    watch = setTimeout(() => ending.abort(), SILENT_S * 1000);
  };
  alive();
  try {
    const more = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
    const response = await open(`/events?alive_s=${ALIVE_S}`, { more, signal: ending.signal });
    if (!response.ok) {
      const problem = await response.json();
      return { kind: problem.kind, message: problem.detail };
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { kind: "no-contact", message: "the connection was closed" };
      alive();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const message = parsed(block);
        if (message.event === "end") return message.data;
        if (message.event) {
          heard();
          told(message.event, message.id, message.data);
        }
      }
    }
  } catch {
    return { kind: "no-contact", message: "it does not answer" };
  } finally {
    clearTimeout(watch);
    ending.abort();
  }
}

export function parsed(block) {
  const found = { event: "", id: "", data: null };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon < 1) continue; // a comment, which says only that somebody is there
    const name = line.slice(0, colon);
    const value = line.slice(colon + 2);
    if (name === "data") found.data = JSON.parse(value);
    else if (name in found) found[name] = value;
  }
  return found;
}

function sleep(time_s) {
  return new Promise((resolve) => setTimeout(resolve, time_s * 1000));
}
