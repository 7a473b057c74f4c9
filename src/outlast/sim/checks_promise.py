"""Is kept what was promised? Invariants 19 and 20.

19. While what breaks the promise to survive lost nodes is to be refused (`reserve=refuse`), no administrator's word is
    accepted by which a promise that held is broken. It holds when, whichever nodes of that number are lost, all that
    runs there and starts by itself can be put onto the others at once: tried out, and by memory alone, so that what a
    rule forbids, or the order of placing leaves over, is held against nobody.
20. What the cluster calls protected, or protected and at risk, runs again within the bound when its node is lost and
    nothing else happens (`losses.py`).
"""

from dataclasses import dataclass
from itertools import combinations

from outlast.model.group import Group, Wanted
from outlast.model.policy import Priority, Reserve
from outlast.sim.room import Room
from outlast.sim.seen import Seen

_BY_ADMINISTRATOR = "administrator"
_MOST_STEPS = 20_000
"""So many places are tried, then it is said to hold."""


@dataclass(slots=True)
class Promise:
    facts: Seen
    room: Room

    def is_asked(self, old: Group | None, new: Group) -> bool:
        """Is this an administrator's word that brings a group online, or makes a resource in one that is, and is the
        promise to be kept?"""
        if old is None or new.wanted is Wanted.OFFLINE or not self._matters():
            return False
        by_word = old.wanted is Wanted.OFFLINE and _BY_ADMINISTRATOR in new.wanted_by
        return by_word or len(new.resources) > len(old.resources)

    def holds(self, coming: str) -> bool:
        """As far as memory goes, for whatever set of members is lost. `coming`: counts also when it is nowhere yet."""
        names = self._members()
        survive = min(self.facts.settings.survive_nodes, len(names))
        return all(self._is_survived(frozenset(lost), coming) for lost in combinations(names, survive))

    def changed_of_late(self) -> bool:
        """Did anything change on which that depends, so that somebody may not have known it?"""
        facts = self.facts
        if facts.recent(max(facts.settings_changed_at_s, facts.resources_changed_at_s)):
            return True
        nodes = any(facts.recent(life.changed_at_s) for life in facts.lives.values())
        return nodes or any(facts.recent(kept.written_at_s) for kept in facts.groups.values())

    def _matters(self) -> bool:
        settings = self.facts.settings
        kept = settings.survive_nodes > 0 and settings.reserve is Reserve.REFUSE and not settings.hold
        return kept and self.facts.now() > 0

    def _members(self) -> list[str]:
        facts = self.facts
        return sorted(
            name
            for name, life in facts.lives.items()
            if life.session is not None and life.record is not None and name not in facts.silences
        )

    def _is_survived(self, lost: frozenset[str], coming: str) -> bool:
        left = [name for name in self._members() if name not in lost]
        free_mib = {name: self._has_mib(name) for name in left}
        fleeing = []
        for kept in self.facts.groups.values():
            group = kept.record
            places = self.room.places(group)
            for name in places:
                if name in free_mib:
                    free_mib[name] -= self.room.needs_mib(group)
            starts = group.wanted is Wanted.ONLINE and group.priority is not Priority.NO_AUTO_START
            if starts and (places[0] in lost if places else group.name == coming):
                fleeing.append(group)
        where = [(self.room.needs_mib(group), self.room.able(group, left, cut_off=True)) for group in fleeing]
        # What could go nowhere however much memory there was is no matter of room.
        return _fits([(mib, nodes) for mib, nodes in where if nodes and mib], free_mib)

    def _has_mib(self, node: str) -> float:
        session = self.facts.life(node).session
        return float(session.memory_mib) if session is not None and session.memory_mib else float("inf")


def _fits(things: list[tuple[int, list[str]]], free_mib: dict[str, float]) -> bool:
    """Can all be put somewhere at once? The largest and the choosiest first; every way is tried."""
    ordered = sorted(things, key=lambda one: (len(one[1]), -one[0]))
    steps = 0

    def put(number: int) -> bool:
        nonlocal steps
        steps += 1
        if number == len(ordered) or steps > _MOST_STEPS:
            return True
        mib, nodes = ordered[number]
        for name in sorted(nodes, key=lambda node: (-free_mib[node], node)):
            if free_mib[name] >= mib:
                free_mib[name] -= mib
                if put(number + 1):
                    return True
                free_mib[name] += mib
        return False

    return put(0)
