"""What is known of a cluster to those who judge it from outside: its records as written, and what people saw.

Facts only, and questions about them: what follows from a fact that must not be is judged in `outlast.sim.checks`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from outlast.core.timing import Timing, timing
from outlast.model.group import Group, Wanted
from outlast.model.node import Silence
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, State


class Life(msgspec.Struct, frozen=True):
    """What of a session record matters here; the rest of it is not even read."""

    incarnation: str
    peers: tuple[str, ...] = ()
    watchdog_s: float = 0.0


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


@dataclass(slots=True)
class GroupFacts:
    """A group's record, and what else of its past matters."""

    record: Group
    owner_incarnation: str = ""
    """Of the owner's session when the group was given to it."""
    last_off_s: float = float("-inf")
    """When it was last wanted offline or elsewhere, or given away."""


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

    def unfinished(self) -> list[str]:
        """What is not as it is wanted, for people (invariant 8, when the bound has passed)."""
        found = []
        for vm, group in sorted(self.group_of.items()):
            kept = self.groups.get(group)
            if kept is None:
                continue
            record = kept.record
            where = sorted(self.copies.get(vm, {}))
            if record.wanted is Wanted.OFFLINE:
                if where:
                    found.append(f"{vm} is wanted offline and runs on {', '.join(where)}")
            elif not where and self.excuse(group) is None:
                found.append(f"{vm} is wanted online and does not run (owner {record.owner or 'nobody'})")
            elif where and where != [record.owner]:
                found.append(f"{vm} runs on {', '.join(where)} and its owner is {record.owner or 'nobody'}")
            elif where and not self.said_online(record):
                found.append(f"{vm} runs on {record.owner}, which does not report it online")
        return found

    def is_member(self, node: str) -> bool:
        return not self.session_problem(node)

    def excuse(self, group: str) -> str | None:
        """Why a group may stay down although it is wanted: its failovers are spent, and that can be seen."""
        record = self.groups[group].record
        status = self.statuses.get(group)
        limit = self.settings.failover_threshold if record.failover_threshold is None else record.failover_threshold
        limit = limit if limit >= 0 else max(1, len(self.lives) - 1)
        failed = status is not None and any(one.state is State.FAILED for one in status.resources.values())
        if failed and len(record.failures) >= limit:
            return f"{group} failed over {len(record.failures)} times, which is its limit"
        return None

    def said_online(self, group: Group) -> bool:
        status = self.statuses.get(group.name)
        return (
            status is not None
            and (status.node, status.epoch) == (group.owner, group.epoch)
            and all(one.state is State.ONLINE for one in status.resources.values())
        )

    def life(self, node: str) -> NodeFacts:
        life = self.lives.get(node)
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
