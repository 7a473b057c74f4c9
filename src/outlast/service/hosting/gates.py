"""Which of this node's groups wait before they are started, for other groups or for an administrator's word?

Remembers what `core/owner/start_order.py` asks for, by this node's own clock: since when it has wanted to start a
group, and since when it has seen another one started. A group that was let through stays so until it is given away or
something else is wanted of it: what then fails in it is restarted at once.
"""

from collections.abc import Iterable

from outlast.core.owner.start_order import OPEN, Gate, gate, has_started, is_left_off
from outlast.model import keys
from outlast.model.group import Group
from outlast.model.policy import StartAfter, Until
from outlast.ports.environment import Clock
from outlast.service.store import Store

_Start = tuple[int, int]
"""The epoch and the count of intents: which start of a group it is."""


class Gates:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._passed: dict[str, _Start] = {}
        self._since_s: dict[str, tuple[_Start, float]] = {}
        self._started_s: dict[tuple[str, Until], float] = {}
        self._followers: dict[str, tuple[StartAfter, ...]] = {}
        """Groups that start after others, on whatever node."""
        self._followed: dict[str, set[Until]] | None = None
        """Those others, and what is waited for; None: to be made anew."""
        self._left_off: dict[str, _Start] = {}

    def begin(self, groups: Iterable[Group], *, continuing: bool) -> None:
        """A session has been opened. In a new life of the node, who does not start by itself is left off."""
        store, me = self._store, self._store.me
        for name in store.groups:
            self._note(name)
        for name in self._others():
            self._look_at(name)
        if continuing:
            return
        off = [group for group in groups if is_left_off(group, store.statuses.get(group.name), me)]
        self._left_off = {group.name: _start(group) for group in off}

    def follow(self, key: str) -> None:
        """The record or the report of a group is another one. Whoever starts after it may come here one day: then it
        counts since when it has been online, and not since when it was asked."""
        if key.startswith(keys.GROUPS):
            self._note(key.removeprefix(keys.GROUPS))
        name = key.removeprefix(keys.GROUPS).removeprefix(keys.STATUS)
        if name in self._others():
            self._look_at(name)

    def _note(self, name: str) -> None:
        group = self._store.groups.get(name)
        after = group.start_after if group is not None else ()
        if after != self._followers.get(name, ()):
            self._followers[name] = after
            self._followed = None
            if not after:
                del self._followers[name]

    def _others(self) -> dict[str, set[Until]]:
        if self._followed is None:
            self._followed = {}
            for after in self._followers.values():
                for one in after:
                    self._followed.setdefault(one.group, set()).add(one.until)
        return self._followed

    def _look_at(self, name: str) -> None:
        now = self._clock.now()
        for until in self._others()[name]:
            if name in self._store.groups:
                self._seen_s(StartAfter(name, until), now)

    def left_off(self, group: Group) -> str:
        """Why it is from now on wanted offline, which the records do not know yet; "" when it is not."""
        if self._left_off.get(group.name) != _start(group):
            return ""
        return f"{self._store.me} begins another life, and its priority is {group.priority.value}"

    def of(self, group: Group, *, runs: bool) -> Gate:
        """`runs`: something of it certainly does, so it has been let through."""
        left_off = self.left_off(group)
        if left_off:
            return Gate(f"not started: {left_off}")
        if not group.start_after or self._passed.get(group.name) == _start(group):
            return OPEN
        if runs:
            return self._let_through(group, OPEN)
        now = self._clock.now()
        start, since_s = self._since_s.get(group.name, (None, now))
        if start != _start(group):
            since_s = now
            self._since_s[group.name] = (_start(group), now)
        found = gate(group, self._store.groups, lambda one: self._seen_s(one, now), now - since_s)
        return found if found.shut else self._let_through(group, found)

    def waiting(self) -> list[str]:
        """Groups that may wait for others."""
        owned = (name for name in list(self._since_s) if self._is_mine(name))
        return list(owned)

    def _is_mine(self, name: str) -> bool:
        group = self._store.groups.get(name)
        mine = group is not None and group.owner == self._store.me
        if not mine:
            self._since_s.pop(name, None)
        return mine

    def _let_through(self, group: Group, found: Gate) -> Gate:
        self._passed[group.name] = _start(group)
        self._since_s.pop(group.name, None)
        return found

    def _seen_s(self, one: StartAfter, now: float) -> float | None:
        """The time counts from when this node saw it first, so it is never longer than the truth."""
        store, other = self._store, self._store.groups[one.group]
        session = store.sessions.get(other.owner) if other.owner not in store.silences else None
        key = (one.group, one.until)
        incarnation = session.incarnation if session is not None else ""
        if not has_started(other, store.statuses.get(one.group), incarnation, one.until):
            self._started_s.pop(key, None)
            return None
        return now - self._started_s.setdefault(key, now)


def _start(group: Group) -> _Start:
    return group.epoch, group.intents
