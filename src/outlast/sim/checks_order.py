"""Is the order kept, in which things may start and stop? Invariant 13.

Inside a group nothing is started before what it needs is up on the same node, and nothing is stopped in order while
something that needs it still runs there; by force everything may stop at once. Between groups nothing of one that
starts after others is started before they are online, or its limit has passed.

A node acts on what it knows: what ended by itself a moment ago still counts as up; and of what began before somebody
laid hands on the node it cannot tell whether its start was over. Nor can a resource host that takes over from another.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from outlast.model.group import Group, Resource, Wanted
from outlast.sim.facts import RECENTLY_S, Facts, GroupFacts, holds, named

_TIMES = 0.99
"""A node's clock may differ by less."""


@dataclass(slots=True)
class Run:
    """One thing on one node, from its start on."""

    since_s: float
    serves: bool = False
    asked_off: bool = False
    taken_over: bool = False
    """Its resource host ended, and the next one found it running: whether its start was over it cannot tell."""
    rightly: bool = False
    """Something called for it that it was asked off: an orderly stop that was begun is not called back."""
    ended_s: float | None = None


@dataclass(slots=True)
class Order:
    facts: Facts
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    """By resource and node."""
    begun: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Group, and which start of it has begun: its epoch and its count of intents."""

    def started(self, node: str, name: str, *, by_cluster: bool) -> str:
        """What is wrong with that start; "" when nothing is."""
        before = self.runs.get((name, node))
        ended_s = float("-inf") if before is None or before.ended_s is None else before.ended_s
        self.runs[name, node] = Run(self.facts.now())
        resource = self.facts.resources.get(name)
        kept = self.facts.groups.get(resource.group) if resource is not None else None
        if resource is None or kept is None:
            return ""
        group = kept.record
        start = group.epoch, group.intents
        others = any(self.facts.copies.get(other, {}).get(node) for other in group.resources if other != name)
        # Something of it ran when it was wanted, and it was let through by that: it need not run any more.
        others = others or ended_s >= kept.given_at_s or any(self._ran(other, node, kept) for other in group.resources)
        first, self.begun[group.name] = self.begun.get(group.name) != start and not others, start
        if not by_cluster or self._is_excused(node, group):
            return ""
        if not holds(resource.depends_on, self._up(group, node)):
            return f"{name} was started on {node}, and it needs {resource.depends_on}"
        return self._too_early(group, kept.given_at_s) if first else ""

    def _ran(self, name: str, node: str, kept: GroupFacts) -> bool:
        run = self.runs.get((name, node))
        return run is not None and run.ended_s is not None and run.ended_s >= kept.given_at_s

    def serves(self, node: str, name: str) -> None:
        run = self.runs.get((name, node))
        if run is not None:
            run.serves = True

    def has_served(self, node: str, name: str) -> bool:
        """Is its start over?"""
        run = self.runs.get((name, node))
        return run is not None and run.serves

    def asked_off(self, node: str, name: str) -> str:
        """What is wrong with beginning to stop it in order; "" when nothing is."""
        run = self.runs.get((name, node))
        if run is not None:
            run.asked_off = True
        resource = self.facts.resources.get(name)
        kept = self.facts.groups.get(resource.group) if resource is not None else None
        if kept is None or kept.record.owner != node or self._is_excused(node, kept.record):
            return ""
        up = self._up(kept.record, node) - {name}
        for other in self._resources(kept.record):
            runs = self.facts.copies.get(other.name, {}).get(node) == "the cluster"
            if name not in named(other.depends_on):
                continue  # it misses something else
            if runs and not self._maintained(other) and not holds(other.depends_on, up):
                had = self.runs[other.name, node]
                if holds(other.depends_on, up | {name}) or had.asked_off:
                    return f"{name} was asked to stop on {node} while {other.name}, which needs it, ran there"
        return ""

    def asked_off_rightly(self, node: str, name: str) -> None:
        """Something called for the orderly stop that has begun."""
        run = self.runs.get((name, node))
        if run is not None:
            run.rightly = True

    def was_asked_off_rightly(self, node: str, name: str) -> bool:
        run = self.runs.get((name, node))
        return run is not None and run.rightly

    def is_asked_off(self, node: str, name: str) -> bool:
        """Has its orderly stop begun?"""
        run = self.runs.get((name, node))
        return run is not None and run.asked_off

    def host_ended(self, node: str, names: Collection[str]) -> None:
        """A resource host that had these open."""
        for run in [run for name in names if (run := self.runs.get((name, node))) is not None]:
            run.taken_over = True

    def ended(self, node: str, name: str) -> None:
        run = self.runs.get((name, node))
        if run is not None:
            run.ended_s = self.facts.now()

    def came_and_ended(self, name: str, source: str, node: str) -> bool:
        """It came to that node as it ran, and has ended there since: so it is nowhere, and that node's all the same."""
        went, came = self.runs.get((name, source)), self.runs.get((name, node))
        if went is None or came is None or went.ended_s is None or came.ended_s is None:
            return False
        return came.ended_s >= went.ended_s and not self.facts.copies.get(name)

    def lost_what_it_needs(self, node: str, name: str, made_to_fail: Callable[[str], bool]) -> bool:
        """Is it right to stop it, because what it needs is not up, or is to go?"""
        resource = self.facts.resources.get(name)
        kept = self.facts.groups.get(resource.group) if resource is not None else None
        if resource is None or kept is None or not resource.depends_on:
            return False
        meant = self.facts.meant_to_run(kept.record)
        if name not in meant:
            return True
        fit = {one for one in meant if not made_to_fail(one)}
        return not holds(resource.depends_on, self._surely_up(fit, node))

    def _surely_up(self, names: set[str], node: str) -> set[str]:
        """Those that are steady, and need nothing but what is: what misses something is to go as well."""
        found = {one for one in names if self._is_steady(one, node)}
        while more := {one for one in found if not holds(self.facts.resources[one].depends_on, found)}:
            found -= more
        return found

    def _is_steady(self, name: str, node: str) -> bool:
        """It is up, and has been for a while."""
        run = self.runs.get((name, node))
        runs = node in self.facts.copies.get(name, {})
        return runs and run is not None and not run.asked_off and self.facts.now() - run.since_s > 3 * RECENTLY_S

    def _up(self, group: Group, node: str) -> set[str]:
        return {one.name for one in self._resources(group) if self._may_count_as_up(one, node)}

    def _may_count_as_up(self, resource: Resource, node: str) -> bool:
        run = self.runs.get((resource.name, node))
        if run is None:
            return False
        if self._maintained(resource):
            return True
        if run.asked_off:
            return False
        if run.ended_s is not None:  # by itself, or by force beside a start that was under way
            return self.facts.now() - run.ended_s <= RECENTLY_S
        return run.serves or run.taken_over or self.facts.life(node).touched_at_s >= run.since_s

    def _resources(self, group: Group) -> list[Resource]:
        return [self.facts.resources[name] for name in group.resources if name in self.facts.resources]

    def _maintained(self, resource: Resource) -> bool:
        return bool(resource.maintenance or self.facts.groups[resource.group].record.maintenance)

    def _is_excused(self, node: str, group: Group) -> bool:
        facts = self.facts
        return facts.disturbed(node) or facts.recent(facts.life(node).touched_at_s) or group.name in facts.distrusted

    def _too_early(self, group: Group, given_at_s: float) -> str:
        facts = self.facts
        if group.wanted is Wanted.OFFLINE:
            return ""  # by now: that start is due to an earlier word, from which its limit counts
        if facts.now() - given_at_s >= group.start_limit_s * _TIMES - 1.0:
            return ""
        for one in group.start_after:
            other = facts.groups.get(one.group)
            if other is None:
                continue
            since_s = other.online_since_s
            if since_s is None and facts.now() - other.online_until_s > RECENTLY_S:
                return f"{group.name} was started before {one.group} was online"
            first = other.online_until_s == float("-inf")
            if since_s is not None and first and facts.now() - since_s < one.delay_s * _TIMES:
                return f"{group.name} was started before {one.group} had been online for {one.delay_s:g} s"
        return ""
