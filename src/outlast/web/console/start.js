// The console begins: who is signed in, what there is, and then whatever changes.

import { begin, hostOf } from "./connection.js";
import { show } from "./dom.js";
import { changed, lastEvent, loadEvents, onChange, picture, take } from "./picture.js";
import { page, route, startRouting } from "./router.js";
import { minding, shell } from "./shell.js";
import { follow } from "./stream.js";
import { applyTheme } from "./theme.js";

applyTheme();
const SHOWN = "cluster-shown"; // when there was something to see, for whoever measures it

function draw() {
  const known = Boolean(picture.status);
  show(document.getElementById("shell"), ...shell(known ? page() : null));
  if (known && !performance.getEntriesByName(SHOWN).length) performance.mark(SHOWN);
  document.title = `${route.title} - ${picture.status?.name ?? "Outlast"}`;
}

function signedOut() {
  location.reload(); // this address is the page to sign in then
}

async function main() {
  onChange(draw);
  startRouting(changed);
  minding();
  changed(); // that the cluster is being asked, before it has answered
  try {
    await begin();
  } catch (problem) {
    if (problem.kind === "sign-in") return signedOut();
    picture.lost = problem.message;
    changed();
    setTimeout(() => location.reload(), 3000);
    return undefined;
  }
  changed();
  const loading = loadEvents().catch(() => {}); // the stream tells when nobody answers
  return follow({
    last: (await Promise.race([loading, new Promise((done) => setTimeout(done, 1000))]), lastEvent()),
    told: take,
    heard: (at) => {
      if (!picture.live || picture.at !== at) Object.assign(picture, { live: true, at, lost: "" });
      if (!picture.events.length) loadEvents().catch(() => {});
      changed();
    },
    lost: (at, why) => {
      if (picture.live) picture.since_s = Date.now() / 1000;
      picture.live = false;
      picture.lost = `${hostOf(at)}: ${why}`;
      changed();
    },
    ended: signedOut,
  });
}

main();
