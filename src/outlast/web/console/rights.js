// What may who is signed in ask for? What may not be asked for is not offered; the cluster service decides in any case.
//
// The same as `core/access/permissions.py`, for the verbs that the console uses; a test compares them.

import { connection } from "./connection.js";

const RANK = ["viewer", "operator", "administrator"];

export const NEEDS = {
  "group.online": "operator",
  "group.offline": "operator",
  "group.move": "operator",
  "group.lock": "operator",
  "group.unlock": "operator",
  "group.maintenance": "operator",
  "resource.online": "operator",
  "resource.offline": "operator",
  "vm.screen": "operator",
  "node.pause": "operator",
  "node.drain": "operator",
  "node.resume": "operator",
  "node.confirm_down": "administrator",
  "group.set": "administrator",
  "resource.set": "administrator",
  "cluster.set": "administrator",
  "user.list": "administrator",
  "user.create": "administrator",
  "user.set": "administrator",
  "user.passwd": "administrator",
  "user.delete": "administrator",
  "token.list": "administrator",
  "token.create": "administrator",
  "token.delete": "administrator",
  "audit.list": "administrator",
};

// `group`: which one it is about; empty: it is about a node or the cluster.
export function may(verb, group = "") {
  const session = connection.session;
  if (!session || RANK.indexOf(session.role) < RANK.indexOf(NEEDS[verb])) return false;
  return !session.groups.length || session.groups.includes(group);
}

export function whoIs(session) {
  const limit = session.groups.length ? ` for ${session.groups.join(", ")}` : "";
  return `${session.role}${limit}`;
}
