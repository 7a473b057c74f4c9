// Signing in: a name and a password become a cookie that no script can read, and the page at this address the console.
// Or somebody else says who it is: the browser goes there, and comes back to this page with what it was given.

import { applyTheme } from "./theme.js";

const BACK = "/sign-in"; // as the provider knows it
const WHERE_TO = "outlast where to";
applyTheme();
const form = document.getElementById("form");
const problem = document.getElementById("problem");
const provider = document.getElementById("provider");
const buttons = [form.querySelector("button"), provider];

buttons[0].disabled = false; // until now the browser would have sent the form itself
if (location.pathname === BACK && location.search) comeBack();
offer();

form.onsubmit = async (event) => {
  event.preventDefault();
  const given = { name: form.elements.name.value, password: form.elements.password.value };
  if (await ask("", given)) arrive(location.hash);
  else form.elements.password.select();
};

provider.onclick = async () => {
  const begun = await ask("/to-provider", {});
  if (!begun) return;
  sessionStorage.setItem(WHERE_TO, location.hash);
  location.assign(begun.url);
};

async function comeBack() {
  const given = new URLSearchParams(location.search);
  history.replaceState(null, "", BACK); // what was given is good once, and nobody's to see
  const known = ["code", "state", "error", "error_description"].filter((name) => given.has(name));
  const to = sessionStorage.getItem(WHERE_TO) ?? "";
  if (await ask("/from-provider", Object.fromEntries(known.map((name) => [name, given.get(name)])))) arrive(to);
}

async function offer() {
  const response = await fetch("/api/v1/session/ways").catch(() => null);
  const [way] = response?.ok ? await response.json() : []; // else names and passwords are what there is
  if (!way) return;
  provider.textContent = `Sign in with ${way.label}`;
  document.getElementById("or").hidden = false;
}

/** To where it was to go, with what the address says after "#". */
function arrive(hash) {
  sessionStorage.removeItem(WHERE_TO);
  if (location.pathname === BACK) location.replace(`/${hash}`);
  else location.reload();
}

/** What the API answers; null when it refuses, and then the page says why. */
async function ask(path, given) {
  problem.textContent = "";
  for (const button of buttons) button.disabled = true;
  try {
    const response = await fetch(`/api/v1/session${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(given),
    });
    const answer = await response.json();
    if (response.ok) return answer;
    problem.textContent = answer.detail;
  } catch {
    problem.textContent = `${location.hostname} does not answer; every other node of the cluster has this page, too`;
  }
  for (const button of buttons) button.disabled = false;
  return null;
}
