"""How long did each phase of a failover take? From what a node sees in the database, by its own clock.

    last sign of life ──► silent ──► dead ──► given away ──► online ──► answers       a node is lost
                     detected   proven   decided      started     answered
    failed ──► given away ──► online ──► answers                                      a resource fails
          decided        started     answered

The events of a failover are written by several nodes, each with the time of its own wall clock, so their differences
are as wrong as those clocks. What they tell of also changes the records that every node watches: here counts when this
node sees them change.

`detected` and `proven` are told once for each lost node, the others for each group. *Whole* is the time from the last
sign of life (or the failure) until the group is online. A group that is moved on purpose, or placed for the first time,
is no failover.
"""

import enum
from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.coordinator.failing import failed
from outlast.core.group.group_state import combined
from outlast.model.group import Group, Wanted
from outlast.model.node import Silence
from outlast.model.status import GroupStatus, State

ANSWERS_WITHIN_S = 900.0
"""What says nothing for so long has nobody inside who would (a VM without a guest agent), or not because of this."""


class Cause(enum.Enum):
    NODE_LOST = "node lost"
    FAILED = "failed"


class Phase(enum.Enum):
    DETECTED = "detected"
    PROVEN = "proven"
    DECIDED = "decided"
    STARTED = "started"
    ANSWERED = "answered"
    WHOLE = "whole"


_OF_BOTH = (Phase.DECIDED, Phase.STARTED, Phase.ANSWERED, Phase.WHOLE)
PHASES = {Cause.NODE_LOST: (Phase.DETECTED, Phase.PROVEN, *_OF_BOTH), Cause.FAILED: _OF_BOTH}


class Took(msgspec.Struct, frozen=True):
    cause: Cause
    phase: Phase
    seconds: float


class _Loss(msgspec.Struct):
    incarnation: str
    groups: frozenset[str]
    """What it owned that was to be online."""
    last_sign_s: float
    silent_s: float
    proven_s: float | None = None


class _Way(msgspec.Struct):
    """Of a group, from its last owner to being online on another."""

    cause: Cause
    epoch: int
    began_s: float
    decided_s: float
    online_s: float | None = None


class Phases:
    """Fed with each record that changed, and the time. Times are seconds of one monotonic clock."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        """`groups`: as they are now; what became of them before is not known."""
        self._groups = dict(groups)
        self._losses: dict[str, _Loss] = {}
        self._failed: dict[str, tuple[int, float]] = {}
        """When a group was seen to have failed, and at which epoch."""
        self._ways: dict[str, _Way] = {}

    def silence(self, node: str, silence: Silence | None, last_sign_s: float, now: float) -> Iterable[Took]:
        """`last_sign_s`: when its last session record was seen."""
        if silence is None:
            self._losses.pop(node, None)
            return
        loss = self._losses.get(node)
        if loss is None or loss.incarnation != silence.incarnation:
            loss = self._losses[node] = _Loss(silence.incarnation, self._wanted_on(node), last_sign_s, now)
            yield Took(Cause.NODE_LOST, Phase.DETECTED, now - last_sign_s)
        if silence.proof is not None and loss.proven_s is None:
            loss.proven_s = now
            yield Took(Cause.NODE_LOST, Phase.PROVEN, now - loss.silent_s)

    def group(self, name: str, group: Group | None, now: float) -> Iterable[Took]:
        before = self._groups.pop(name, None)
        if group is None:
            self._failed.pop(name, None)
            self._ways.pop(name, None)
            return
        self._groups[name] = group
        if before is None or before.epoch == group.epoch:
            return
        cause, began_s, decidable_s = self._why_it_left(before, group)
        self._failed.pop(name, None)
        last = self._ways.pop(name, None)
        if cause is None:
            return
        if last is not None and last.online_s is None:
            began_s = last.began_s  # it was down all the while
        self._ways[name] = _Way(cause, group.epoch, began_s, now)
        yield Took(cause, Phase.DECIDED, now - decidable_s)

    def status(self, name: str, status: GroupStatus | None, now: float) -> Iterable[Took]:
        group = self._groups.get(name)
        if group is None or status is None or (status.epoch, status.node) != (group.epoch, group.owner):
            return
        if failed(group, status):
            self._failed.setdefault(name, (group.epoch, now))
        else:
            self._failed.pop(name, None)
        way = self._ways.get(name)
        if way is None or way.epoch != group.epoch:
            return
        if way.online_s is None and combined(status.resources).state in (State.ONLINE, State.PARTIAL):
            way.online_s = now
            yield Took(way.cause, Phase.STARTED, now - way.decided_s)
            yield Took(way.cause, Phase.WHOLE, now - way.began_s)
        if way.online_s is None:
            return
        if any(one.answers for one in status.resources.values()):
            del self._ways[name]
            if now - way.online_s <= ANSWERS_WITHIN_S:
                yield Took(way.cause, Phase.ANSWERED, now - way.online_s)

    def _why_it_left(self, before: Group, group: Group) -> tuple[Cause | None, float, float]:
        """None: it is no failover. Else also when it went down, and from when on it could be given away."""
        loss = self._losses.get(before.owner)
        if loss is not None and loss.proven_s is not None and group.owner and group.name in loss.groups:
            return Cause.NODE_LOST, loss.last_sign_s, loss.proven_s
        epoch, failed_s = self._failed.get(group.name, (-1, 0.0))
        counted = any(failure not in before.failures for failure in group.failures)
        if counted and epoch == before.epoch:
            return Cause.FAILED, failed_s, failed_s
        return None, 0.0, 0.0

    def _wanted_on(self, node: str) -> frozenset[str]:
        wanted = (group for group in self._groups.values() if group.wanted is Wanted.ONLINE)
        return frozenset(group.name for group in wanted if group.owner == node)
