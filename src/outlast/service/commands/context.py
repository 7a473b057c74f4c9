"""What every command has at hand, and how it refuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from outlast.model import keys
from outlast.model.access import Account
from outlast.model.group import Group
from outlast.model.view import ClusterView
from outlast.ports.database import Committed, Compare, Refused, Uncertain, Write
from outlast.ports.environment import Clock
from outlast.ports.members import Members
from outlast.ports.pam import Pam
from outlast.ports.passwords import Passwords
from outlast.ports.peers import Peers
from outlast.service.access.openid import ByProvider
from outlast.service.backup import Backing
from outlast.service.coordinator import Coordinating
from outlast.service.deciding import Promised
from outlast.service.fence.devices import FenceDevices
from outlast.service.fence.fencing import Fencing
from outlast.service.hosting.hosts import HostKeeper
from outlast.service.hosting.surveys import Surveys
from outlast.service.joining.enrolment import Enrolment
from outlast.service.journal import Journal
from outlast.service.load import Loads
from outlast.service.measuring.database import MeasuredDatabase
from outlast.service.measuring.failovers import Failovers
from outlast.service.membership import Membership
from outlast.service.notices.telling import Telling
from outlast.service.observation import Observation
from outlast.service.quorum.voters import NO_VOTERS, Voters
from outlast.service.store import Store, put
from outlast.service.web_certificate import WebCertificates
from outlast.service.writing_once import transact_once

ATTEMPTS = 10

Make = Callable[[], tuple[list[Compare], list[Write]]]

Command = tuple[type, Callable[["Context", Any], Awaitable[Any]]]
"""The type of the arguments, and the function."""
Stream = tuple[type, Callable[["Context", Any], AsyncIterator[Any]]]


class CommandError(Exception):
    """`kind`: "usage" (wrong input), "impossible" (not now; the text says why), "failed"; from outside also "sign-in"
    (nobody knows who asks), "denied" (who asks may not), "changed" (it is not as who asks had seen it)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Missing(CommandError):
    """Wrong input: there is nothing of that name."""

    def __init__(self, message: str) -> None:
        super().__init__("usage", message)


class NotKnown(CommandError):
    """It may have been done, or may still be: what was written got no answer, and may be on its way."""

    def __init__(self, error: Uncertain) -> None:
        super().__init__(
            "impossible",
            f"the cluster database does not answer: {error}. What you asked for may have been written all the same, or "
            "may be in a moment: see what is there when the database answers again, before you ask once more",
        )


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and on what condition."""

    account: Account | None = None
    """None: whoever may open the control socket, which is root."""
    address: str = ""
    session: str = ""
    """The key of the session that it comes by; empty: by none."""
    as_seen: int = 0
    """Only if the record that it changes is still of this revision; 0: whatever it is."""


ON_THE_NODE = Asking()


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
    loads: Loads
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
    passwords: Passwords | None = None
    """None: nobody can sign in."""
    pam: Pam | None = None
    """None: users of this host cannot sign in."""
    by_provider: ByProvider | None = None
    """None: nobody signs in at a provider."""
    web_certificates: WebCertificates | None = None
    telling: Telling | None = None
    """None: this node cannot tell anybody anything."""
    measured: MeasuredDatabase | None = None
    """None: nobody measures how fast the database answers."""
    failovers: Failovers | None = None
    """None: nobody follows them."""
    asking: Asking = ON_THE_NODE
    key: str = ""
    """Of the record that is shown or changed, where it is one."""

    @property
    def by(self) -> str:
        """Who wants what is asked for here, for people."""
        account = self.asking.account
        return (
            f"an administrator on {self.store.me}" if account is None else f"{account.name} by way of {self.store.me}"
        )

    def view(self) -> ClusterView:
        return self.observation.view()

    def group(self, name: str) -> Group:
        """By its own name, or by the name of a resource in it."""
        found = self.store.groups.get(name)
        if found is None and name in self.store.resources:
            found = self.store.groups.get(self.store.resources[name].group)
        if found is None:
            raise Missing(f'there is no group "{name}"{similar(name, self.store.groups)}')
        return found

    def need_node(self, name: str) -> None:
        if name not in self.store.nodes:
            raise Missing(f'there is no node "{name}"{similar(name, self.store.nodes)}')

    async def write_against(self, node: str, make: Make) -> None:
        """As `write`, where it takes something from that node (rule 11)."""
        try:
            await self._write(
                make, lambda compares, writes: self.coordinating.deciding.transact(node, compares, writes)
            )
        except Promised as promised:
            raise CommandError("impossible", f"{promised}; try again then") from promised

    async def write(self, make: Make) -> None:
        """Commit what `make` returns, once; made anew when something changed meanwhile."""
        await self._write(make, lambda compares, writes: transact_once(self.store, self.clock, compares, writes))

    async def _write(self, make: Make, transact: Callable[..., Awaitable[Committed | Refused]]) -> None:
        for _ in range(ATTEMPTS):
            if self.asking.as_seen:
                self._need_as_seen()
            if not isinstance(await transact(*make()), Refused):
                return
        raise CommandError("impossible", "the cluster changes too quickly to write this down; try again")

    def _need_as_seen(self) -> None:
        """What is written compares the same revision: between this look and the write nothing comes."""
        if self.store.revision_of(self.key) != self.asking.as_seen:
            raise CommandError(
                "changed", "somebody has changed it since you looked: look again, then say what you want"
            )

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
