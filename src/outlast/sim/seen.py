"""What do the records say that nodes, owners and administrators write, and when did it change last?

Facts only; what of it must not be is judged in `outlast.sim.checks`.
"""

from dataclasses import dataclass

import msgspec

from outlast.model.group import Resource, Wanted
from outlast.model.network import NetworkState
from outlast.model.node import Coordinator, Node
from outlast.model.rule import Rule
from outlast.model.settings import Settings
from outlast.sim.facts import RECENTLY_S, Facts, NodeFacts

_RESOURCE = msgspec.json.Decoder(Resource)
_NODE = msgspec.json.Decoder(Node)
_RULE = msgspec.json.Decoder(Rule)


class _Networks(msgspec.Struct, frozen=True):
    """What of a session's record says how the networks of guests are there."""

    networks: tuple[NetworkState, ...] = ()


_NETWORKS = msgspec.json.Decoder(_Networks)
_COORDINATOR = msgspec.json.Decoder(Coordinator)


@dataclass(slots=True)
class Seen(Facts):
    def see_cluster(self, name: str, value: bytes | None) -> None:
        if value is not None and not name:
            before, self.settings = self.settings, msgspec.json.decode(value, type=Settings)
            self.held_at_s = self.held_at_s if before.hold else self.now()
            if self.now() > 0:
                self.settings_changed_at_s = self.now()
            self.unrest()

    def see_node(self, name: str, value: bytes | None) -> None:
        life = self.life(name)
        record = _NODE.decode(value) if value is not None else None
        if _treatment(record) != _treatment(life.record):
            self.changed(life)
        life.record = record

    def changed(self, life: NodeFacts) -> None:
        """What may be given to the node."""
        life.changed_at_s = self.now()
        self.unrest()

    def networks_changed(self, life: NodeFacts, before: bytes, now: bytes) -> None:
        """Those that came back."""
        was, told = (_NETWORKS.decode(one).networks if one else () for one in (before, now))
        lost = {one.network for one in was if one.lost}
        for one in told:
            if one.lost and one.network not in lost:
                life.networks_lost_s.setdefault(one.network, []).append(self.now())
            if one.lost:
                life.networks_back_s.pop(one.network, None)
            elif one.network in lost:
                life.networks_back_s[one.network] = self.now()

    def see_coordinator(self, name: str, value: bytes | None) -> None:
        node = _COORDINATOR.decode(value).node if value is not None else ""
        if node != self.coordinator:
            self.coordinator, self.coordinator_since_s = node, self.now()

    def see_rule(self, name: str, value: bytes | None) -> None:
        if self.now() > 0:
            self.rules_changed_at_s = self.now()
        self.unrest()
        if value is not None:
            self.rules[name] = _RULE.decode(value)
        else:
            self.rules.pop(name, None)

    def see_resource(self, name: str, value: bytes | None) -> tuple[Resource | None, Resource | None]:
        """As it was, and as it is."""
        before = self.resources.pop(name, None)
        resource = _RESOURCE.decode(value) if value is not None else None
        if _as_wished(before) != _as_wished(resource):
            self.resource_changed_s[name] = self.now()
            if self.now() > 0:  # what was there from the beginning is known to all
                self.resources_changed_at_s = self.now()
        if resource is None:
            self.group_of.pop(name, None)
            return before, None
        self.resources[name] = resource
        self.group_of[name] = resource.group
        if Wanted.OFFLINE in (resource.wanted, before.wanted if before is not None else None):
            self.resources_off_s[name] = self.now()
        self.stops_within_s[name] = resource.offline_timeout_s + RECENTLY_S
        return before, resource

    def unrest(self) -> None:
        """Something changed, and not by balancing."""
        self.unrest_at_s = self.now()

    def note_online(self, group: str) -> None:
        """Is all of it online, by its owner's word?"""
        kept = self.groups.get(group)
        if kept is None:
            return
        if self.said_online(kept.record):
            kept.online_since_s = self.now() if kept.online_since_s is None else kept.online_since_s
        elif kept.online_since_s is not None:
            kept.online_since_s, kept.online_until_s = None, self.now()


def _treatment(record: Node | None) -> tuple[object, ...]:
    """What of a node's record decides whether it is given anything."""
    if record is None:
        return ()
    return (
        record.paused,
        record.draining,
        record.force_drain,
        record.leaving,
        record.calls_back,
        record.quarantined,
        record.rack,
        record.site,
    )


def offers_of(session: bytes) -> bytes:
    """The parts of its record that say what can be brought online there."""
    offers = session.partition(b'"offers"')[2].partition(b'"watchdog_s"')[0]
    return offers + session.partition(b'"networks"')[2]


def _as_wished(resource: Resource | None) -> Resource | None:
    """Without what nodes have found out: that they see its disks is nothing that anybody would have to learn first."""
    return msgspec.structs.replace(resource, seen_by=()) if resource is not None else None
