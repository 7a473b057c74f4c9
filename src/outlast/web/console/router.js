// Which page is to be seen? What stands after "#" in the address says so, so that pages can be kept and sent on.

import { accountPage } from "./account-page.js";
import { auditPage } from "./audit-page.js";
import { eventsPage } from "./events-page.js";
import { graphsPage } from "./graphs-page.js";
import { groupPage } from "./group-page.js";
import { networksPage } from "./networks-page.js";
import { nodePage } from "./node-page.js";
import { nodesPage } from "./nodes-page.js";
import { orderPage } from "./order-page.js";
import { quorumPage } from "./quorum-page.js";
import { may } from "./rights.js";
import { rolesPage } from "./roles-page.js";
import { leaveScreen, screenPage } from "./screen-page.js";
import { settingsPage } from "./settings-page.js";
import { storagePage } from "./storage-page.js";
import { tokensPage } from "./tokens-page.js";
import { usersPage } from "./users-page.js";

// `needs`: the verb without which there is no way to it; `hidden`: there is another one. Who opens the address by hand
// reads why the cluster tells him nothing.
export const PAGES = [
  { path: "roles", title: "Roles", page: rolesPage, one: groupPage },
  { path: "nodes", title: "Nodes", page: nodesPage, one: nodePage },
  { path: "quorum", title: "Quorum", page: quorumPage },
  { path: "events", title: "Events", page: eventsPage },
  { path: "storage", title: "Storage", page: storagePage },
  { path: "networks", title: "Networks", page: networksPage },
  { path: "order", title: "Start order", page: orderPage },
  { path: "graphs", title: "Last day", page: graphsPage },
  { path: "users", title: "Users", page: usersPage, needs: "user.list" },
  { path: "tokens", title: "API tokens", page: tokensPage, needs: "token.list" },
  { path: "audit", title: "Audit log", page: auditPage, needs: "audit.list" },
  { path: "settings", title: "Settings", page: settingsPage, needs: "cluster.set" },
  { path: "account", title: "Your account", page: accountPage, hidden: true },
  { path: "screen", title: "Screen", page: rolesPage, one: screenPage, hidden: true },
];

export const ways = () => PAGES.filter((one) => !one.hidden && (!one.needs || may(one.needs)));

export const route = { path: "roles", name: "", title: "Roles" };

function read() {
  const [path, name = ""] = location.hash.replace(/^#\//, "").split("/");
  const found = PAGES.find((one) => one.path === path) ?? PAGES[0];
  route.path = found.path;
  route.name = found.one ? decoded(name) : "";
  route.title = route.name || found.title;
  if (found.path !== "screen") leaveScreen();
}

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return "";
  }
}

export function startRouting(changed) {
  read();
  window.addEventListener("hashchange", () => {
    read();
    changed();
    window.scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  });
}

export function page() {
  const found = PAGES.find((one) => one.path === route.path);
  return route.name ? found.one(route.name) : found.page();
}
