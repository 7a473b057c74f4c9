"""What runs on this node although its group is another one's: an old copy, what somebody started here by hand, or what
arrives from another node.

What a person has just brought or started here may become this node's (`core/coordinator/adopting.py`): it is made to
stand still, its group's record says that it appeared here, and in some seconds it is given to this node, or stopped.
All else is stopped at once; but what stands still may have been handed over by a record that is only on its way.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from outlast.core.coordinator.adopting import STAND_STILL, is_dead, is_heard, is_told, may_become
from outlast.core.owner.duty import Duty, duty
from outlast.core.owner.own_stop import is_of_the_past
from outlast.core.owner.resource import S, runs_nothing
from outlast.model.group import Appearance, Came, Group
from outlast.model.health import Condition, Health
from outlast.model.view import ClusterView
from outlast.ports.environment import Clock
from outlast.service.hosting.hosts import HostKeeper
from outlast.service.hosting.local import Local
from outlast.service.store import Store

NEW_HERE_S = 10.0
"""So long the record may take by which what stands still here belongs here; or two node time-outs, if longer."""
_HERE = (S.ONLINE, S.HOLDING, S.RECEIVED)
_LOOKS_S = 0.1
"""So soon it is looked again whether its owner was heard of."""
NOBODY_CAME = "its owner has not said in time that nothing of it runs there"


class Stray(msgspec.Struct, frozen=True):
    """How something stands that is no duty of this node."""

    new_here: bool = False
    adoptable: bool = False
    owner_heard: bool = False
    told_of: bool = False
    until_s: float | None = None
    """When to look again, by this node's clock."""


NONE = Stray()


class Strays:
    def __init__(
        self, store: Store, clock: Clock, hosts: HostKeeper, locals: Mapping[str, Local], incarnation: Callable[[], str]
    ) -> None:
        self.view: Callable[[], ClusterView] | None = None
        """What this node sees of the cluster; until it is set, nothing may become this node's."""
        self._store = store
        self._clock = clock
        self._hosts = hosts
        self._locals = locals
        self._incarnation = incarnation

    def seen(self, local: Local, group: Group | None, health: Health, *, left: bool) -> bool:
        """What a plugin said of it, before that counts. `left`: it went to another node as it ran. True when what is to
        be done with it may be another thing now."""
        if group is None or group.owner == self._store.me:
            return False
        before = (local.arrives, local.came)
        if left and not is_of_the_past(local.stop):  # should it become this node's all the same, it runs on elsewhere
            local.left_at, local.left_in = group.intents, self._incarnation()
        local.arrives = health.arrives
        if health.condition is Condition.ONLINE and health.brought:
            local.came = Came.BROUGHT
        elif health.condition is Condition.ONLINE and (local.just_started or runs_nothing(local.state)):
            local.came = Came.STARTED
        return (local.arrives, local.came) != before

    def look_at(self, local: Local, group: Group) -> Stray:
        what = duty(group, self._store.me)
        local.expected = (local.expected or what is Duty.RECEIVE) and group.owner != self._store.me
        if what is not Duty.LEAVE:
            local.stray_since, local.came, local.just_started = None, None, False
            return NONE
        mine = group.appeared
        told_of = mine is not None and (mine.node, mine.incarnation) == (self._store.me, self._incarnation())
        if local.state not in _HERE:
            return Stray(told_of=told_of)
        now = self._clock.now()
        if local.state is S.RECEIVED and local.arrives and not local.expected:
            return Stray(new_here=True, told_of=told_of, until_s=now + NEW_HERE_S)
        observer = self._store.observer
        if local.stray_since is None:
            local.stray_since, local.stray_epoch, local.heard_since = now, group.epoch, now
            local.owner_was_dead = self.view is not None and is_dead(group.owner, self.view())
            local.stray_owner_life = self._owner_life(group, told_of=told_of)
        if not observer.reaches_database(now):
            local.stray_since = now  # nobody could have said anything
            # What is seen first when it is back may have been written long ago.
            local.heard_since = now + observer.timing.renew_interval_s
        until_s = local.stray_since + max(NEW_HERE_S, 2 * observer.timing.node_timeout_s)
        if until_s <= now:
            local.refused = local.refused or NOBODY_CAME
            return Stray(told_of=told_of)
        local.refused = self._why_not(local, group)
        adoptable = not local.refused
        heard = adoptable and self._is_heard(local, group)
        if adoptable and not heard:
            until_s = min(until_s, now + _LOOKS_S)
        return Stray(local.came is None or local.expected, adoptable, heard, told_of, until_s)

    def _owner_life(self, group: Group, *, told_of: bool) -> str:
        """In which life its owner was when it came; a service before this one may have told."""
        if told_of and group.appeared is not None:
            return group.appeared.owner_life
        session = self._store.sessions.get(group.owner)
        return session.incarnation if session is not None else ""

    def _why_not(self, local: Local, group: Group) -> str:
        """Why it may not become this node's, for people; "" when it may."""
        if local.came is None or local.expected or self.view is None:
            return "it is another node's"
        offer = self._hosts.offers().get(local.resource.type)
        if offer is None or STAND_STILL not in offer.functions:
            return f"what is of the type {local.resource.type} is not taken over"
        if group.epoch != local.stray_epoch:
            return f"it was given to {group.owner or 'nobody'} meanwhile"
        return may_become(group, self._store.me, local.came, self.view(), owner_was_dead=local.owner_was_dead)

    def _is_heard(self, local: Local, group: Group) -> bool:
        if local.came is Came.BROUGHT or self.view is None:
            return True
        seen_at = self._store.observer.seen_at.get(group.owner, float("-inf"))
        return is_heard(group, self.view(), owner_seen_at=seen_at, since=local.heard_since)

    def records(self) -> Iterator[Group]:
        """Groups as their records are to be, where those do not say what appeared here, or say what is over."""
        for group in self._store.groups.values():
            if group.owner == self._store.me or len(group.resources) != 1:
                continue
            local = self._locals.get(group.resources[0])
            mine = group.appeared is not None and group.appeared.node == self._store.me
            if local is None and not mine:
                continue
            due = self._due(local, group) if local is not None else None
            if due is not None and due != group.appeared and (mine or not self._elsewhere(group, due)):
                yield msgspec.structs.replace(group, appeared=due)
            elif due is None and mine:
                yield msgspec.structs.replace(group, appeared=None)

    def _due(self, local: Local, group: Group) -> Appearance | None:
        here = local.here
        if local.came is None or here is None or duty(group, self._store.me) is not Duty.LEAVE:
            return None
        # Also what could not be held yet: with the promise of its owner it may run on.
        held = local.state in _HERE and here.owner_heard and not local.arrives
        # What came whole and has ended here since, runs nowhere any more: it is this node's all the same.
        ended = local.came is Came.BROUGHT and here.told_of and runs_nothing(local.state) and local.left_at < 0
        if not held and not (ended and self._in_time(local)):
            return None
        dead, life = local.owner_was_dead, local.stray_owner_life
        return Appearance(self._store.me, self._incarnation(), group.epoch, local.came, dead, life)

    def _in_time(self, local: Local) -> bool:
        since_s = local.stray_since
        return since_s is not None and self._clock.now() - since_s < NEW_HERE_S

    def _elsewhere(self, group: Group, due: Appearance) -> bool:
        """Another node tells so, and what is here is not newer than that."""
        return self.view is not None and is_told(group, due, self.view())

    def words(self, local: Local) -> str:
        """Why it is stopped, for people."""
        me, name = self._store.me, local.name
        if local.came is None or local.expected:
            return f"{name} ran on {me}, which does not own it, and is stopped there"
        how = "migrated to" if local.came is Came.BROUGHT else "started at the console of"
        by = " at a host's console" if local.came is Came.BROUGHT else ""
        why = f": {local.refused}" if local.refused else ""
        return f"{name} was {how} {me}{by}, which does not own it, and is stopped there{why}"
