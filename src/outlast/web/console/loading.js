// A page of which a part did not come says so, and is loaded again.
//
// A network that comes and goes (a laptop that wakes, a switch that starts) ends whatever a browser is just loading, and
// without one of its files a page is none. So this is no file of its own for the browser: it comes within the page.

const AGAIN_MS = 3000;
const PATIENCE_MS = 30000;
const patience = setTimeout(tell, PATIENCE_MS);

function tell() {
  over();
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", say);
  else say();
  setTimeout(() => location.reload(), AGAIN_MS);
}

function say() {
  const place = document.getElementById("loading");
  if (place) place.textContent = `${location.hostname} did not send all of this page. It is loaded again ...`;
}

function over() {
  clearTimeout(patience);
  removeEventListener("error", missing, true);
}

function missing(event) {
  if (event.target.src || event.target.href) tell(); // all else is an error of ours, which no loading mends
}

addEventListener("error", missing, true); // what fails to load tells only who listens on the way down
addEventListener("DOMContentLoaded", over); // modules and style sheets are there by then
