"""Which member does a node's client speak with, and what becomes of a call when that member is gone?

A connection to members as the real client holds it: it stays with the member that answered last. A member whose
process is not there refuses at once, and the next one is tried. From one that is silent, stands still, is cut off or
has no majority no answer comes: a read is asked of another one after a moment, the next write goes to another one. A
request that reached a member which stands still is done when that goes on.
"""

from collections.abc import Callable
from contextvars import Context
from typing import TypeVar

from outlast.ports.database import Unwritable
from outlast.sim.consensus import Consensus
from outlast.sim.database import SimConnection, SimDatabase
from outlast.sim.flights import NotServed, Outage, Way
from outlast.sim.forks import Member
from outlast.sim.links import Links, Plane
from outlast.sim.loop import SimLoop
from outlast.sim.process import OUTSIDE
from outlast.sim.store import SimStore

T = TypeVar("T")

_NOTICED_S = 1.5
"""A watch that hears nothing of its member looks for another one after so long."""


class Endpoints:
    """The members, as clients reach them."""

    def __init__(self, loop: SimLoop, links: Links, database: SimDatabase, consensus: Consensus) -> None:
        self.loop = loop
        self.links = links
        self.database = database
        self.consensus = consensus
        consensus.on_change.append(self._changed)

    def connect(self, node: str) -> "MemberConnection":
        return MemberConnection(self, node)

    def in_touch(self, node: str, member: Member) -> bool:
        return self.links.connects(node, member.host, Plane.DATABASE)

    def serves(self, node: str, member: Member) -> bool:
        return self.in_touch(node, member) and self.consensus.leader_of(member) is not None

    def _changed(self) -> None:
        for connection in self.database.watched:
            if isinstance(connection, MemberConnection):
                connection.look_again()


class MemberConnection(SimConnection):
    def __init__(self, endpoints: Endpoints, node: str) -> None:
        super().__init__(endpoints.database, node)
        self._ends = endpoints
        members = endpoints.consensus.members
        self._members = sorted(members.values(), key=lambda member: member.host != node)
        """Its own first."""
        self.member = self._members[0]
        self._store = endpoints.database.store
        self._heard_of: tuple[object, ...] = ()
        self._looking = False

    hedge_s = 0.5

    @property
    def loop(self) -> SimLoop:
        """Links and machines change also while nothing is played."""
        return self._ends.loop

    @property
    def store(self) -> SimStore:
        return self._store

    @property
    def hears(self) -> bool:
        return super().hears and self.member.up and self._ends.in_touch(self.node, self.member)

    def way(self) -> Way:
        for _ in self._members:
            if not self._refuses(self.member):
                return MemberWay(self, self.member, self._ends)
            self._go_to_next()
        return MemberWay(self, None, self._ends)

    def give_up(self, member: Member | None) -> None:
        """No answer came from it."""
        if member is self.member:
            self._go_to_next()

    def look_for_store(self) -> None:
        if self.member.fork is not None and self._ends.consensus.leader_of(self.member) is not None:
            self._follow(self.member.fork.store)  # without a leader it tells nothing, whatever its data are

    def look_again(self) -> None:
        """What it hears of may be otherwise now."""
        self.look_for_store()
        heard_of = (self.hears, self.member, self._store)
        if heard_of != self._heard_of:
            self._heard_of = heard_of
            self.ask_for_news()
        if not self._ends.serves(self.node, self.member) and not self._looking:
            self._looking = True
            self._ends.loop.call_later(_NOTICED_S, self._look_for_another, context=OUTSIDE)

    def _look_for_another(self) -> None:
        self._looking = False
        if self in self._ends.database.watched and not self._ends.serves(self.node, self.member):
            self._go_to_next()

    def _go_to_next(self) -> None:
        """The next one that serves, as its probes tell; else just the next one. Who was removed is forgotten."""
        place = self._members.index(self.member)
        belong = {seat.host for seat in self.member.seats}
        others = [*self._members[place + 1 :], *self._members[:place]]
        others = [member for member in others if not belong or member.host in belong]
        serving = [member for member in others if self._ends.serves(self.node, member)]
        self.member = (serving or others or [self.member])[0]
        self.look_again()

    def _follow(self, store: SimStore) -> None:
        if store is self._store:
            return
        before, self._store = self._store, store
        shared = store.revision if store.began_at is None else min(store.revision, store.began_at)
        self._heard = min(self._heard, store.revision)
        for watch in self._watches:
            # Beyond what was followed before: that was read here, through this very member.
            if shared < watch.position <= before.revision:
                watch.is_another = True  # what it has seen is not what happened: it must read again
                watch.wake()

    def _refuses(self, member: Member) -> bool:
        machine = member.machine
        return machine.on and not machine.frozen and not member.alive and self._ends.in_touch(self.node, member)


class MemberWay:
    """One call to one member; None: all refuse."""

    def __init__(self, connection: MemberConnection, member: Member | None, endpoints: Endpoints) -> None:
        self._connection = connection
        self._member = member
        self._ends = endpoints

    @property
    def outage(self) -> Outage | None:
        return Outage.REFUSED if self._member is None else self._connection.outage

    def waits_in(self) -> Context | None:
        process = self._member.process if self._member is not None else None
        return process.context if process is not None and process.alive and not process.runs else None

    def there_s(self) -> float:
        node = self._connection.node
        host = self._member.host if self._member is not None else node
        return self._connection.there_s() + self._ends.links.slower_by_s(node, host, Plane.DATABASE)

    def back_s(self) -> float:
        node = self._connection.node
        host = self._member.host if self._member is not None else node
        return self._connection.there_s() + self._ends.links.slower_by_s(host, node, Plane.DATABASE)

    def arrives(self) -> bool:
        member, node = self._member, self._connection.node
        carried = member is not None and self._ends.links.carries(node, member.host, Plane.DATABASE)
        return carried and self._connection.arrives() and member is not None and member.alive

    def work_s(self) -> float:
        return self._ends.consensus.work_s(self._member) if self._member is not None else 0.0

    def serve(self, work: Callable[[SimStore], T], *, writes: bool) -> T:
        member = self._member
        if member is None or not member.up:
            raise NotServed
        if writes and self._ends.database.full:
            raise Unwritable("cannot write to the cluster database: it has no space left")
        return self._ends.consensus.serve(member, work, writes=writes)

    def answers(self) -> bool:
        member, node = self._member, self._connection.node
        carried = member is not None and self._ends.links.carries(member.host, node, Plane.DATABASE)
        return carried and self._connection.answers()

    def missed(self) -> None:
        self._connection.give_up(self._member)
