"""Does the cluster do no more than it has a reason for? Invariants 15 to 17.

15. Nothing is moved on purpose without a reason that stands in the records: its node gives all away, it belongs
    elsewhere and may return, balancing is wanted, it breaks a hard rule, a network of it is lost, or some of it
    failed; and none but as that reason has it (`checks_moves.py`). No more at once than is allowed, nothing that is
    locked, and nothing back and forth while nothing else changes.
16. What is in maintenance is neither healed nor moved away from a living owner; and while the cluster is not armed,
    nobody is declared silent, fenced or given anything, and nothing is started.
17. No more nodes are fenced within the period than the storm guard lets through.

What an administrator asks for himself is his own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from outlast.model.group import AWAY, Group, Resource, Stop
from outlast.model.policy import Balance, BalanceMode, Failback, RestartAction
from outlast.model.status import State
from outlast.sim.checks_moves import Moving
from outlast.sim.facts import NodeFacts
from outlast.sim.room import Room
from outlast.sim.seen import Seen

_BACK_AND_FORTH_S = 1800.0
_LEAST_FENCED = 6
_FENCING_S = 60.0
"""A fencing that was begun is not called back."""
_SLOW_DEVICE_S = 30.0
_HAND_S = 300.0
"""So late an administrator's word may still be carried out: a service may be frozen, or the database slow."""


@dataclass(frozen=True, slots=True)
class Moved:
    at_s: float
    source: str
    target: str


@dataclass(slots=True)
class Restraint:
    facts: Seen
    room: Room
    asked: dict[str, list[float]] = field(default_factory=dict)
    """Groups that somebody wanted moved (nodes: fenced) by hand, and when; "*": any of them."""
    moving: Moving = field(init=False)
    failed_at: dict[str, int] = field(default_factory=dict)
    """The epoch at which a failure of the group was counted last."""
    balanced: dict[str, list[Moved]] = field(default_factory=dict)
    fenced: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.moving = Moving(self.facts, self.room)

    @property
    def planned(self) -> dict[str, str]:
        """Groups that are on their way on purpose, and why."""
        return self.moving.planned

    def ask(self, group: str) -> None:
        self.asked.setdefault(group, []).append(self.facts.now())

    def refused(self, group: str, at_s: float) -> None:
        """It was refused what was asked for it then."""
        self.asked[group].remove(at_s)

    # --- 15: reasons for moves ------------------------------------------------------------------------------------

    def group_changed(self, old: Group, new: Group) -> Iterator[tuple[int, str]]:
        """What is wrong with this change of a group's record: the invariant, and words."""
        planned = self.planned.pop(new.name, "") if new.move_to != old.move_to else ""
        if len(new.failures) > len(old.failures):
            self.failed_at[new.name] = old.epoch
        if new.move_to not in ("", new.owner, old.move_to):
            yield from self._wished(old, new)
        if new.owner != old.owner:
            if planned not in ("balance", "rule"):
                self.facts.unrest()
            yield from self._given(old)
        if new.wanted is not old.wanted or len(new.failures) != len(old.failures):
            self.facts.unrest()

    def _wished(self, old: Group, group: Group) -> Iterator[tuple[int, str]]:
        facts, by_hand = self.facts, self.by_hand(group.name)
        if by_hand or facts.settings.hold:
            return
        what = f"{group.name} is to move from {group.owner} to {group.move_to}"
        why = self._reason(group, facts.life(group.owner))
        if not why:
            yield 15, f"{what} without any reason"
            return
        self.planned[group.name] = why
        rule, wrong = self.moving.wrong(old, group, why)
        if wrong:
            yield rule, f"{what} ({why}), and {wrong}"
        if not self._armed():
            yield 16, f"{what}, and the cluster is not armed"
        elif self._left_alone(group):
            yield 16, f"{what}, and it is in maintenance"
        if group.locked and why not in ("failure", "force", "volume") and not facts.recent(self._changed_at_s(group)):
            yield 15, f"{what} ({why}), and it is locked"
        if not self._is_down_and_lost_its_target(old):
            yield from self._too_many(group, why, what)
        if why in ("balance", "rule"):
            yield from self._back_and_forth(group, what)

    def by_hand(self, group: str) -> bool:
        return self._was_asked(group) or self._was_asked("*")

    def made_to_fail(self, resource: str) -> bool:
        return self._was_asked(f"fail {resource}")

    def _was_asked(self, what: str) -> bool:
        return any(self.facts.now() - at_s <= _HAND_S for at_s in self.asked.get(what, ()))

    def _reason(self, group: Group, owner: NodeFacts) -> str:
        """In one word; "" when the records have none."""
        record, session = owner.record, owner.session
        leaving = record is not None and session is not None and record.leaving == session.incarnation
        if record is not None and (leaving or (record.draining and record.force_drain)):
            return "force"
        if self._failed(group):
            return "failure"
        if record is not None and record.draining:
            return "drain"
        if group.move_to == AWAY:
            return ""
        if self.room.volumes_of(group) and self.room.lacks_volume(group, group.owner):
            return "volume"
        if self._is_spread(group):
            return "spread"
        if self.room.cut_off(group, group.owner):
            return "network"  # also where it would return to
        home = self.facts.life(group.move_to).record
        if self._returns(group, calls_back=home is not None and home.calls_back):
            return "failback"
        if self.room.broken(group, group.owner, hard=True):
            return "rule"
        if self.facts.recent(owner.changed_at_s):
            return "drain"  # it may have been resumed since; and nothing is balanced so short a while after a change
        may = group.balance is Balance.ALWAYS or (group.balance is Balance.LIVE and group.stop is Stop.LIVE)
        return "balance" if may and self.facts.settings.balance is not BalanceMode.OFF else ""

    def _is_spread(self, group: Group) -> bool:
        """It coordinates a volume, and its node has two of them more to coordinate than the other."""
        if group.name not in self.room.volumes_of(group):
            return False
        here, there = (self.room.coordinates(node, group.name) for node in (group.owner, group.move_to))
        return here >= there + 1

    def _returns(self, group: Group, *, calls_back: bool) -> bool:
        return group.return_to == group.move_to and (calls_back or group.failback is not Failback.NEVER)

    def _failed(self, group: Group) -> bool:
        """By its owner's word, and that is what counts as one of its failovers: none that is spent moves it."""
        if group.move_to == AWAY or self.failed_at.get(group.name) != group.epoch:
            return False
        resources = [self.facts.resources.get(name) for name in group.resources]
        return any(
            one is not None
            and one.restart_action is RestartAction.FAILOVER
            and self.facts.said(group, one.name, State.FAILED)
            for one in resources
        )

    def _too_many(self, group: Group, why: str, what: str) -> Iterator[tuple[int, str]]:
        most = max(1, self.facts.settings.parallel_moves)
        if why not in ("drain", "failback", "balance", "rule", "network") or group.move_to == AWAY:
            return
        records = [self._record(name, group) for name in self.planned]
        moving = [one for one in records if one is not None and one.move_to and self.planned[one.name] == why]
        gives = sorted(one.name for one in moving if one.owner == group.owner)
        takes = sorted(one.name for one in moving if one.move_to == group.move_to)
        if max(len(gives), len(takes)) > most and not self.facts.recent(self.facts.settings_changed_at_s):
            yield 15, f"{what} ({why}), and too many are moving at once: {gives} from there, {takes} to there"

    def _is_down_and_lost_its_target(self, old: Group) -> bool:
        """It was on its way and being taken down when the node where it was to go was lost: no limit keeps it down."""
        report = self.facts.statuses.get(old.name)
        if report is None or (report.node, report.epoch) != (old.owner, old.epoch):
            return False
        states = {one.state for one in report.resources.values()}
        down = State.ONLINE not in states or State.OFFLINE_PENDING in states
        return down and old.move_to not in ("", old.owner, AWAY) and bool(self.room.refuses(old, old.move_to))

    def _record(self, name: str, new: Group) -> Group | None:
        kept = self.facts.groups.get(name)
        return new if name == new.name else kept.record if kept is not None else None

    def _back_and_forth(self, group: Group, what: str) -> Iterator[tuple[int, str]]:
        now_s = self.facts.now()
        before = [one for one in self.balanced.get(group.name, ()) if one.at_s > self.facts.unrest_at_s]
        if any(one.source == group.move_to and now_s - one.at_s < _BACK_AND_FORTH_S for one in before):
            yield 15, f"{what}, from where it was moved for the same reason, and nothing has changed since"
        self.balanced[group.name] = [*before, Moved(now_s, group.owner, group.move_to)]

    # --- 16: left alone -------------------------------------------------------------------------------------------

    def _given(self, old: Group) -> Iterator[tuple[int, str]]:
        if self.facts.settings.hold or not old.owner:
            return
        if not self._armed() and not self.by_hand(old.name):
            yield 16, f"{old.name} was taken from {old.owner}, and the cluster is not armed"
        lives = self.facts.life(old.owner).session is not None and old.owner not in self.facts.silences
        followed = self.facts.said_gone(old)  # somebody has moved it there
        if lives and self._left_alone(old) and not old.move_to and not followed:
            yield 16, f"{old.name} was taken from {old.owner}, which lives, and it is in maintenance"

    def started(self, node: str, resource: Resource | None) -> str:
        """What is wrong with the cluster's starting it; "" when nothing is."""
        kept = self.facts.groups.get(resource.group) if resource is not None else None
        if resource is None or kept is None or self.facts.disturbed(node):
            return ""
        if not self._armed():
            return f"{resource.name} was started on {node}, and the cluster is not armed"
        recent = self.facts.recent(self.facts.resources_changed_at_s) or self.facts.recent(kept.record_at_s)
        if (resource.maintenance or kept.record.maintenance) and not recent:
            return f"{resource.name} was started on {node}, and it is in maintenance"
        return ""

    def silenced(self, node: str) -> str:
        return "" if self._armed() else f"{node} was declared silent, and the cluster is not armed"

    def _armed(self) -> bool:
        return self.facts.settings.armed or self.facts.recent(self.facts.settings_changed_at_s)

    def _left_alone(self, group: Group) -> bool:
        known = (self.facts.resources.get(name) for name in group.resources)
        maintained = group.maintenance or any(one is not None and one.maintenance for one in known)
        recent = self.facts.recent(self.facts.resources_changed_at_s) or self.facts.recent(self._changed_at_s(group))
        return bool(maintained) and not recent

    def _changed_at_s(self, group: Group) -> float:
        kept = self.facts.groups.get(group.name)
        return kept.record_at_s if kept is not None else self.facts.now()

    # --- 17: storms -----------------------------------------------------------------------------------------------

    def fences(self, node: str, *, nobody_writes: bool) -> tuple[int, str]:
        """The cluster has just switched it off: which invariant that breaks, and words; "" when none. `nobody_writes`:
        there has been no majority to write anything with for as long as a node may be silent."""
        facts, now_s = self.facts, self.facts.now()
        if self.by_hand(node) or node not in facts.silences:
            return 0, ""  # the last of two, which has no majority to write a silence with, minds no storm guard
        if nobody_writes and not self._fencing_is_written(node):
            return 0, ""  # nor does it when the silence was written before, while the other one still voted
        # The cluster counts from when it began, a device may take a while, and clocks differ.
        counted_s = facts.settings.fence_period_s * 0.99 - _SLOW_DEVICE_S
        self.fenced = [one for one in self.fenced if now_s - one[0] < counted_s]
        self.fenced.append((now_s, node))
        if facts.now() - facts.settings_changed_at_s <= _HAND_S:
            return 0, ""
        if not facts.settings.armed:
            return 16, f"{node} was fenced, and the cluster is not armed"
        most = facts.settings.most_fenced
        most = most if most >= 0 else max(_LEAST_FENCED, len(facts.lives) // 2)
        nodes = sorted({name for _, name in self.fenced})
        return (17, f"{', '.join(nodes)} were fenced, and {most} may be") if len(nodes) > most else (0, "")

    def _fencing_is_written(self, node: str) -> bool:
        """As it is of each that a coordinator begins, before any device is asked."""
        record, incarnation = self.facts.life(node).record, self.facts.silences[node].incarnation
        return record is not None and any(mark.id.endswith(incarnation) for mark in record.fenced)

    def released(self) -> None:
        """An administrator has the storm guard let go."""
        self.fenced.clear()
