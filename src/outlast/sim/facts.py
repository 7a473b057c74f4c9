"""What is known of a cluster to those who judge it from outside: its records as written, and what people saw.

Facts only, and questions about them: what follows from a fact that must not be is judged in `outlast.sim.checks`.
"""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec

from outlast.core.membership.timing import Timing, timing
from outlast.model.group import AWAY, Group, Resource, Wanted
from outlast.model.node import Node, Silence
from outlast.model.policy import RestartAction
from outlast.model.rule import Rule
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, State

RECENTLY_S = 10.0
"""What a node does may still rest on what the database said so long ago: it acts on an old picture for less."""
_RECENTLY_IN_CALM_S = 2.0
"""Likewise, where nothing has been broken for a while."""
_CALM_AFTER_S = 60.0


class Life(msgspec.Struct, frozen=True):
    """What of a session record matters here; the rest of it is not even read."""

    incarnation: str
    peers: tuple[str, ...] = ()
    watchdog_s: float = 0.0
    memory_mib: int = 0
    cpus: int = 0


@dataclass(slots=True)
class NodeFacts:
    """A node, as far as facts tell."""

    on: bool = False
    on_since_s: float = 0.0
    session: Life | None = None
    session_at_s: float = float("-inf")
    """When its record was written last; or from when it may count, because nobody could decide without it (rule 11)."""
    incarnation_since_s: float = 0.0
    """When the first record of the present incarnation was written."""
    disturbed_until_s: float = float("-inf")
    touched_at_s: float = float("-inf")
    """When somebody last did something to it, to its service or to its links."""
    permit_until_s: float = float("-inf")
    """Until when its run permit lasts, for those who can see it by their own clock."""
    silent_at_s: float = float("-inf")
    """When it was called silent last."""
    record: Node | None = None
    offered: bytes = b""
    """Its session's record, as it was written last: what it offers is read out of it when that matters."""
    networks_back_s: dict[str, float] = field(default_factory=dict)
    """Networks of guests that were lost there, and when they came back."""
    networks_lost_s: dict[str, list[float]] = field(default_factory=dict)
    """When each was lost."""
    changed_at_s: float = float("-inf")
    """When what it may be given changed last: it came or went, was paused, its plugins changed."""


@dataclass(slots=True)
class GroupFacts:
    """A group's record, and what else of its past matters."""

    record: Group
    owner_incarnation: str = ""
    """Of the owner's session when the group was given to it."""
    last_off_s: float = float("-inf")
    """When it was last wanted offline or elsewhere, or given away."""
    changed_at_s: float = float("-inf")
    """When its owner, or what is wanted of it, changed last."""
    written_at_s: float = float("-inf")
    """When anything of its record, or its owner's word about it, was written last."""
    record_at_s: float = float("-inf")
    """When an administrator changed last how it is to be treated."""
    given_at_s: float = float("-inf")
    """When it got its present epoch, or was last wanted online."""
    by_hand_at_s: float = float("-inf")
    """When somebody last started it at a console. An administrator's word that comes later does not undo that."""
    by_hand_on: str = ""
    """Where somebody started it at a console since it got its present epoch, told or not, and nobody has spoken while
    it did not run there: it has room there."""
    online_since_s: float | None = None
    """Since when its owner has said that all of it that is wanted is online; None: it does not."""
    online_until_s: float = float("-inf")
    """When its owner said so last."""

    def note(self, new: Group, now_s: float) -> None:
        """Its record becomes another one."""
        old = self.record
        if (new.owner, new.move_to, new.wanted) != (old.owner, old.move_to, old.wanted):
            self.changed_at_s = now_s
        if (new.epoch, new.intents) != (old.epoch, old.intents):
            self.given_at_s = now_s
        if new.epoch != old.epoch:
            self.by_hand_on = ""
        if new.intents != old.intents and new.wanted is Wanted.ONLINE and "console" in new.wanted_by:
            self.by_hand_at_s = now_s
        if (new.locked, new.maintenance, new.failback, new.balance) != (
            old.locked,
            old.maintenance,
            old.failback,
            old.balance,
        ):
            self.record_at_s = now_s


@dataclass(slots=True)
class Facts:
    now: Callable[[], float]
    settings: Settings = field(default_factory=Settings)
    held_at_s: float = 0.0  # since when nobody has confirmed who owns what
    groups: dict[str, GroupFacts] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)
    stops_within_s: dict[str, float] = field(default_factory=dict)
    """How long an orderly stop that was once begun may take, by VM."""
    statuses: dict[str, GroupStatus] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    lives: dict[str, NodeFacts] = field(default_factory=dict)
    copies: dict[str, dict[str, str]] = field(default_factory=dict)
    """VM, node, and who started it."""
    resources: dict[str, Resource] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    rules_changed_at_s: float = float("-inf")
    resources_changed_at_s: float = float("-inf")
    resource_changed_s: dict[str, float] = field(default_factory=dict)
    """When the record of each changed last."""
    resources_off_s: dict[str, float] = field(default_factory=dict)
    """When each was last wanted offline itself."""
    settings_changed_at_s: float = float("-inf")
    unrest_at_s: float = float("-inf")
    """When something last changed but by balancing."""
    coordinator: str = ""
    coordinator_since_s: float = float("-inf")
    hour_of: Callable[[str, float], int] = lambda node, ago_s: 0
    """Which hour of the day it was for that node so many seconds ago."""
    whole_since_s: float = float("-inf")
    """Since when nothing is broken of machines, links, daemons and the database; infinite: something may be."""
    let_go: set[str] = field(default_factory=set)
    """VMs that somebody has asked to let go as they are: they run on, and are nobody's."""
    distrusted: set[str] = field(default_factory=set)
    """Groups of which a plugin has lied: what the cluster concludes is not the cluster's fault."""
    misled: set[str] = field(default_factory=set)
    """Nodes of which administrators say what is not true: what follows is not the cluster's fault."""
    why_cut_off: Callable[[Group], str] = lambda group: ""
    """Why it should be on another node, which has a network that is lost where it is; "" when it need not."""
    why_nowhere: Callable[[Group], str] = lambda group: ""
    """Why no node can take the group, as seen from outside; "" when one can."""

    def unfinished(self) -> list[str]:
        """What is not as it is wanted, for people (invariant 8, when the bound has passed)."""
        found = []
        for vm, group in sorted(self.group_of.items()):
            kept = self.groups.get(group)
            if kept is None:
                continue
            record = kept.record
            where = sorted(self.copies.get(vm, {}))
            if record.wanted is Wanted.OFFLINE or vm not in self.meant_to_run(record):
                if where:
                    what = "is wanted offline" if record.wanted is Wanted.OFFLINE else "is not to run in its group"
                    found.append(f"{vm} {what} and runs on {', '.join(where)}")
            elif not where and self.excuse(group) is None:
                found.append(f"{vm} is wanted online and does not run (owner {record.owner or 'nobody'})")
            elif where and where != [record.owner]:
                found.append(f"{vm} runs on {', '.join(where)} and its owner is {record.owner or 'nobody'}")
            elif where and (cut_off := self.why_cut_off(record)):
                found.append(f"{vm} runs on {record.owner}, where {cut_off}")
            elif where and not self.said(record, vm, State.ONLINE):
                found.append(f"{vm} runs on {record.owner}, which does not report it online")
        return found

    def is_wanted(self, resource: str) -> bool:
        """Within its group, whatever is wanted of that."""
        known = self.resources.get(resource)
        return known is None or known.wanted is Wanted.ONLINE

    def meant_to_run(self, group: Group) -> set[str]:
        """Of a group that is wanted online: what is wanted online itself, has not failed for good here, and finds all
        that it needs among the others of which that is true."""
        known = [self.resources[name] for name in group.resources if name in self.resources]
        fit = {one.name for one in known if one.wanted is Wanted.ONLINE and not self._stays_failed(group, one)}
        while True:
            able = {one.name for one in known if one.name in fit and holds(one.depends_on, fit)}
            if able == fit:
                return able
            fit = able

    def _stays_failed(self, group: Group, resource: Resource) -> bool:
        """It failed, and nothing is done about that by itself."""
        if resource.restart_action is RestartAction.FAILOVER:
            return False  # its group goes elsewhere; whether it may is asked of `excuse`
        return self.said(group, resource.name, State.FAILED)

    def is_member(self, node: str) -> bool:
        return not self.session_problem(node)

    def excuse(self, group: str) -> str | None:
        """Why a group may stay down although it is wanted: its failovers are spent, its saved state is of no use any
        more (docs/saved-states.md), no node can take it, or one that starts before it is down. All can be seen."""
        record = self.groups[group].record
        status = self.statuses.get(group)
        limit = self.settings.failover_threshold if record.failover_threshold is None else record.failover_threshold
        limit = limit if limit >= 0 else max(1, len(self.lives) - 1)
        failed = status is not None and any(one.state is State.FAILED for one in status.resources.values())
        if failed and len(record.failures) >= limit:
            return f"{group} failed over {len(record.failures)} times, which is its limit"
        kept = (self.resources.get(name) for name in record.resources)
        if failed and any(one is not None and one.saved is not None for one in kept):
            return f"{group} cannot go on from its saved state, and waits for somebody to throw that away"
        for one in record.start_after:
            other = self.groups.get(one.group)
            if other is not None and other.online_since_s is None:
                return f"{group} waits for {one.group}, which is not online"
        nowhere = self.why_nowhere(record)
        return f"no node can take {group}: {nowhere}" if nowhere else None

    def said_online(self, group: Group) -> bool:
        """All of it that is meant to run, by its owner's word at the present epoch."""
        meant = self.meant_to_run(group)
        return bool(meant) and all(self.said(group, name, State.ONLINE) for name in meant)

    def said(self, group: Group, resource: str, state: State) -> bool:
        """Has its owner said that of it, at the present epoch?"""
        status = self.statuses.get(group.name)
        if status is None or (status.node, status.epoch) != (group.owner, group.epoch):
            return False
        one = status.resources.get(resource)
        return one is not None and one.state is state

    def recent(self, at_s: float) -> bool:
        """Was that so short a while ago that somebody may not know it yet? What is written together is known."""
        return 0 < self.now() - at_s <= RECENTLY_S

    def lately(self, at_s: float) -> bool:
        """As `recent`, but with a picture as new as it is where all is whole."""
        calm = self.now() - self.whole_since_s >= _CALM_AFTER_S
        return 0 < self.now() - at_s <= (_RECENTLY_IN_CALM_S if calm else RECENTLY_S)

    def off_of_late(self, name: str) -> bool:
        """Was it wanted offline a moment ago, or something that it needs, and so all that needs that?"""
        if self.now() - self.resources_off_s.get(name, float("-inf")) <= RECENTLY_S:
            return True
        needed = named(self.resources[name].depends_on) if name in self.resources else set()
        return any(self.off_of_late(one) for one in needed)

    def said_failed(self, group: Group) -> bool:
        """Its owner's word that it failed stands in the database: it may be given to another node at any moment."""
        status = self.statuses.get(group.name)
        reported = status is not None and (status.node, status.epoch) == (group.owner, group.epoch)
        return reported and status is not None and any(one.state is State.FAILED for one in status.resources.values())

    def said_gone(self, group: Group) -> bool:
        """Its owner's last word was that somebody migrated some of it away past the cluster."""
        status = self.statuses.get(group.name)
        reported = status is not None and (status.node, status.epoch) == (group.owner, group.epoch)
        return reported and status is not None and any(one.moved_away for one in status.resources.values())

    def life(self, node: str) -> NodeFacts:
        life = self.lives.get(node)
        if life is None and node in ("", AWAY):
            return NodeFacts()
        if life is None:
            life = self.lives[node] = NodeFacts()
        return life

    @property
    def times(self) -> Timing:
        return timing(self.settings.node_timeout_s)

    def disturbed(self, node: str) -> bool:
        return self.now() < self.life(node).disturbed_until_s

    def session_problem(self, node: str) -> str:
        life = self.life(node)
        if life.session is None:
            return "which has no session"
        silence = self.silences.get(node)
        if silence is not None and silence.incarnation == life.session.incarnation:
            return "which is declared silent"
        age_s = self.now() - life.session_at_s
        if age_s > self.times.node_timeout_s:
            return f"whose session was renewed {age_s:.1f} s ago"
        return ""


@functools.lru_cache(maxsize=1024)
def _program(expression: str) -> tuple[object, ...]:
    """An expression of needs, compiled to nested tuples: ("and" | "or", parts...), or (name,)."""
    words = expression.replace("(", " ( ").replace(")", " ) ").split()

    def any_of() -> tuple[object, ...]:
        parts = [all_of()]
        while words and words[0] == "or":
            words.pop(0)
            parts.append(all_of())
        return ("or", *parts)

    def all_of() -> tuple[object, ...]:
        parts = [one()]
        while words and words[0] == "and":
            words.pop(0)
            parts.append(one())
        return ("and", *parts)

    def one() -> tuple[object, ...]:
        word = words.pop(0)
        if word != "(":
            return (word,)
        inner = any_of()
        words.pop(0)
        return inner

    return any_of() if words else ("and",)


def named(expression: str) -> set[str]:
    """Who is needed, in whatever way."""
    return {word for word in expression.replace("(", " ").replace(")", " ").split() if word not in ("and", "or")}


def holds(expression: str, up: Collection[str]) -> bool:
    """Are needs met by what is up? Read here once more, and not with the cluster's own eyes (names without blanks)."""

    def met(node: Any) -> bool:
        if len(node) == 1 and node[0] not in ("and", "or"):
            return node[0] in up
        return all(map(met, node[1:])) if node[0] == "and" else any(map(met, node[1:]))

    return met(_program(expression))
