"""What carries the cluster database of the simulated world: one thing that is simply there, or members on the machines?

Members run on some of the nodes (`Setup.members`), and a witness is a machine that runs nothing else. Until a service
sees to its own member, a member with data starts when its machine has booted.
"""

from collections.abc import Mapping
from random import Random

import msgspec

from outlast.model import keys
from outlast.model.member import MemberRecord, Part
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
            consensus.found([*on, WITNESS] if setup.witness and len(on) % 2 == 0 else on)
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

    def connect(self, node: str) -> SimConnection:
        return self._endpoints.connect(node) if self._endpoints is not None else self.database.connect(node)

    def asked_by(self, connection: SimConnection) -> Members | None:
        return SimMembers(self.consensus, self._links, connection) if self._consensus is not None else None

    def of(self, node: str) -> LocalMember | None:
        member = self.members.get(node)
        return SimLocalMember(self.consensus, member) if member is not None else None

    def records(self) -> list[Put]:
        """What setting it up has left in the database."""
        found = []
        for name, member in self.members.items():
            part = Part.WITNESS if name == WITNESS else Part.NODE
            record = MemberRecord(name, part, address_of(name), client_url(member.host), peer_url(member.host))
            found.append(Put(keys.MEMBERS + name, msgspec.json.encode(record)))
        return found

    def start_after_boot(self, host: str, boot_s: float) -> None:
        """What init would do."""
        member = self.members.get(host)
        if member is not None and member.fork is not None:
            _, init = member.machine.spawn("init")
            self._loop.call_later(boot_s, self.start, member, context=init.context)

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
