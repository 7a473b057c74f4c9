"""How do the resources of a group hold each other up, on the node that owns it? From how each of them stands there.

Online in order, offline in reverse, in parallel where nothing is in the way. What runs and has lost what it needs goes
offline in order, and comes back after it. What nobody can tell (a resource host is being replaced, say) is as it was:
nothing is stopped because a daemon restarted (rule 7), and nothing is started because of it.

By force everything stops at once, in no order: when the permit ends, and when the group is not this node's.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from outlast.core.group.dependencies import may_start, may_stop, missing, names, satisfied
from outlast.core.owner.resource import S, runs_nothing
from outlast.model.group import Resource, Wanted

_MAY_BE_UP = (S.ONLINE, S.UNCERTAIN, S.DETACHED, S.OPENING, S.HANDING_OVER, S.CALLING_BACK)
_SURELY_THERE = (
    S.ONLINE,
    S.UNCERTAIN,
    S.ONLINE_PENDING,
    S.OFFLINE_PENDING,
    S.TERMINATING,
    S.FAILING,
    S.STUCK,
    S.SAVING,
)


class Stand(msgspec.Struct, frozen=True):
    """How one resource stands on its group's owner."""

    resource: Resource
    state: S
    lost: bool = False
    """It failed here, and is not going to be tried here again by itself."""
    maintained: bool = False
    """It is in maintenance: whatever becomes of it, nothing else is stopped because of that."""


class Place(msgspec.Struct, frozen=True):
    """What follows from the others of its group for one resource. All words are for people."""

    barred: str = ""
    """Why it is not to run, although its group is."""
    by_word: bool = False
    """It is barred because it is wanted offline itself."""
    waits: str = ""
    """What it waits for before it may run: "disk to be online"."""
    held: str = ""
    """Who still runs and needs it: it is stopped after that."""


ALONE = Place()


def places(stands: Sequence[Stand], *, stopping: bool = False) -> Mapping[str, Place]:
    """`stopping`: all of the group is to go offline."""
    if len(stands) == 1 and stands[0].resource.wanted is Wanted.ONLINE and not stands[0].resource.depends_on:
        return {stands[0].resource.name: ALONE}
    group = _Group(stands, stopping)
    return {one.resource.name: group.place(one) for one in stands}


class _Group:
    def __init__(self, stands: Sequence[Stand], stopping: bool) -> None:
        self._stands = {one.resource.name: one for one in stands}
        self._stopping = stopping
        self._resources = [one.resource for one in stands]
        self._coming = self._settled(lambda one: one.maintained or not one.lost)
        """Online, or going to be, if all goes well."""
        self._staying = self._settled(lambda one: one.maintained or (not one.lost and one.state in _MAY_BE_UP))
        """Up, as far as anybody can tell, and to stay so."""
        self._running = {one.resource.name for one in stands if not runs_nothing(one.state)}

    def _settled(self, is_fit: Callable[[Stand], bool]) -> set[str]:
        """Those that are fit, and need nothing but what is."""
        if self._stopping:
            return set()
        found: set[str] = set()
        left = [one for one in self._stands.values() if one.resource.wanted is Wanted.ONLINE and is_fit(one)]
        while more := [one for one in left if may_start(one.resource, found)]:
            found.update(one.resource.name for one in more)
            left = [one for one in left if one.resource.name not in found]
        return found

    def place(self, one: Stand) -> Place:
        held = self._held(one.resource)
        if self._stopping:
            return Place(held=held)
        if one.resource.wanted is Wanted.OFFLINE:
            return Place("it is wanted offline", by_word=True, held=held)
        if not may_start(one.resource, self._coming):
            return Place(self._why_barred(missing(one.resource.depends_on, self._coming)), held=held)
        return Place(waits=self._waits(one), held=held)

    def _held(self, resource: Resource) -> str:
        if may_stop(resource.name, self._resources, self._running, self._staying):
            return ""
        users = [one.name for one in self._resources if one.name in self._running and _needs(one, resource.name)]
        return f"{_listed(users)} {'needs' if len(users) == 1 else 'need'} it and may still run"

    def _waits(self, one: Stand) -> str:
        needed = one.resource.depends_on
        if one.state in _MAY_BE_UP:
            return "" if satisfied(needed, self._staying) else f"{missing(needed, self._staying)} to be online"
        online = {name for name in self._staying if self._stands[name].state is S.ONLINE}
        if not satisfied(needed, online):
            return f"{missing(needed, online)} to be online"
        # What runs and misses this one is first stopped: it is brought online after it.
        stopping = [other.name for other in self._resources if self._must_stop_first(other, one.resource.name)]
        return f"{_listed(stopping)} to be offline" if stopping else ""

    def _must_stop_first(self, other: Resource, needed: str) -> bool:
        stand = self._stands[other.name]
        return (
            stand.state in _SURELY_THERE
            and not stand.maintained
            and _needs(other, needed)
            and not may_start(other, self._staying)
        )

    def _why_barred(self, unmet: str) -> str:
        provider = self._stands.get(unmet)
        if provider is None:
            return f"it needs {unmet}"
        if provider.lost:
            return f"{unmet}, which it needs, failed"
        return f"{unmet}, which it needs, is {'wanted ' if provider.resource.wanted is Wanted.OFFLINE else ''}offline"


def _needs(resource: Resource, name: str) -> bool:
    return bool(resource.depends_on) and resource.name != name and name in names(resource.depends_on)


def _listed(found: Collection[str]) -> str:
    return " and ".join(found) if len(found) < 3 else f"{', '.join(list(found)[:-1])} and {list(found)[-1]}"
