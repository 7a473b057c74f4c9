"""Is each group given to a node that may take it, and to none when a better one was there? Invariant 14.

A group goes to no node that refuses it: no member, paused, drained, quarantined, without the plugin or the memory, or
where it would break a hard rule. A soft rule is broken only where no node that is as good otherwise would keep it. And
nobody is given a place, or is moved to one on purpose, while one of a higher priority that is nowhere, and could have
had it, waits; whoever had that one before, and whatever became of him.

Nor does anything start on a node whose memory does not hold it beside all that is meant to run there: judged at the
first start after each word about its group (what is restarted where it was had its room before).

A decision rests on the picture of a moment ago: what has just changed is held against nobody.
"""

from dataclasses import dataclass, field

from outlast.model.group import AWAY, Group, Wanted
from outlast.model.rule import RuleKind
from outlast.sim.facts import Facts
from outlast.sim.room import Room


@dataclass(slots=True)
class Placing:
    facts: Facts
    room: Room
    _judged: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """By what starts: where, and after which word about its group, it started last."""

    def started(self, node: str, name: str) -> str:
        """The cluster has started it there. What is wrong with that; "" when nothing is."""
        record = self.facts.groups[self.facts.group_of[name]].record
        word = (node, record.epoch, record.intents)
        before, self._judged[name] = self._judged.get(name), word
        if before == word or self.facts.settings.hold:
            return ""
        if self.room.changed_of_late(record, [node], knows_itself=True) or self._filled_by_hand(node, record):
            return ""
        problem = self.room.lacks_memory(record, node)
        return f"{name} was started on {node}, which has no room for it: {problem}" if problem else ""

    def _filled_by_hand(self, node: str, group: Group) -> bool:
        """Did somebody start something else there at the console, after it had got its room on that node? It has kept
        that since, whatever became of it meanwhile, and whoever had it tried again. Or was it that itself? Then it
        takes no more room there than that hand gave it."""
        itself = self.facts.groups[group.name]
        if itself.by_hand_on == node:
            return True
        others = (kept for kept in self.facts.groups.values() if kept.record.owner == node)
        return any(kept.by_hand_at_s > itself.changed_at_s for kept in others)

    def given(self, old: Group, new: Group) -> str:
        """What is wrong with giving it to its new owner; "" when nothing is."""
        node = new.owner
        if node in ("", old.owner) or self.facts.settings.hold or new.received_from:
            return (
                ""  # what was handed over stands there, and nowhere else: whatever has changed since is seen to later
            )
        if not self.room.changed_of_late(old, [node]):
            problem = self.room.refuses(old, node)
            if problem and not self._is_better_than_down(old, node):
                return f"{new.name} was given to {node}, which cannot take it: {problem}"
        if old.move_to == node:
            return ""
        return self._jumped_the_queue(old, new, node) or self._breaks_needlessly(old, new)

    def _is_better_than_down(self, group: Group, node: str) -> bool:
        """A network of it is lost there, as it is on all nodes that could take it."""
        if not self.room.is_only_cut_off(group, node):
            return False
        better = self.room.fit(group)
        return not better or self.room.changed_of_late(group, better)

    def wished(self, old: Group, new: Group) -> str:
        """What is wrong with moving it on purpose; "" when nothing is."""
        if new.move_to in ("", new.owner, old.move_to, AWAY) or self.facts.settings.hold:
            return ""
        return self._jumped_the_queue(old, new, new.move_to)

    def _breaks_needlessly(self, old: Group, new: Group) -> str:
        broken = self.room.broken(old, new.owner, hard=False)
        if not broken or self._goes_with_others(old):
            return ""
        failed_on = {failure.node for failure in new.failures}

        def tried(name: str) -> int:
            """Where it has just failed or died is the last place to try."""
            return 2 if name == old.owner else 1 if name in failed_on else 0

        order = {name: rank for rank, name in enumerate(old.preferred_owners)}
        for name in self.room.fit(old):
            as_good = tried(name) <= tried(new.owner)
            preferred = order.get(name, len(order)) <= order.get(new.owner, len(order))
            fewer = len(self.room.broken(old, name, hard=False)) < len(broken)
            if as_good and preferred and fewer and not self.room.changed_of_late(old, [name, new.owner]):
                return f"{new.name} was given to {new.owner}, where it breaks {', '.join(broken)}, and not to {name}"
        return ""

    def _goes_with_others(self, group: Group) -> bool:
        """By a hard rule, and they are given to somebody in the same moment: where suits them all."""
        for rule in self.facts.rules.values():
            if rule.hard and rule.kind is RuleKind.SAME and group.name in rule.groups:
                others = [self.facts.groups[name].record for name in rule.groups if name in self.facts.groups]
                if any(self._is_free(other) for other in others if other.name != group.name):
                    return True
        return False

    def _jumped_the_queue(self, old: Group, new: Group, node: str) -> str:
        facts = self.facts
        for kept in facts.groups.values():
            other = kept.record
            if other.priority.rank >= new.priority.rank or not self._is_free(other):
                continue
            known = other.owner == old.owner or not facts.lately(facts.life(other.owner).changed_at_s)
            if not known or facts.lately(max(kept.written_at_s, kept.record_at_s)):
                continue
            if node in self.room.fit(other) and not self.room.changed_of_late(other, [node]):
                return f"{new.name} ({new.priority.value}) got {node} before {other.name} ({other.priority.value})"
        return ""

    def _is_free(self, group: Group) -> bool:
        """It is wanted online, and nobody has it: its owner is proven dead, has left in order, or there was none. What
        had been migrated away past the cluster before waits for an administrator's word."""
        if group.wanted is Wanted.OFFLINE or group.move_to or not group.resources or self.facts.said_gone(group):
            return False
        silence = self.facts.silences.get(group.owner)
        return self.facts.life(group.owner).session is None if silence is None else silence.proof is not None
