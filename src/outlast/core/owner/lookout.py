"""When is who asked again whether it sees the disks of a VM?

Its owner asks: it has the disks before it. What has no living owner the coordinator asks about. All members are asked
every ten minutes; one that has come since, or that nobody has asked yet, soon; all of them soon after a failure, for a
disk may be what it failed of; and every few seconds what is down and could start if a node that did not see its disks
sees them now.
"""

import zlib
from collections.abc import Mapping

import msgspec

from outlast.core.group.group_state import reported
from outlast.core.placement import placement
from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import Session
from outlast.model.status import State
from outlast.model.view import ClusterView

INTERVAL_S = 600.0
SOON_S = 30.0
"""What falls due at once is spread over so long: a node that joins is asked about everything there is."""
AGAIN_S = 15.0
"""For what is down because of what was answered."""

RUNS = (State.ONLINE, State.ONLINE_PENDING, State.OFFLINE_PENDING, State.UNKNOWN)


class Watched(msgspec.Struct, frozen=True):
    """What there is to know of one VM to say when it is asked about."""

    lives: frozenset[tuple[str, str]]
    """Members, each in its incarnation: another life may see other disks."""
    unasked: frozenset[str] = frozenset()
    """Members of whom nothing is known."""
    failures: frozenset[str] = frozenset()
    waits: bool = False
    """It is down, and a member that answered no might be able to run it now."""


class Asking(msgspec.Struct, frozen=True):
    resource: str
    nodes: frozenset[str]
    urgent: bool
    """It waits for the answer."""


def watched(view: ClusterView, type_name: str, *, coordinates: bool) -> dict[str, Watched]:
    """What this node is to ask about, of one resource type."""
    members = placement.members(view)
    if view.me not in members:
        return {}
    lives = frozenset((name, session.incarnation) for name, session in members.items())
    found = {}
    for name, resource in view.resources.items():
        group = view.groups.get(resource.group) if resource.type == type_name else None
        if group is not None and (group.owner == view.me or (coordinates and group.owner not in members)):
            found[name] = _watched(group, resource, members, lives, view)
    return found


def _watched(
    group: Group,
    resource: Resource,
    members: Mapping[str, Session],
    lives: frozenset[tuple[str, str]],
    view: ClusterView,
) -> Watched:
    known = set(resource.seen_by) | resource.blind_on.keys()
    blind = any(node in members and not seen.doubt for node, seen in resource.blind_on.items())
    return Watched(
        lives,
        frozenset(members.keys() - known),
        frozenset(failure.id for failure in group.failures),
        blind and group.wanted is Wanted.ONLINE and not _runs(group, members, view),
    )


def _runs(group: Group, members: Mapping[str, Session], view: ClusterView) -> bool:
    session = members.get(group.owner)
    status = reported(group, view.statuses.get(group.name), session.incarnation) if session is not None else None
    return session is not None and (status is None or status.state in RUNS)


class Lookout:
    """Which VMs are asked about now, and who is asked."""

    def __init__(self) -> None:
        self._watched: dict[str, Watched] = {}
        self._due_at: dict[str, float] = {}
        self._nodes: dict[str, frozenset[str]] = {}
        """Who is asked then, where it is not everybody."""

    def follow(self, present: Mapping[str, Watched], now: float) -> None:
        for name in self._watched.keys() - present.keys():
            del self._watched[name], self._due_at[name]
            self._nodes.pop(name, None)
        for name, after in present.items():
            before = self._watched.get(name)
            self._watched[name] = after
            if before is None:
                self._due_at[name] = now + _share(name) * INTERVAL_S
            self._hasten(name, before, after, now)

    def _hasten(self, name: str, before: Watched | None, after: Watched, now: float) -> None:
        known = before if before is not None else Watched(after.lives)
        fresh = frozenset(node for node, _ in after.lives - known.lives) | (after.unasked - known.unasked)
        if after.failures - known.failures:
            self._soon(name, now + _share(name) * SOON_S, None)
        elif after.waits:
            self._soon(name, now + AGAIN_S, None)
        elif fresh:
            self._soon(name, now + _share(name) * SOON_S, fresh)

    def _soon(self, name: str, at: float, nodes: frozenset[str] | None) -> None:
        """`nodes`: who is asked then; None: all."""
        soon = name in self._nodes or self._due_at[name] <= at
        if nodes is None:
            self._nodes.pop(name, None)
        elif name in self._nodes or not soon:
            self._nodes[name] = self._nodes.get(name, frozenset()) | nodes
        self._due_at[name] = min(self._due_at[name], at)

    def due(self, now: float) -> list[Asking]:
        """What is to be asked now; each is due again one interval later."""
        found = []
        for name in sorted(self._due_at):
            if self._due_at[name] <= now:
                watched = self._watched[name]
                everybody = frozenset(node for node, _ in watched.lives)
                found.append(Asking(name, self._nodes.pop(name, everybody) & everybody, watched.waits))
                self._due_at[name] = now + INTERVAL_S
        return found


def _share(name: str) -> float:
    """The same for the same name, and spread evenly over all."""
    return zlib.crc32(name.encode()) % 1000 / 1000
