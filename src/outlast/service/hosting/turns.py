"""Which of this node's groups are to start, have begun or are done with it, for `core/owner/turns.py`?

Groups are expected as soon as their records say that they are to run here: whose plugin answers first, and whose
record is looked at first, is chance, and a less urgent one must not slip through for that. What was told online in this
life of the node is not expected to start, only because a host is being replaced or a service has just begun.
"""

import enum
from collections.abc import Callable, Mapping

from outlast.core.owner.duty import Duty, duty, may_begin
from outlast.core.owner.duty import Here as Standing
from outlast.core.owner.ordering import ALONE, Place
from outlast.core.owner.resource import S
from outlast.core.owner.start_order import Gate
from outlast.core.owner.turns import Turns, at_once
from outlast.model.group import Group, Wanted
from outlast.model.status import State
from outlast.ports.environment import Environment
from outlast.service.hosting.local import Local
from outlast.service.hosting.records import Records
from outlast.service.store import Store


class _Way(enum.Enum):
    """How far a group is on its way online."""

    DONE = 0
    """It is there, or does not come."""
    EXPECTED = 1
    COMES = 2
    """Something of it is being started, or waits for others of the group."""
    STARTS = 3
    """Something of it could be started now."""


class NodeTurns:
    def __init__(
        self,
        store: Store,
        env: Environment,
        records: Records,
        locals: Mapping[str, Local],
        tries_again: Callable[[Local, Group], bool],
        handed_to: Callable[[Local, Group], str],
    ) -> None:
        """`tries_again`: did it fail here, and is it to be tried here again now? `handed_to`: where it stands, and is
        about to run on, when this node has handed it over."""
        self.freed = False
        """Somebody is done for whom others may have waited; taken back by who looks at them."""
        self._turns = Turns()
        self._store = store
        self._env = env
        self._records = records
        self._locals = locals
        self._tries_again = tries_again
        self._handed_to = handed_to

    def begin(self) -> None:
        """A session has been opened."""
        self._turns.clear()
        for name in self._store.groups:
            self.note(name)

    def note(self, name: str) -> None:
        """The record of a group is another one."""
        group, store = self._store.groups.get(name), self._store
        if group is None or duty(group, store.me) is not Duty.RUN:
            self._done(name)
        elif not group.start_after and not group.maintenance and store.settings.armed and not self._is_up(group):
            self._turns.expect(name, group.priority.rank, self._env.clock.now())

    def of(self, group: Group, found: Mapping[str, Place], gate: Gate) -> tuple[str, float | None]:
        """What it waits for, for people, and when to ask again although nothing has changed. "": it may start now, or
        has nothing to start."""
        now, name, rank = self._env.clock.now(), group.name, group.priority.rank
        match self._way(group, found, gate):
            case _Way.DONE:
                self._done(name)
            case _Way.EXPECTED:
                self._turns.expect(name, rank, now)
            case _Way.STARTS:
                session = self._store.sessions.get(self._store.me)
                most = at_once(self._store.settings.parallel_starts, session.cpus if session is not None else 0)
                words = self._turns.ask(name, rank, now, most)
                return words, self._turns.again_at_s(now) if words else None
        return "", None

    def leaves(self, name: str) -> None:
        """It is not to run here."""
        self._done(name)

    def waiting(self) -> list[str]:
        """In the order in which they are to begin."""
        return self._turns.waiting()

    def waits(self, name: str) -> bool:
        return self._turns.waits(name)

    def _done(self, name: str) -> None:
        self.freed = self._turns.done(name) or self.freed

    def _way(self, group: Group, found: Mapping[str, Place], gate: Gate) -> _Way:
        ways = [self._way_of(name, group, found.get(name, ALONE), gate) for name in group.resources]
        return max(ways, key=lambda way: way.value, default=_Way.DONE)

    def _way_of(self, name: str, group: Group, place: Place, gate: Gate) -> _Way:
        local, resource = self._locals.get(name), self._store.resources.get(name)
        if resource is None or resource.wanted is Wanted.OFFLINE or place.barred:
            return _Way.DONE
        if local is None:
            return _Way.EXPECTED
        if local.must_stop or local.switched_off or self._records.left_alone(local):
            return _Way.DONE
        match local.state:
            case S.ONLINE_PENDING:
                return _Way.COMES
            case S.DETACHED | S.OPENING:
                return _Way.DONE if self._records.was_online(local) else _Way.EXPECTED
            case S.RECEIVED | S.TERMINATING:
                return _Way.EXPECTED  # it is about to run on from where it stands, or to be started when that is away
            case S.OFFLINE | S.FAILED | S.HANDED_OVER if self._may_begin(local, group) and not gate.shut:
                return _Way.COMES if place.waits else _Way.STARTS
            case _:
                return _Way.DONE

    def _may_begin(self, local: Local, group: Group) -> bool:
        here = Standing(local.state, local.failed_epoch, tries_again=self._tries_again(local, group))
        return may_begin(group, here) and not self._handed_to(local, group)

    def _is_up(self, group: Group) -> bool:
        """By this life's own word at the present epoch. Of a group of several a part may still be to start: it asks."""
        status = self._store.statuses.get(group.name)
        if status is None or (status.node, status.epoch) != (self._store.me, group.epoch):
            return False
        told = {one.state for one in status.resources.values()}
        return status.incarnation == self._env.incarnations.load() and State.ONLINE in told
