"""What every command has at hand, and how it refuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from outlast.model import keys
from outlast.model.group import Group
from outlast.model.view import ClusterView
from outlast.ports.database import Committed, Compare, Refused, Write
from outlast.ports.environment import Clock
from outlast.ports.members import Members
from outlast.ports.peers import Peers
from outlast.service.backup import Backing
from outlast.service.coordinator import Coordinating
from outlast.service.deciding import Promised
from outlast.service.fence.devices import FenceDevices
from outlast.service.fence.fencing import Fencing
from outlast.service.hosting.hosts import HostKeeper
from outlast.service.hosting.surveys import Surveys
from outlast.service.joining.enrolment import Enrolment
from outlast.service.journal import Journal
from outlast.service.membership import Membership
from outlast.service.observation import Observation
from outlast.service.quorum.voters import NO_VOTERS, Voters
from outlast.service.store import Store, put

ATTEMPTS = 10

Make = Callable[[], tuple[list[Compare], list[Write]]]

Command = tuple[type, Callable[["Context", Any], Awaitable[Any]]]
"""The type of the arguments, and the function."""
Stream = tuple[type, Callable[["Context", Any], AsyncIterator[Any]]]


class CommandError(Exception):
    """`kind`: "usage" (wrong input), "impossible" (not now; the text says why), "failed"."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Context:
    store: Store
    observation: Observation
    coordinating: Coordinating
    membership: Membership
    hosts: HostKeeper
    surveys: Surveys
    journal: Journal
    clock: Clock
    enrolment: Enrolment | None = None
    """None: there is nothing that another machine could join."""
    members: Members | None = None
    fencing: Fencing | None = None
    fence_devices: FenceDevices | None = None
    voters: Voters = NO_VOTERS
    backing: Backing | None = None
    """None: this node has no place for backups."""
    peers: Peers | None = None
    """None: the services have no links of their own."""

    def view(self) -> ClusterView:
        return self.observation.view()

    def group(self, name: str) -> Group:
        """By its own name, or by the name of a resource in it."""
        found = self.store.groups.get(name)
        if found is None and name in self.store.resources:
            found = self.store.groups.get(self.store.resources[name].group)
        if found is None:
            raise CommandError("usage", f'there is no group "{name}"{similar(name, self.store.groups)}')
        return found

    def need_node(self, name: str) -> None:
        if name not in self.store.nodes:
            raise CommandError("usage", f'there is no node "{name}"{similar(name, self.store.nodes)}')

    async def write_against(self, node: str, make: Make) -> None:
        """As `write`, where it takes something from that node (rule 11)."""
        try:
            await self._write(
                make, lambda compares, writes: self.coordinating.deciding.transact(node, compares, writes)
            )
        except Promised as promised:
            raise CommandError("impossible", f"{promised}; try again then") from promised

    async def write(self, make: Make) -> None:
        """Commit what `make` returns; made anew when something changed meanwhile."""
        await self._write(make, self.store.transact)

    async def _write(self, make: Make, transact: Callable[..., Awaitable[Committed | Refused]]) -> None:
        for _ in range(ATTEMPTS):
            if not isinstance(await transact(*make()), Refused):
                return
        raise CommandError("impossible", "the cluster changes too quickly to write this down; try again")

    async def change_group(self, name: str, change: Callable[[Group], Group], words: str) -> Group:
        """Change a group's record, and say so in the event log."""

        def make() -> tuple[list[Compare], list[Write]]:
            record = change(self.group(name))
            event = self.journal.event("intent", words, group=record.name)
            return self.store.unchanged(keys.GROUPS + record.name), [put(keys.GROUPS + record.name, record), event]

        await self.write(make)
        return self.group(name)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


def similar(name: str, known: Any) -> str:
    """ "; did you mean ...?" or what there is, for people."""
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; there are: {', '.join(names[:10])}" if names else "; there are none yet"
