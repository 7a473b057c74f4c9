"""What carries the cluster database of the simulated world: one thing that is simply there, or members on the machines?

Members run on some of the nodes (`Setup.members`), and a witness is a machine that runs nothing else. They belong
together already when the world begins, and each one's disk has on it what setting it up would have left there.
"""

from collections.abc import Mapping
from random import Random

import msgspec

from outlast.core.quorum.roll_call import must_be_heard
from outlast.model import keys
from outlast.model.member import MemberRecord, Part
from outlast.model.roll import NOTED, Noted
from outlast.ports.database import Put
from outlast.ports.members import LocalMember, Members
from outlast.sim.consensus import Consensus, Judge
from outlast.sim.database import SimConnection, SimDatabase
from outlast.sim.endpoints import Endpoints
from outlast.sim.forks import Disk, Member, address_of, client_url, peer_url
from outlast.sim.links import Links
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.members import SimLocalMember, SimMembers
from outlast.sim.process import Process
from outlast.sim.setup import Setup

WITNESS = "w1"


class Engine:
    def __init__(
        self,
        setup: Setup,
        loop: SimLoop,
        links: Links,
        database: SimDatabase,
        machines: Mapping[str, Machine],
        judge: Judge,
    ) -> None:
        """`machines`: all of them, the witness too."""
        self.database = database
        self._loop = loop
        self._links = links
        self._endpoints: Endpoints | None = None
        self._consensus: Consensus | None = None
        self.frozen: list[Process] = []
        """Members that were stopped by themselves, not with their machine."""
        self.saved: dict[str, Disk] = {}
        """Snapshots of disks."""
        if setup.members:
            consensus = Consensus(loop, links, database, Random(-1 - setup.seed), judge)
            on = list(setup.nodes[: setup.members])
            for name in [*on, *(name for name in machines if name not in setup.nodes)]:
                consensus.add(machines[name])
            # A witness votes where the number of votes would be even without it.
            voters = [*on, WITNESS] if setup.witness and len(on) % 2 == 0 else on
            consensus.found(voters)
            for name, member in consensus.members.items():
                member.disk.marks = {NOTED: msgspec.json.encode(_noted(name, member, voters, list(machines))).decode()}
            self._consensus = consensus
            self._endpoints = Endpoints(loop, links, database, consensus)

    @property
    def members(self) -> Mapping[str, Member]:
        """By machine; empty when the database has none."""
        return self._consensus.members if self._consensus is not None else {}

    @property
    def consensus(self) -> Consensus:
        assert self._consensus is not None, "this world's database has no members"
        return self._consensus

    @property
    def writable(self) -> bool:
        return self._consensus is None or self._consensus.forks[-1].leader is not None

    def connect(self, node: str) -> SimConnection:
        return self._endpoints.connect(node) if self._endpoints is not None else self.database.connect(node)

    def asked_by(self, connection: SimConnection) -> Members | None:
        return SimMembers(self.consensus, self._links, connection) if self._consensus is not None else None

    def of(self, node: str) -> LocalMember | None:
        member = self.members.get(node)
        return SimLocalMember(self.consensus, member) if member is not None else None

    def is_needed(self, node: str) -> bool:
        """Does the node's member vote, and only one other beside it, or none since it went on alone?"""
        member = self.members.get(node)
        if member is None or member.fork is None or member.fork is not self.consensus.forks[-1]:
            return False
        voters = [seat.host for seat in member.seats if not seat.learner]
        return node in voters and len(voters) <= 2

    def records(self) -> list[Put]:
        """What setting it up has left in the database."""
        found = []
        for name, member in self.members.items():
            part = Part.WITNESS if name == WITNESS else Part.NODE
            record = MemberRecord(name, part, address_of(name), client_url(member.host), peer_url(member.host))
            found.append(Put(keys.MEMBERS + name, msgspec.json.encode(record)))
        return found

    def voteless(self) -> list[str]:
        """Machines whose member has no vote, or does not use it; but of an even number one need not vote."""
        if self._consensus is None:
            return []
        leader = self._consensus.forks[-1].leader
        voting = {seat.host for seat in leader.seats if not seat.learner} if leader is not None else set()
        missing = [name for name, member in self.members.items() if name not in voting or not member.up]
        return [] if len(voting) > 1 and len(voting) % 2 == 1 and len(missing) == 1 else missing

    def can_spare(self, member: Member) -> bool:
        """Are the disks of all others that vote as they should be, and these a majority? What is lost beyond that no
        cluster gets back by itself."""
        fork = self.consensus.forks[-1]
        others = [seat for seat in fork.seats_at(fork.index) if not seat.learner and seat.id != member.disk.id]
        found = [other for seat in others for other in self.members.values() if other.disk.id == seat.id]
        voters = len(others) + any(seat.id == member.disk.id and not seat.learner for seat in fork.seats_at(fork.index))
        return len(found) == len(others) > voters // 2 and all(
            other.fork is fork and not other.trouble and not other.disk.set_back for other in found
        )

    def is_remembered(self, member: Member, past: Disk) -> bool:
        """Has another node's disk on it that the member had come further than that? A disk that forgets what nobody
        else knows, when others die too, is beyond all members; and nodes start without the witness's word. So is one
        from a time when others had no vote: it starts without theirs."""
        then = _noted_on(past)
        asked = [_noted_on(self.members[name].disk) for name in must_be_heard(then, member.host, {}, ())]
        if past.id != member.disk.id:
            return bool(asked)
        return any(noted.remembered[past.id].beyond(then.trace) for noted in asked if past.id in noted.remembered)

    def start(self, member: Member) -> None:
        if member.machine.on and member.fork is not None:
            self.consensus.start(member, initial={}, existing=True, alone=False)

    def thaw(self, host: str) -> None:
        member = self.members[host]
        for process in [process for process in self.frozen if process.name.startswith(f"{host}/")]:
            self.frozen.remove(process)
            self._loop.thaw(process)
        if member.machine.on:
            self.consensus.changed()

    def end_all_faults(self) -> None:
        self.database.full = False
        for member in self.members.values():
            self.thaw(member.host)
            member.trouble, member.fsync_s = "", 0.0


def _noted_on(disk: Disk) -> Noted:
    return msgspec.json.decode(disk.marks[NOTED], type=Noted) if NOTED in disk.marks else Noted()


def _noted(name: str, member: Member, voters: list[str], machines: list[str]) -> Noted:
    return Noted(
        member=member.disk.id,
        voters=tuple(sorted(voters)) if name in voters else (),
        witnesses=tuple(other for other in machines if other == WITNESS),
        addresses={other: address_of(other) for other in machines if other != name},
    )
