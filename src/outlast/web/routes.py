"""Which verb of the cluster service is asked by which HTTP request? The table from which all of the API follows: what
is served, and what its description says.

A part of the path in braces is an argument of the verb. The others come from the query for GET and DELETE, else from
the body, a JSON object.
"""

from collections.abc import Mapping
from typing import NamedTuple

PREFIX = "/api/v1"
USUAL_S, LONG_S = 60.0, 330.0


class Route(NamedTuple):
    verb: str
    method: str
    path: str
    then: str = ""
    """The verb that follows what was begun until it is done: the answer is an operation."""
    undo: str = ""
    """The verb that takes back what was begun."""
    timeout_s: float = USUAL_S


ROUTES: tuple[Route, ...] = (
    Route("status", "GET", "/status"),
    Route("validate", "GET", "/validation", timeout_s=LONG_S),
    Route("events", "GET", "/events"),
    Route("audit.list", "GET", "/audit"),
    Route("explain.replay", "GET", "/decisions/{event}"),
    Route("what_if.node_down", "GET", "/what-if/node-down"),
    # nodes
    Route("node.list", "GET", "/nodes"),
    Route("node.show", "GET", "/nodes/{name}"),
    Route("node.set", "PATCH", "/nodes/{name}"),
    Route("node.evict", "DELETE", "/nodes/{name}", timeout_s=LONG_S),
    Route("node.load", "GET", "/load"),
    Route("node.outlook", "GET", "/nodes/{name}/outlook"),
    Route("node.pause", "POST", "/nodes/{name}/pause"),
    Route("node.drain", "POST", "/nodes/{name}/drain", then="node.wait", undo="node.resume"),
    Route("node.resume", "POST", "/nodes/{name}/resume", then="node.wait"),
    Route("node.release", "POST", "/nodes/{name}/release"),
    Route("node.wait", "POST", "/nodes/{name}/wait"),
    Route("node.confirm_down", "POST", "/nodes/{name}/confirm-down"),
    Route("node.fence", "POST", "/nodes/{name}/fence", timeout_s=LONG_S),
    Route("explain.node", "GET", "/nodes/{name}/explanation"),
    Route("fence.show", "GET", "/nodes/{node}/fence-devices/{device}"),
    Route("fence.add", "POST", "/nodes/{node}/fence-devices", timeout_s=LONG_S),
    Route("fence.set", "PATCH", "/nodes/{node}/fence-devices/{device}", timeout_s=LONG_S),
    Route("fence.delete", "DELETE", "/nodes/{node}/fence-devices/{device}"),
    Route("fence.list", "GET", "/fence-devices"),
    Route("fence.test", "POST", "/fence-devices/test", timeout_s=LONG_S),
    Route("fence.agents", "GET", "/fence-agents"),
    Route("fence.describe", "GET", "/fence-agents/{agent}"),
    # groups and their resources
    Route("group.list", "GET", "/groups"),
    Route("group.create", "POST", "/groups"),
    Route("group.show", "GET", "/groups/{name}"),
    Route("group.set", "PATCH", "/groups/{name}"),
    Route("group.settings", "GET", "/groups/{name}/settings"),
    Route("group.delete", "DELETE", "/groups/{name}"),
    Route("group.online", "POST", "/groups/{name}/online", then="group.wait"),
    Route("group.offline", "POST", "/groups/{name}/offline", then="group.wait"),
    Route("group.move", "POST", "/groups/{name}/move", then="group.wait", undo="group.call_back"),
    Route("group.call_back", "POST", "/groups/{name}/call-back", then="group.wait"),
    Route("group.lock", "POST", "/groups/{name}/lock"),
    Route("group.unlock", "POST", "/groups/{name}/unlock"),
    Route("group.maintenance", "POST", "/groups/{name}/maintenance"),
    Route("group.wait", "POST", "/groups/{name}/wait"),
    Route("group.would", "GET", "/groups/{name}/would"),
    Route("explain.group", "GET", "/groups/{name}/explanation"),
    Route("resource.list", "GET", "/resources"),
    Route("resource.create", "POST", "/resources", timeout_s=LONG_S),
    Route("resource.show", "GET", "/resources/{name}"),
    Route("resource.set", "PATCH", "/resources/{name}", timeout_s=LONG_S),
    Route("resource.settings", "GET", "/resources/{name}/settings"),
    Route("resource.delete", "DELETE", "/resources/{name}"),
    Route("resource.online", "POST", "/resources/{name}/online", then="resource.wait"),
    Route("resource.offline", "POST", "/resources/{name}/offline", then="resource.wait"),
    Route("resource.fail", "POST", "/resources/{name}/fail", then="resource.wait"),
    Route("resource.maintenance", "POST", "/resources/{name}/maintenance"),
    Route("resource.wait", "POST", "/resources/{name}/wait"),
    Route("resource.would", "GET", "/resources/{name}/would"),
    # VMs
    Route("vm.list", "GET", "/vms"),
    Route("vm.protect", "POST", "/vms", timeout_s=LONG_S),
    Route("vm.show", "GET", "/vms/{name}"),
    Route("vm.unprotect", "DELETE", "/vms/{name}"),
    Route("vm.group", "GET", "/vms/{name}/group"),
    Route("vm.check", "POST", "/vms/{name}/check", timeout_s=LONG_S),
    Route("vm.screen", "POST", "/vms/{name}/screen"),
    Route("explain.vm", "GET", "/vms/{name}/explanation"),
    Route("vm.probe_list", "GET", "/probes"),
    Route("vm.probe_add", "POST", "/vms/{name}/probes"),
    Route("vm.probe_delete", "DELETE", "/vms/{name}/probes/{probe}"),
    # resource types
    Route("type.list", "GET", "/resource-types"),
    Route("type.verify", "GET", "/resource-types-compared"),
    Route("type.show", "GET", "/resource-types/{type}"),
    Route("type.restart", "POST", "/resource-types/{type}/restart"),
    # rules and balance
    Route("rule.list", "GET", "/rules"),
    Route("rule.add", "POST", "/rules"),
    Route("rule.show", "GET", "/rules/{name}"),
    Route("rule.delete", "DELETE", "/rules/{name}"),
    Route("rule.enable", "POST", "/rules/{name}/enable"),
    Route("rule.disable", "POST", "/rules/{name}/disable"),
    Route("balance.look", "GET", "/balance"),
    Route("balance.run", "POST", "/balance"),
    # the cluster and its database
    Route("cluster.show", "GET", "/cluster"),
    Route("cluster.set", "PATCH", "/cluster"),
    Route("cluster.settings", "GET", "/cluster/settings"),
    Route("cluster.would_set", "POST", "/cluster/would-set"),
    Route("cluster.unprovable", "GET", "/cluster/unprovable"),
    Route("cluster.release", "POST", "/cluster/release"),
    Route("cluster.tokens", "GET", "/cluster/joining-tokens"),
    Route("cluster.token", "POST", "/cluster/joining-tokens"),
    Route("cluster.revoke", "DELETE", "/cluster/joining-tokens/{token}"),
    Route("cluster.backups", "GET", "/cluster/backups"),
    Route("cluster.backup", "POST", "/cluster/backups", timeout_s=LONG_S),
    Route("cluster.restore", "POST", "/cluster/restore", timeout_s=LONG_S),
    Route("cluster.confirm_ownership", "POST", "/cluster/confirm-ownership", timeout_s=LONG_S),
    Route("quorum.show", "GET", "/quorum"),
    Route("quorum.forecast", "GET", "/quorum/forecast"),
    Route("quorum.force", "POST", "/quorum/force", timeout_s=LONG_S),
    # shared volumes
    Route("volume.list", "GET", "/volumes"),
    Route("volume.add", "POST", "/volumes", timeout_s=LONG_S),
    Route("volume.show", "GET", "/volumes/{name}"),
    Route("volume.set", "PATCH", "/volumes/{name}"),
    Route("volume.remove", "DELETE", "/volumes/{name}"),
    Route("volume.images", "GET", "/volumes/{name}/images"),
    Route("volume.image", "GET", "/volumes/{volume}/images/{image}"),
    Route("volume.create", "POST", "/volumes/{volume}/images/{image}", then="volume.wait"),
    Route("volume.resize", "POST", "/volumes/{volume}/images/{image}/resize", then="volume.wait"),
    Route("volume.delete", "DELETE", "/volumes/{volume}/images/{image}", then="volume.wait"),
    Route("volume.snapshot", "POST", "/volumes/{volume}/images/{image}/snapshot", then="volume.wait"),
    Route("volume.wait", "POST", "/volumes/{volume}/changes/{id}/wait"),
    # notices
    Route("notice.list", "GET", "/notices"),
    Route("notice.add", "POST", "/notices"),
    Route("notice.show", "GET", "/notices/{name}"),
    Route("notice.set", "PATCH", "/notices/{name}"),
    Route("notice.delete", "DELETE", "/notices/{name}"),
    Route("notice.test", "POST", "/notices/{name}/test"),
    # who may ask
    Route("user.list", "GET", "/users"),
    Route("user.create", "POST", "/users"),
    Route("user.show", "GET", "/users/{name}"),
    Route("user.set", "PATCH", "/users/{name}"),
    Route("user.passwd", "POST", "/users/{name}/password"),
    Route("user.delete", "DELETE", "/users/{name}"),
    Route("user.sign_out", "POST", "/users/{name}/sign-out"),
    Route("sign_in.list", "GET", "/sign-in"),
    Route("sign_in.set", "PATCH", "/sign-in/{way}"),
    Route("sign_in.delete", "DELETE", "/sign-in/{way}"),
    Route("sign_in.grant", "POST", "/sign-in/{way}/grants"),
    Route("sign_in.revoke", "DELETE", "/sign-in/{way}/grants"),
    Route("token.list", "GET", "/api-tokens"),
    Route("token.create", "POST", "/api-tokens"),
    Route("token.delete", "DELETE", "/api-tokens/{name}"),
)
EXCLUDED: Mapping[str, str] = {
    "follow": "part of the stream of changes: GET /events with Accept: text/event-stream",
    "events.follow": "part of the stream of changes: GET /events with Accept: text/event-stream",
    "metrics": "GET /metrics tells it, in the words of Prometheus",
    "node.leave": "a machine is taken out of the cluster on that machine",
    "node.leaving": "a machine is taken out of the cluster on that machine",
}
"""Verbs without a request of their own, and why."""
