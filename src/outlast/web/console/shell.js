// What is around every page: where one can go, how the cluster is as a whole, whether what is shown is true now, who is
// signed in, and what was begun.

import { ask, connection, hostOf } from "./connection.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { dismiss, notices } from "./operations.js";
import { changed, group, picture } from "./picture.js";
import { whoIs } from "./rights.js";
import { linkTo } from "./links.js";
import { needsAttention } from "./parts.js";
import { route, ways } from "./router.js";
import { searchBox } from "./search.js";
import { nextTheme, theme } from "./theme.js";
import { clock, count } from "./words.js";

let menuOpen = false;

export function shell(page) {
  return [
    topBar(),
    h("div", { class: "body" },
      navigation(),
      h("div", { class: "content" },
        banners(),
        h("main", { id: "main", tabindex: "-1", class: picture.live ? "" : "stale" },
          page ?? h("p", { class: "quiet loading", role: "status" }, picture.lost || "Asking the cluster ...")))),
    h("div", { class: "notices", role: "log", "aria-live": "polite", "aria-label": "What was begun" }, notices.map(noticeBox)),
  ];
}

function topBar() {
  return h("header", { class: "top" },
    h("button", {
      class: "button plain menu-button", "aria-expanded": String(menuOpen), "aria-controls": "navigation",
      onclick: () => { menuOpen = !menuOpen; changed(); },
    }, "Menu"),
    h("a", { class: "brand", href: "#/roles" },
      h("img", { src: "/console/icon.svg", alt: "", width: 22, height: 22 }), picture.status?.name ?? "Outlast"),
    searchBox(),
    liveness(),
    h("div", { class: "who" },
      h("button", {
        class: "button plain", title: "Dark, light, or as the system has it",
        onclick: () => { nextTheme(); changed(); },
      }, h("span", { class: "theme-word" }, "Theme:"), ` ${theme()}`),
      connection.session && h("a", { class: "user", href: linkTo("account"), title: "Your account" }, connection.session.user, h("small", {}, whoIs(connection.session))),
      connection.session && h("button", { class: "button plain", onclick: signOut }, "Sign out")));
}

function liveness() {
  if (!picture.live) {
    return h("span", { class: "live state bad", role: "status" }, icon("cross", "bad"), h("span", {}, picture.status ? "not live" : "..."));
  }
  const elsewhere = picture.at !== connection.here ? "Asked in place of the node that served this page" : "";
  return h("span", { class: "live state good", role: "status", title: elsewhere },
    icon("full", "good"), h("span", {}, `live, by ${hostOf(picture.at)}`));
}

async function signOut() {
  await ask("DELETE", "/session").catch(() => {});
  location.reload();
}

function navigation() {
  const status = picture.status;
  const bad = status && {
    roles: status.groups.filter(needsAttention).length,
    nodes: status.nodes.filter((row) => row.state !== "up" || row.why).length,
    quorum: status.quorum ? 1 : 0,
  };
  const link = (one) => h("a", {
    href: linkTo(one.path), "aria-current": route.path === one.path ? "page" : null, onclick: () => { menuOpen = false; },
  }, h("span", {}, one.title), bad?.[one.path] ? h("span", { class: "badge", title: "need attention" }, bad[one.path], h("span", { class: "unseen" }, " need attention")) : null);
  const way = ways();
  return h("nav", { id: "navigation", class: menuOpen ? "open" : "", "aria-label": "Pages" },
    way.filter((one) => !one.needs).map(link),
    way.some((one) => one.needs) && h("div", { class: "nav-group", role: "group", "aria-labelledby": "nav-administration" },
      h("p", { id: "nav-administration", class: "nav-head" }, "Administration"), way.filter((one) => one.needs).map(link)),
    connection.session && h("a", { class: "account", href: linkTo("account"), "aria-current": route.path === "account" ? "page" : null, onclick: () => { menuOpen = false; } }, "Your account"));
}

function banners() {
  const status = picture.status;
  const found = [];
  if (!picture.live && status) {
    const ways = connection.others.length ? "All nodes are tried in turn." : "This page knows no other node.";
    found.push(["bad", `No node answers; what is shown was so at ${clock(picture.since_s)}. ${picture.lost}. ${ways}`]);
  } else if (picture.live && picture.at !== connection.here) {
    found.push(["info", `${hostOf(connection.here)}, which served this page, did not answer: the page goes on with ${hostOf(picture.at)}.`]);
  }
  if (status?.session) found.push(["bad", `${status.answered_by}, which answers here, has no session: ${status.session}`]);
  if (status?.quorum) found.push(["warn", `Quorum: ${status.quorum}`]);
  if (status && !status.armed) found.push(["warn", "The cluster is not armed: it fences, moves and restarts nothing."]);
  for (const alarm of status?.alarms ?? []) found.push(["bad", alarm]);
  return h("div", { class: "banners", role: "region", "aria-label": "Alarms" }, found.slice(0, 6).map(([tone, words]) =>
    h("p", { class: `banner ${tone}`, role: tone === "bad" ? "alert" : "status" }, icon(tone === "info" ? "move" : "warn", ""), h("span", {}, words))),
    found.length > 6 && h("p", { class: "banner warn" }, icon("warn"), `and ${count(found.length - 6, "more alarm")}`));
}

const SHAPES = { running: ["up", "busy"], done: ["tick", "good"], failed: ["cross", "bad"] };

function noticeBox(one) {
  const percent = one.state === "running" && one.group ? group(one.group)?.transfer?.percent : undefined;
  return h("div", { class: `notice ${one.state}`, "data-key": `notice-${one.id}` },
    icon(...SHAPES[one.state]),
    h("div", {},
      h("p", {}, one.words, h("span", { class: "quiet" }, one.state === "running" ? " ..." : one.state === "failed" ? ": failed" : ": done")),
      one.why && h("p", { class: "small" }, one.why),
      percent !== undefined && h("progress", { max: 100, value: percent, "aria-label": `${percent} %` })),
    one.cancel && h("button", { class: "button small", onclick: one.cancel }, "Call back"),
    one.state !== "running" && h("button", { class: "button plain small", "aria-label": `Dismiss: ${one.words}`, onclick: () => dismiss(one) }, "Dismiss"));
}

// What counts everywhere: keys, and that a page has been gone to.
export function minding() {
  window.addEventListener("hashchange", () => { menuOpen = false; });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog, .screen");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      document.getElementById("search").focus();
    }
  });
}
