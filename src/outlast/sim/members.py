"""How does a simulated node ask about the members of its database, and see to its own? Two ports, on `Consensus`."""

import asyncio
from collections.abc import Mapping, Sequence

from outlast.ports.database import Unavailable
from outlast.ports.members import Member, MemberStatus, NotWhole, Start
from outlast.sim import forks
from outlast.sim.consensus import Consensus
from outlast.sim.database import SimConnection
from outlast.sim.forks import Fork, Seat, client_url, host_of, peer_url
from outlast.sim.links import Links, Plane
from outlast.sim.store import SimStore

_VERSION = "3.4.23"
_STARTS_S = 0.05


class SimMembers:
    """The port, asked through a node's connection to the database."""

    def __init__(self, agreed: Consensus, links: Links, connection: SimConnection) -> None:
        self._agreed = agreed
        self._links = links
        self._connection = connection

    def reach_at(self, client_urls: Sequence[str]) -> None:
        """A simulated client knows the addresses of all members."""

    async def list(self, *, timeout_s: float) -> Sequence[Member]:
        def seated(store: SimStore) -> Sequence[Member]:
            fork = self._agreed.fork_with(store)
            return [_member(fork, seat) for seat in fork.seats_at(fork.index)]

        return await self._connection.ask(seated, timeout_s=timeout_s, writes=False)

    async def add_learner(self, peer_urls: Sequence[str], *, timeout_s: float) -> Member:
        def add(store: SimStore) -> Member:
            fork = self._agreed.fork_with(store)
            return _member(fork, self._agreed.add_learner(fork, host_of(peer_urls[0])))

        return await self._connection.ask(add, timeout_s=timeout_s, writes=True)

    async def promote(self, id: str, *, timeout_s: float) -> None:
        def promote(store: SimStore) -> None:
            self._agreed.promote(self._agreed.fork_with(store), id)

        await self._connection.ask(promote, timeout_s=timeout_s, writes=True)

    async def remove(self, id: str, *, timeout_s: float) -> None:
        def remove(store: SimStore) -> None:
            self._agreed.remove(self._agreed.fork_with(store), id)

        await self._connection.ask(remove, timeout_s=timeout_s, writes=True)

    async def move_leader(self, id: str, *, timeout_s: float) -> None:
        def move(store: SimStore) -> None:
            self._agreed.move_leader(self._agreed.fork_with(store), id)

        await self._connection.ask(move, timeout_s=timeout_s, writes=True)

    async def status(self, client_url: str, *, timeout_s: float) -> MemberStatus:
        member = await self._reach(client_url, timeout_s)
        leader = self._agreed.leader_of(member)
        problems = ("no space left",) if self._agreed.full else ()
        disk = member.disk
        return MemberStatus(
            disk.id, leader.disk.id if leader else "", disk.term, self._agreed.committed(member), _VERSION, 0, problems
        )

    async def disk_s(self, client_url: str, *, within_s: float) -> float:
        """Simulated disks take no time."""
        return 0.0

    async def known_to(self, client_url: str, *, timeout_s: float) -> Sequence[Member]:
        member = await self._reach(client_url, timeout_s)
        return [_member(member.fork, seat) for seat in member.seats] if member.fork is not None else []

    async def _reach(self, client_url: str, timeout_s: float) -> forks.Member:
        """The member at that address, when it answers in time. It is as it is at the moment of its answer."""
        node, host = self._connection.node, host_of(client_url)
        member = self._agreed.members.get(host)
        began_s = asyncio.get_running_loop().time()
        if member is not None and self._links.connects(node, host, Plane.DATABASE) and member.machine.on:
            there_s = self._links.way_s(node, host, Plane.DATABASE) + self._links.way_s(host, node, Plane.DATABASE)
            await asyncio.sleep(min(there_s, timeout_s))
            if not member.alive and not member.machine.frozen:
                raise Unavailable(f"nobody listens at {client_url}")
            if there_s <= timeout_s and member.up and self._links.connects(node, host, Plane.DATABASE):
                return member
        await asyncio.sleep(max(0.0, began_s + timeout_s - asyncio.get_running_loop().time()))
        raise Unavailable(f"{client_url} did not answer within {timeout_s:g} s")


class SimLocalMember:
    """The port: the member on one machine, and the disk that it lies on."""

    def __init__(self, agreed: Consensus, member: forks.Member) -> None:
        self.client_url = client_url(member.host)
        self.peer_url = peer_url(member.host)
        self._agreed = agreed
        self._member = member

    def has_data(self) -> bool:
        return self._member.fork is not None

    def marks(self) -> Mapping[str, str]:
        return self._member.disk.marks

    def mark(self, marks: Mapping[str, str]) -> None:
        self._member.disk.marks = dict(marks)

    async def start(self, how: Start) -> None:
        await asyncio.sleep(_STARTS_S)
        if how.whole_log and not self._agreed.keeps_whole(self._member):
            raise NotWhole("the log cannot be kept whole: it ends with a change of who votes")
        self._agreed.start(
            self._member, initial=how.initial, existing=how.existing, alone=how.alone, whole_log=how.whole_log
        )

    async def stop(self) -> None:
        await asyncio.sleep(_STARTS_S)
        self._agreed.end(self._member)

    async def runs(self) -> bool:
        return self._member.alive

    async def wipe(self) -> None:
        await self.stop()
        self._agreed.wipe(self._member)


def _member(fork: Fork, seat: Seat) -> Member:
    started = seat.id in fork.named
    return Member(
        seat.id,
        seat.host if started else "",
        (peer_url(seat.host),),
        (client_url(seat.host),) if started else (),
        seat.learner,
    )
