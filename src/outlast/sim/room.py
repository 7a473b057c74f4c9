"""Could that node take that group, and how much has it to do? As seen from outside: by the records in the database and
nothing else.

Written without a look at how the cluster itself finds its answer, so that a mistake there is no mistake here.
"""

from collections.abc import Collection, Iterable

import msgspec

from outlast.model.group import AWAY, Group, Resource, Wanted
from outlast.model.network import NetworkState
from outlast.model.node import Offer
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.status import State
from outlast.model.volume import VolumeState
from outlast.sim.facts import Facts, NodeFacts

TRUSTED_AGAIN_S = 120.0
"""So long a network that was lost again and again within `LATELY_S` must be back before anything is moved to it."""
LATELY_S = 1790.0
_OFF = (State.OFFLINE, State.FAILED)


class Offers(msgspec.Struct, frozen=True):
    """What of a session's record says what can be brought online there."""

    offers: tuple[Offer, ...] = ()
    networks: tuple[NetworkState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()


_OFFERS = msgspec.json.Decoder(Offers)


class Room:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def fit(self, group: Group) -> list[str]:
        """Nodes that could take it now, in no order."""
        return [name for name in self._facts.lives if not self.refuses(group, name)]

    def able(self, group: Group, nodes: Iterable[str], *, cut_off: bool = False) -> list[str]:
        """Those of the nodes that could take it if they had the memory, and no rule was in the way. `cut_off`: also
        where a network of it is lost; there it goes when nothing else is left."""
        found = []
        for name in nodes:
            life = self._facts.life(name)
            mine = not group.possible_owners or name in group.possible_owners
            lacks = self._lacks_plugin(group, life) or self._lacks_volume(group, life)
            if mine and not self._closed(life, has_it=False) and not lacks:
                found += [] if not cut_off and self.cut_off(group, name) else [name]
        return found

    def cut_off(self, group: Group, node: str) -> str:
        """Which of its networks is lost on that node, by that node's own word; "" when none is."""
        told = self.networks(node)
        return next((f"{one} is lost there" for one in self.needs_networks(group) if told.get(one)), "")

    def is_only_cut_off(self, group: Group, node: str) -> bool:
        """Nothing else keeps it from there."""
        problem = self.cut_off(group, node)
        return bool(problem) and self.refuses(group, node) == problem

    def networks(self, node: str) -> dict[str, str]:
        """As the node has said: each to why it is lost."""
        offered = self._facts.life(node).offered
        return {one.network: one.lost for one in _OFFERS.decode(offered).networks} if offered else {}

    def needs_networks(self, group: Group) -> list[str]:
        """That count for it."""
        counted = group.protected_networks
        known = (self._facts.resources.get(name) for name in group.resources)
        named = {one for resource in known if resource is not None for one in resource.networks}
        return sorted(one for one in named if counted is None or one in counted or one.split("/")[-1] in counted)

    def why_cut_off(self, group: Group) -> str:
        """It runs where a network of it is lost, and nothing keeps it from a node where that is up; "" otherwise."""
        if not self.cut_off(group, group.owner) or group.locked or group.maintenance:
            return ""
        needs = self.needs_networks(group)
        better = [
            name
            for name in self.fit(group)
            if all(one in self.networks(name) for one in needs) and not self._came_back(name, needs)
        ]
        return f"{self.cut_off(group, group.owner)}, and {', '.join(sorted(better))} could take it" if better else ""

    def _came_back(self, node: str, needs: Collection[str]) -> bool:
        """After it was lost again and again: then nobody is sent there for a while."""
        back, now_s = self._facts.life(node).networks_back_s, self._facts.now()
        return any(now_s - back[one] < TRUSTED_AGAIN_S + 5.0 for one in needs if one in back and self.flaps(node, one))

    def flaps(self, node: str, network: str, since_s: float = float("-inf")) -> bool:
        """Was it lost there again and again of late? `since_s`: what was before that counts not."""
        begin_s = max(since_s, self._facts.now() - LATELY_S)
        return sum(at_s > begin_s for at_s in self._facts.life(node).networks_lost_s.get(network, ())) > 1

    def why_nowhere(self, group: Group) -> str:
        if not self.refuses(group, group.owner, has_it=True) or self.fit(group):
            return ""
        return "; ".join(f"{name}: {self.refuses(group, name)}" for name in sorted(self._facts.lives) if name)

    def refuses(self, group: Group, node: str, *, has_it: bool = False) -> str:
        """Why the node cannot take the group, for people; "" when it can. `has_it`: it is its owner."""
        life = self._facts.lives.get(node)
        if life is None or not self._is_member(node, life):
            return "no member"
        if group.possible_owners and node not in group.possible_owners:
            return "no possible owner"
        problem = self._closed(life, has_it=has_it) or self._lacks_plugin(group, life)
        problem = problem or self._lacks_volume(group, life) or ("" if has_it else self.cut_off(group, node))
        if problem:
            return problem
        broken = self.broken(group, node, hard=True)
        return f"rule {broken[0]}" if broken else self.lacks_memory(group, node)

    def broken(self, group: Group, node: str, *, hard: bool) -> list[str]:
        """The rules that the group would break there."""
        rules = (rule for rule in self._facts.rules.values() if rule.enabled and rule.hard is hard)
        return [rule.name for rule in rules if group.name in rule.groups and not self._keeps(rule, group, node)]

    def places(self, group: Group) -> tuple[str, ...]:
        """Where something of it may run or is about to, the last one being where it will be."""
        owner = group.owner
        silence = self._facts.silences.get(owner)
        dead = self._facts.life(owner).session is None if silence is None else silence.proof is not None
        if not owner or dead or (group.wanted is Wanted.OFFLINE and self._is_off(group)):
            return ()
        return (owner, group.move_to) if group.move_to not in ("", owner, AWAY) else (owner,)

    def needs_mib(self, group: Group) -> int:
        return sum(one.memory_mib for one in self._wanted(group))

    def is_weighed(self) -> bool:
        """Do all members say what they have? Else nodes are compared by how many groups they have."""
        lives = [life for name, life in self._facts.lives.items() if self._is_member(name, life)]
        return all(life.session is not None and bool(life.session.memory_mib or life.session.cpus) for life in lives)

    def load(self, node: str, only_there: Collection[str], plus: Group | None = None, minus: str = "") -> float:
        """What has been promised of the node: shares of its memory and of its processors, half and half; or groups.
        `only_there`: groups on their way, of which only that counts where they go."""
        here = [
            kept.record
            for name, kept in self._facts.groups.items()
            if name != minus and node in self.places(kept.record)[-1 if name in only_there else 0 :]
        ]
        here += [plus] if plus is not None else []
        if not self.is_weighed():
            return float(len(here))
        session = self._facts.life(node).session
        has_mib, has_cpus = (session.memory_mib, session.cpus) if session is not None else (0, 0)
        vcpus = sum(one.vcpus for group in here for one in self._wanted(group))
        memory = sum(map(self.needs_mib, here)) / has_mib if has_mib else 0.0
        return (memory + (vcpus / has_cpus if has_cpus else 0.0)) / 2

    def _wanted(self, group: Group) -> list[Resource]:
        known = (self._facts.resources[name] for name in group.resources if name in self._facts.resources)
        return [one for one in known if one.wanted is Wanted.ONLINE]

    def lacks_memory(self, group: Group, node: str) -> str:
        """Why its memory does not hold the group beside all that is there or comes there; "" when it does."""
        session = self._facts.life(node).session
        has_mib = session.memory_mib if session is not None else 0
        needs_mib = self.needs_mib(group)
        if not has_mib or not needs_mib:
            return ""
        others = (kept.record for name, kept in self._facts.groups.items() if name != group.name)
        used_mib = sum(self.needs_mib(other) for other in others if node in self.places(other))
        return "" if used_mib + needs_mib <= has_mib else f"{used_mib} of {has_mib} MiB are used"

    def changed_of_late(self, group: Group, nodes: Iterable[str], *, knows_itself: bool = False) -> bool:
        """Has anything changed on which it depends whether these nodes could take it? `knows_itself`: what changed of
        the group is known to who acts, because it is for that that he does."""
        facts = self._facts
        if facts.recent(facts.rules_changed_at_s):
            return True
        if not knows_itself and facts.recent(facts.resources_changed_at_s):
            return True
        if any(facts.recent(facts.life(name).changed_at_s) for name in nodes):
            return True
        with_it = {name for rule in facts.rules.values() if group.name in rule.groups for name in rule.groups}
        others = (kept for name, kept in facts.groups.items() if name != group.name)
        there = set(nodes)
        return any(
            facts.recent(kept.changed_at_s) or self._grown_of_late(kept.record)
            for kept in others
            if kept.record.name in with_it or kept.record.owner in there or kept.record.move_to in there
        )

    def _grown_of_late(self, group: Group) -> bool:
        changed = self._facts.resource_changed_s
        return any(self._facts.recent(changed[name]) for name in group.resources if name in changed)

    # --- one thing each -------------------------------------------------------------------------------------------

    def _is_member(self, node: str, life: NodeFacts) -> bool:
        return life.session is not None and life.record is not None and node not in self._facts.silences

    def _closed(self, life: NodeFacts, *, has_it: bool) -> str:
        record, session = life.record, life.session
        assert record is not None
        assert session is not None
        if record.leaving and record.leaving == session.incarnation:
            return "its machine is being shut down"
        if has_it:
            return "drained by force" if record.draining and record.force_drain else ""
        if record.draining or record.paused:
            return "drained" if record.draining else "paused"
        return "quarantined" if record.quarantined else ""

    def _lacks_plugin(self, group: Group, life: NodeFacts) -> str:
        able = {one.type for one in _OFFERS.decode(life.offered).offers if not one.problem} if life.offered else set()
        known = (self._facts.resources.get(name) for name in group.resources)
        return next((f"no plugin for {one.type}" for one in known if one is not None and one.type not in able), "")

    def lacks_volume(self, group: Group, node: str) -> str:
        """Which volume of the group is lost on that node, for people."""
        return self._lacks_volume(group, self._facts.life(node))

    def _lacks_volume(self, group: Group, life: NodeFacts) -> str:
        lost = {one.volume for one in _OFFERS.decode(life.offered).volumes if one.lost} if life.offered else set()
        missed = sorted(lost & self.volumes_of(group)) if lost else []
        return f"the volume {missed[0]} is lost there" if missed else ""

    def volumes_of(self, group: Group) -> set[str]:
        """What it needs of shared volumes: itself, and those on which its disks lie."""
        known = [self._facts.resources[name] for name in group.resources if name in self._facts.resources]
        volumes = [one for one in self._facts.resources.values() if one.type == "shared_volume"]
        return {
            volume.name
            for volume in volumes
            for one in known
            if one is volume or any(f"{disk}/".startswith(f"{volume.properties['path']}/") for disk in one.disks)
        }

    def coordinates(self, node: str, minus: str = "") -> int:
        """How many volumes it coordinates, or is about to."""
        groups = {one.group for one in self._facts.resources.values() if one.type == "shared_volume"} - {minus}
        places = [self.places(self._facts.groups[name].record) for name in groups if name in self._facts.groups]
        return sum(1 for nodes in places if nodes and nodes[-1] == node)

    def _keeps(self, rule: Rule, group: Group, node: str) -> bool:
        if rule.kind is RuleKind.ON:
            return node in rule.nodes
        if rule.kind is RuleKind.NOT_ON:
            return node not in rule.nodes
        here = self._domain(node, rule.domain)
        others = [self._facts.groups[name].record for name in rule.groups if name in self._facts.groups]
        placed = [self.places(other) for other in others if other.name != group.name]
        if rule.kind is RuleKind.DIFFERENT:
            return all(self._domain(name, rule.domain) != here for nodes in placed for name in nodes)
        there = {self._domain(nodes[-1], rule.domain) for nodes in placed if nodes and self._is_to_stay(nodes[-1])}
        return not there or here in there

    def _is_to_stay(self, node: str) -> bool:
        """Who is on a node that gives all away binds nobody to it."""
        life = self._facts.lives.get(node)
        if life is None or life.record is None:
            return False
        leaving = life.session is not None and life.record.leaving == life.session.incarnation
        return not (life.record.draining or (bool(life.record.leaving) and leaving))

    def _domain(self, node: str, kind: Domain) -> tuple[str, ...]:
        """What fails together with it; a node of which that is not known fails alone."""
        record = self._facts.life(node).record
        if kind is Domain.RACK and record is not None and record.rack:
            return record.site, record.rack
        if kind is Domain.SITE and record is not None and record.site:
            return record.site, ""
        return (node,)

    def _is_off(self, group: Group) -> bool:
        """Its owner has said so, in this life and at the present epoch."""
        status, session = self._facts.statuses.get(group.name), self._facts.life(group.owner).session
        if status is None or session is None or status.incarnation != session.incarnation:
            return False
        same = (status.node, status.epoch) == (group.owner, group.epoch)
        return same and all(one.state in _OFF for one in status.resources.values())
