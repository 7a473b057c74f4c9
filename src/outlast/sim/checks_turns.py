"""Do the urgent ones start first on a node, and no more at once than are allowed? Part of invariant 13.

Of what a node was called to start in the same moment, or in its order: by a commit that gave it groups, by its own new
session, or by a word about a group. Nothing less urgent starts while something more urgent has not even begun; for so
long, at least, as that may be waited for. Who has begun and hangs, or serves late, is not judged here: how long a start
takes is the guest's affair.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from outlast.core.owner.turns import PATIENCE_S
from outlast.model.group import Group, Wanted
from outlast.model.status import State
from outlast.sim.facts import Facts, GroupFacts

_OVER = (State.ONLINE, State.FAILED, State.PARTIAL)


@dataclass(slots=True)
class Turns:
    facts: Facts
    hindered: Callable[[str], bool] = lambda node: False
    """Is something so broken on that node that what is urgent may be unable to begin, for as long as that lasts?"""
    _begun: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """By group: where, and after which word about it, something of it was started last."""
    _starting: dict[str, dict[str, float]] = field(default_factory=dict)
    """By node: what was started there and does not serve yet, and since when."""

    def started(self, node: str, name: str, *, by_cluster: bool) -> str:
        """What is wrong with that; "" when nothing is."""
        kept = self.facts.groups.get(self.facts.group_of.get(name, ""))
        if kept is None or not by_cluster:
            return ""
        self._starting.setdefault(node, {})[name] = self.facts.now()
        problem = "" if self._disturbed(node) else self._before_others(node, kept) or self._too_many(node, kept.record)
        self._begun[kept.record.name] = _word(node, kept.record)
        return f"{name} was started on {node} {problem}" if problem else ""

    def tried(self, node: str, name: str) -> None:
        """It could not be started: whoever waited for it to begin may go on."""
        kept = self.facts.groups.get(self.facts.group_of.get(name, ""))
        if kept is not None:
            self._begun[kept.record.name] = _word(node, kept.record)

    def serves(self, node: str, name: str) -> None:
        self._starting.get(node, {}).pop(name, None)

    def ended(self, node: str, name: str) -> None:
        """With it the start of its group is over, as its owner knows before anybody has read that it failed."""
        group = self.facts.group_of.get(name)
        starting = self._starting.get(node, {})
        for other in [one for one in starting if self.facts.group_of.get(one) == group]:
            del starting[other]

    def _before_others(self, node: str, kept: GroupFacts) -> str:
        if self._begun.get(kept.record.name) == _word(node, kept.record):
            return ""  # it goes on with what it has begun, or what failed is restarted
        called_s = self._called_at_s(node, kept)
        for other in self.facts.groups.values():
            record = other.record
            if record.owner != node or record.priority.rank >= kept.record.priority.rank or not self._comes(record):
                continue
            at_s = self._called_at_s(node, other)
            if (
                at_s <= called_s
                and self.facts.now() - at_s < self._patience_s(record)
                and not self._has_begun(node, record)
                and other.online_until_s < at_s  # it was online then or since, and what failed is restarted
            ):
                word = f"({kept.record.priority.value}) before {record.name} ({record.priority.value})"
                return f"{word}, which it was to start as well"
        return ""

    def _too_many(self, node: str, record: Group) -> str:
        most = self.facts.settings.parallel_starts
        if not most or self.facts.recent(self.facts.settings_changed_at_s):
            return ""
        since_s = self.facts.now() - PATIENCE_S
        others = {
            group
            for name, at_s in self._starting[node].items()
            if at_s > since_s and (group := self.facts.group_of.get(name, "")) not in ("", record.name)
            if self._is_to_run(node, group, at_s)
        }
        return f"beside {len(others)} others, and parallel_starts is {most}" if len(others) >= most else ""

    def _is_to_run(self, node: str, name: str, started_at_s: float) -> bool:
        """What is to leave while it starts keeps nobody from starting, nor what failed and is given its node anew."""
        kept = self.facts.groups.get(name)
        if kept is None or kept.record.owner != node or started_at_s < kept.given_at_s or kept.record.maintenance:
            return False
        if kept.online_since_s is not None:
            return False  # so its owner says; nobody saw it serve when the host that started it was killed meanwhile
        return kept.record.wanted is Wanted.ONLINE and kept.record.move_to in ("", node)

    def _comes(self, group: Group) -> bool:
        """It is to be started by its owner, and nothing else comes first for it."""
        resources = [self.facts.resources[name] for name in group.resources if name in self.facts.resources]
        held = bool(group.start_after or group.maintenance or any(one.maintenance for one in resources))
        wanted = group.wanted is Wanted.ONLINE and group.move_to in ("", group.owner)
        return wanted and not held and self.facts.settings.armed and bool(self.facts.meant_to_run(group))

    def _patience_s(self, group: Group) -> float:
        """A start that hangs has failed before anybody's patience ends, when its own time-out is shorter."""
        known = (self.facts.resources.get(name) for name in group.resources)
        return min(PATIENCE_S, *(one.online_timeout_s for one in known if one is not None))

    def _has_begun(self, node: str, group: Group) -> bool:
        said = any(self.facts.said(group, name, state) for name in group.resources for state in _OVER)
        runs = any(node in self.facts.copies.get(name, {}) for name in group.resources)
        return said or runs or self._begun.get(group.name) == _word(node, group)

    def _called_at_s(self, node: str, kept: GroupFacts) -> float:
        return max(kept.given_at_s, self.facts.life(node).incarnation_since_s)

    def _disturbed(self, node: str) -> bool:
        life = self.facts.life(node)
        recently = self.facts.recent(life.touched_at_s) or self.facts.recent(self.facts.resources_changed_at_s)
        return recently or self.facts.disturbed(node) or self.hindered(node) or bool(self.facts.settings.hold)


def _word(node: str, group: Group) -> tuple[str, int, int]:
    return node, group.epoch, group.intents
