"""What does this node itself know of the groups that it owns? For people, while its reports reach nobody.

While all is well it says nothing: what stands in the database is what all nodes answer. When its session has ended, or
the database is away, its last reports are old, and what it has stopped since would be shown as it was.
"""

from collections.abc import Mapping

from outlast.core.group.group_state import combined
from outlast.core.membership.membership import Observer
from outlast.core.membership.membership import Session as OwnSession
from outlast.core.owner.resource import PUBLISHED, runs_nothing
from outlast.model.status import ResourceStatus, State
from outlast.ports.environment import Clock
from outlast.service.hosting.local import Local
from outlast.service.store import Store


class OwnWord:
    def __init__(
        self, store: Store, locals: Mapping[str, Local], session: OwnSession, observer: Observer, clock: Clock
    ) -> None:
        self._store = store
        self._locals = locals
        self._session = session
        self._observer = observer
        self._clock = clock

    def __call__(self) -> dict[str, ResourceStatus]:
        """By group. Empty while its reports count and arrive."""
        now = self._clock.now()
        if self._session.valid(now) and self._observer.reaches_database(now):
            return {}
        groups = (group for group in self._store.groups.values() if group.owner == self._store.me)
        return {
            group.name: combined({name: self._of(name, now) for name in group.resources})
            for group in groups
            if any(name in self._locals for name in group.resources)
        }

    def _of(self, name: str, now: float) -> ResourceStatus:
        local, me = self._locals.get(name), self._store.me
        if local is None:
            return ResourceStatus(State.UNKNOWN, f"{me} has not looked at it yet")
        state = PUBLISHED[local.state]
        ago = f"{now - local.since:.0f} s ago"
        if not local.must_stop:
            return ResourceStatus(state, local.why)
        if runs_nothing(local.state):
            return ResourceStatus(state, f"{me} stopped it {ago}: nothing may run there without a session")
        return ResourceStatus(state, local.why or f"{me} is to stop it, since {ago}: it has no session")
