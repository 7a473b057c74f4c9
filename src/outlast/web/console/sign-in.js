// Signing in: a name and a password become a cookie that no script can read, and the page at this address the console.

import { applyTheme } from "./theme.js";

applyTheme();
const form = document.getElementById("form");
const problem = document.getElementById("problem");

form.querySelector("button").disabled = false; // until now the browser would have sent the form itself

form.onsubmit = async (event) => {
  event.preventDefault();
  problem.textContent = "";
  form.querySelector("button").disabled = true;
  try {
    const response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: form.elements.name.value, password: form.elements.password.value }),
    });
    if (response.ok) {
      location.reload(); // to where it was to go, with what the address says after "#"
      return;
    }
    problem.textContent = (await response.json()).detail;
  } catch {
    problem.textContent = `${location.hostname} does not answer; every other node of the cluster has this page, too`;
  }
  form.querySelector("button").disabled = false;
  form.elements.password.select();
};
