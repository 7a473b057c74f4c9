"""How do the members of the simulated database agree, when can they not, and what may be lost then?

As etcd's members do it, without their messages. What was committed is one row of entries (commits of the store, and
changes of who votes), and each member has the beginning of it up to its own `index`. A leader needs a majority of the
voters that it can speak with, and a voter lets nobody lead who has less than itself. Who leads takes what all others
lack to them at once; that it is committed they hear a moment later (`committed`). A leader that has lost its majority
still takes writes for a moment, into its own log and those of who is left to it: they happen much later, if one of
these is elected (`tail`), else never.

A member that goes on alone makes a *fork* of the row. What must never happen is told to a `Judge`: that a commit is
lost, and that two forks go on. A disk that is set back to what it was breaks the promise that voting rests on; so does
a fork that is not the last. Both can be done here, and it is Outlast that must not let it come to that.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Protocol, TypeVar

from outlast.ports.database import Batch
from outlast.ports.members import NotReady
from outlast.sim.database import SimDatabase
from outlast.sim.flights import NotServed
from outlast.sim.forks import Disk, Fork, Member, Seat, host_of
from outlast.sim.links import Links, Plane
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE
from outlast.sim.store import SimStore

T = TypeVar("T")

ELECTION_S = (0.5, 1.5)
"""From the loss of a leader to the next one."""
_CATCH_UP_S = 0.5
"""A member without data takes so long to get it."""
_APPENDS_FOR_S = 1.0
_HEARD_S = 0.05
"""Between an entry, and the word that it is committed."""
_EXPELLED_S = 0.2
"""Who hears that it was removed ends by itself."""
_BROKEN_S = 0.2


class Judge(Protocol):
    def commits_lost(self, words: str) -> None: ...

    def two_go_on(self, words: str) -> None: ...


class Consensus:
    def __init__(self, loop: SimLoop, links: Links, database: SimDatabase, random: Random, judge: Judge) -> None:
        self.members: dict[str, Member] = {}
        """By machine."""
        self.on_change: list[Callable[[], None]] = []
        """Told when it may have changed who serves."""
        self.forks: list[Fork] = []
        """The last one is the one that goes on."""
        self.forced: set[str] = set()
        """Machines on which an administrator has forced the quorum: what they were not told of may be lost."""
        self._loop = loop
        self._links = links
        self._database = database
        self._random = random
        self._judge = judge
        self._changing = False
        links.on_change.append(self.changed)

    def add(self, machine: Machine) -> Member:
        member = self.members[machine.name] = Member(machine)
        machine.when_changed.append(self.changed)
        return member

    def found(self, hosts: Sequence[str]) -> Fork:
        """These have founded a cluster and all have its data, which is what stands in the database now; none runs."""
        seats = tuple(Seat(self._new_id(host), host) for host in hosts)
        fork = Fork(self._database.store, [(0, seats)], index=self._database.store.revision)
        self._go_on_with(fork)
        fork.named.update(seat.id for seat in seats)
        for seat in seats:
            self.members[seat.host].disk = Disk(seat.id, fork, fork.index, fork.term)
        return fork

    # --- asked ----------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        return self._database.full

    def connects(self, one: Member, other: Member) -> bool:
        return one.up and other.up and self._links.connects(one.host, other.host, Plane.DATABASE)

    def leader_of(self, member: Member) -> Member | None:
        """Whom it follows now, itself perhaps; None when it sees nobody lead."""
        leader = member.fork.leader if member.fork is not None and member.up else None
        return leader if leader is not None and self.connects(member, leader) else None

    def work_s(self, member: Member) -> float:
        """How much longer a write takes there because of slow links and disks."""
        if not self._links.any_slow and not any(one.fsync_s for one in self.members.values()):
            return 0.0
        leader = self.leader_of(member)
        if leader is None:
            return 0.0
        slower = self._links.slower_by_s
        cost = {
            voter.host: voter.fsync_s
            + slower(leader.host, voter.host, Plane.DATABASE)
            + slower(voter.host, leader.host, Plane.DATABASE)
            for voter in self._voters(leader)
            if voter is leader or self.connects(leader, voter)
        }
        if not any(cost.values()) and member is leader:
            return 0.0
        majority = len([seat for seat in leader.seats if not seat.learner]) // 2
        there = slower(member.host, leader.host, Plane.DATABASE) + slower(leader.host, member.host, Plane.DATABASE)
        return there + sorted(cost.values())[min(majority, len(cost) - 1)]

    def serve(self, member: Member, work: Callable[[SimStore], T], *, writes: bool) -> T:
        """Raises `NotServed` when no majority stands behind the member."""
        leader, fork = self.leader_of(member), member.fork
        if fork is None or leader is None:
            former = fork.former if fork is not None else None
            lately = fork is not None and self._loop.time() - fork.lost_at_s < _APPENDS_FOR_S
            if writes and former is not None and lately and (former is member or self.connects(member, former)):
                for one in self._voters(former):
                    if self._in_touch(former, one) and (one is former or one.disk.index == former.disk.index):
                        one.disk.tail = (*one.disk.tail, work)
            raise NotServed
        return work(fork.store)

    def committed(self, member: Member) -> int:
        """How much of what it has does it know to be committed?"""
        disk, until_s = member.disk, self._loop.time() if member.lost_at_s is None else member.lost_at_s
        return disk.index if until_s - disk.got_at_s >= _HEARD_S else disk.known

    def keeps_whole(self, member: Member) -> bool:
        """May all of its log be taken for committed? Not when it ends with a change of who votes, as etcd has it."""
        fork, known = member.fork, self.committed(member)
        return fork is None or all(not known < since <= member.disk.index for since, _ in fork.seats)

    def fork_with(self, store: SimStore) -> Fork:
        return next(fork for fork in self.forks if fork.store is store)

    # --- processes and disks --------------------------------------------------------------------------------------

    def start(
        self, member: Member, *, initial: Mapping[str, str], existing: bool, alone: bool, whole_log: bool = False
    ) -> None:
        if member.alive:
            return
        _, member.process = member.machine.spawn("member")
        if member.trouble:
            self._loop.call_later(_BROKEN_S, self.end, member, context=member.process.context)
            return
        if alone and member.fork is not None:
            self._go_on_alone(member, member.fork, whole_log=whole_log)
        elif member.fork is None:
            self._loop.call_later(_CATCH_UP_S, self._join, member, initial, existing, context=member.process.context)
        self.changed()

    def end(self, member: Member) -> None:
        if member.process is not None:
            member.machine.end(member.process)
            member.process = None
            self.changed()

    def wipe(self, member: Member) -> None:
        self.end(member)
        member.disk = Disk(marks=member.disk.marks)

    def _join(self, member: Member, initial: Mapping[str, str], existing: bool) -> None:
        """Find those who run already, and get their data; or found a cluster with all that are named."""
        if member.fork is not None:
            return
        if not existing:
            hosts = [host_of(url) for url in initial.values()]
            running = self.forks[-1] if self.forks else None
            if running is None:
                seats = tuple(Seat(self._new_id(host), host) for host in hosts)
                running = Fork(self._database.store, [(0, seats)], index=self._database.store.revision)
                self._go_on_with(running)
            self._take_seat(member, running)
            return
        for other in self.members.values():
            leader = self.leader_of(other) if self._links.connects(member.host, other.host, Plane.DATABASE) else None
            if leader is not None and leader.fork is not None and self._take_seat(member, leader.fork):
                return
        # Nobody answers, or nobody has a place for it (any more): etcd ends then, it does not wait.
        self.end(member)

    def _take_seat(self, member: Member, fork: Fork) -> bool:
        for seat in fork.seats_at(fork.index):
            if seat.host == member.host and seat.id not in fork.named:
                fork.named.add(seat.id)
                member.disk = replace(member.disk, id=seat.id, fork=fork, index=fork.index, term=fork.term, tail=())
                self.changed()
                return True
        return False

    def _go_on_alone(self, member: Member, parent: Fork, *, whole_log: bool) -> None:
        index = member.disk.index if whole_log else self.committed(member)
        if parent is not self.forks[-1]:
            self._judge.two_go_on(f"the member of {member.host} goes on alone with a past that others have left behind")
        elif index < parent.index and not (member.host in self.forced and member.disk.index == parent.index):
            lost = parent.revision_at(parent.index) - parent.revision_at(index)
            self._judge.commits_lost(f"the member of {member.host} goes on alone without the last {lost} commits")
        seats = parent.seats_at(index)
        mine = next((seat for seat in seats if seat.id == member.disk.id), Seat(member.disk.id, member.host))
        fork = Fork(
            parent.store.copy_at(parent.revision_at(index)),
            [
                *((since, row) for since, row in parent.seats if since <= index),
                (index + 1, (replace(mine, learner=False),)),
            ],
            parent=parent,
            index=index + 1,
            term=max(parent.term, member.disk.term) + 1,
            named=set(parent.named),
            removed=dict(parent.removed),
        )
        fork.removed.update({seat.id: index + 1 for seat in seats if seat.id != member.disk.id})
        self._go_on_with(fork)
        tail = member.disk.tail if whole_log else ()
        member.disk = replace(member.disk, fork=fork, index=fork.index, term=fork.term, got_at_s=float("-inf"), tail=())
        fork.leader = member
        self._append(tail, fork)

    def _go_on_with(self, fork: Fork) -> None:
        self.forks.append(fork)
        self._database.store = fork.store
        self._database.serve_from(fork.store)
        tell = fork.store.on_commit
        assert tell is not None

        def committed(store: SimStore, batch: Batch) -> None:
            self._committed(fork)
            tell(store, batch)

        fork.store.on_commit = committed

    # --- who belongs to it: all of it happens at the leader, like a commit; etcd's refusals too -----------------------

    def add_learner(self, fork: Fork, host: str) -> Seat:
        seats = fork.seats_at(fork.index)
        if any(seat.host == host for seat in seats):
            raise ValueError("Peer URLs already exists")
        if any(seat.learner for seat in seats):
            raise ValueError("too many learner members in cluster")
        if not all(seat.learner or self._active(fork, seat) for seat in seats):
            raise ValueError("unhealthy cluster")
        seat = Seat(self._new_id(host), host, learner=True)
        self._reseat(fork, (*seats, seat))
        return seat

    def promote(self, fork: Fork, id: str) -> None:
        seats = fork.seats_at(fork.index)
        if all(seat.id != id for seat in seats):
            raise ValueError("member not found")
        member = self._with_id(fork, id)
        leader = fork.leader
        if member is None or leader is None or not self.connects(leader, member) or member.disk.index < fork.index:
            raise NotReady("can only promote a learner member which is in sync with leader")
        self._reseat(fork, tuple(replace(seat, learner=False) if seat.id == id else seat for seat in seats))

    def remove(self, fork: Fork, id: str) -> None:
        seats = fork.seats_at(fork.index)
        gone = [seat for seat in seats if seat.id == id]
        if not gone:
            return
        voters = [seat for seat in seats if not seat.learner]
        active = [seat for seat in voters if self._active(fork, seat)]
        if gone[0] in active and len(active) - 1 < 1 + (len(voters) - 1) // 2:
            raise ValueError("unhealthy cluster")
        fork.removed[id] = fork.index + 1
        self._reseat(fork, tuple(seat for seat in seats if seat.id != id))

    def move_leader(self, fork: Fork, id: str) -> None:
        member = self._with_id(fork, id)
        if member is None or not self._could_lead(member):
            raise ValueError("bad leader transferee")
        fork.leader, fork.term = member, fork.term + 1
        self.changed()

    def _active(self, fork: Fork, seat: Seat) -> bool:
        member = self._with_id(fork, seat.id)
        return member is not None and fork.leader is not None and self._in_touch(fork.leader, member)

    def _reseat(self, fork: Fork, seats: tuple[Seat, ...]) -> None:
        leader = fork.leader
        before = [self._with_id(fork, seat.id) for seat in fork.seats_at(fork.index)]
        fork.seats.append((fork.index + 1, seats))
        self._committed(fork)
        for member in before:  # those who belonged to it until now agree on it, who goes with it among them
            if member is not None and leader is not None and self._in_touch(leader, member):
                self._got_all(member, fork)
        self.changed()

    # --- inside ---------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Something may be otherwise now: who speaks with whom, who runs, who votes."""
        if self._changing:
            return
        self._changing = True
        try:
            for fork in self.forks:
                self._look_at(fork)
            self._expel()
            for member in self.members.values():
                if self.leader_of(member) is not None:
                    member.lost_at_s = None
                elif member.lost_at_s is None:
                    member.lost_at_s = self._loop.time()
        finally:
            self._changing = False
        for listener in self.on_change:
            listener()

    def _look_at(self, fork: Fork) -> None:
        if fork.leader is not None and not self._leads(fork.leader):
            fork.former, fork.leader, fork.lost_at_s = fork.leader, None, self._loop.time()
        if fork.leader is not None:
            self._bring_up_to_date(fork)
        elif fork.election is None and self._candidates(fork):
            delay_s = self._random.uniform(*ELECTION_S)
            fork.election = self._loop.call_later(delay_s, self._elect, fork, context=OUTSIDE)

    def _elect(self, fork: Fork) -> None:
        fork.election = None
        candidates = self._candidates(fork)
        if fork.leader is None and candidates:
            leader = candidates[self._random.randrange(len(candidates))]
            if leader.disk.index < fork.index:
                lost = fork.revision_at(fork.index) - fork.revision_at(leader.disk.index)
                self._judge.commits_lost(f"the member of {leader.host} was elected without the last {lost} commits")
            fork.leader, fork.term = leader, fork.term + 1
            tail, leader.disk.tail = leader.disk.tail, ()
            self._bring_up_to_date(fork)
            self._append(tail, fork)
        self.changed()

    def _append(self, tail: Sequence[Callable[[SimStore], object]], fork: Fork) -> None:
        for work in tail:
            with suppress(ValueError, NotReady):  # nobody waits for the answer any more
                work(fork.store)

    def _candidates(self, fork: Fork) -> list[Member]:
        return [member for member in self.members.values() if member.fork is fork and self._could_lead(member)]

    def _leads(self, member: Member) -> bool:
        return self._has_majority(member, lambda voter: True)

    def _could_lead(self, member: Member) -> bool:
        """Nobody votes for one who has less than himself."""
        return self._has_majority(member, lambda voter: _log(voter) <= _log(member))

    def _has_majority(self, member: Member, agrees: Callable[[Member], bool]) -> bool:
        voters = [seat for seat in member.seats if not seat.learner]
        if not member.up or all(seat.id != member.disk.id for seat in voters):
            return False
        with_it = [voter for voter in self._voters(member) if self._in_touch(member, voter) and agrees(voter)]
        return len(with_it) * 2 > len(voters)

    def _voters(self, member: Member) -> list[Member]:
        """As that member knows them, those of whom there is anything."""
        fork = member.fork
        assert fork is not None
        found = (self._with_id(fork, seat.id) for seat in member.seats if not seat.learner)
        return [voter for voter in found if voter is not None]

    def _with_id(self, fork: Fork, id: str) -> Member | None:
        for member in self.members.values():
            if member.disk.id == id and member.fork is fork:
                return member
        return None

    def _in_touch(self, one: Member, other: Member) -> bool:
        return one.up if one is other else self.connects(one, other)

    def _committed(self, fork: Fork) -> None:
        """One more entry: all that the leader can speak with have it."""
        if fork is not self.forks[-1]:
            self._judge.two_go_on("something was committed by members whose cluster goes on elsewhere without them")
        fork.index += 1
        if fork.leader is not None:
            self._bring_up_to_date(fork)
        else:  # a hand from outside the world
            for member in self.members.values():
                if member.fork is fork:
                    member.disk.index, member.disk.got_at_s = fork.index, float("-inf")

    def _bring_up_to_date(self, fork: Fork) -> None:
        leader, seats = fork.leader, fork.seats_at(fork.index)
        assert leader is not None
        ids = {seat.id for seat in seats}
        for member in self.members.values():
            disk = member.disk
            if disk.fork is not fork or disk.id not in ids or not self._in_touch(leader, member):
                continue
            self._got_all(member, fork)
            disk.term, disk.set_back = fork.term, False
            if member is not leader:
                disk.tail = ()

    def _got_all(self, member: Member, fork: Fork) -> None:
        disk = member.disk
        if disk.index != fork.index:
            leads = member is fork.leader
            disk.index, disk.known = fork.index, fork.index - 1
            disk.got_at_s = float("-inf") if leads else self._loop.time()

    def _expel(self) -> None:
        """Who hears from others that it was removed ends."""
        for member in self.members.values():
            if member.fork is None or not member.up:
                continue
            for other in self.members.values():
                fork = other.fork
                if other is member or fork is None or not self.connects(member, other):
                    continue
                since = fork.removed.get(member.disk.id) if fork.descends_from(member.fork) else None
                if since is not None and other.disk.index >= since:
                    assert member.process is not None
                    self._loop.call_later(_EXPELLED_S, self.end, member, context=member.process.context)
                    break

    def _new_id(self, host: str) -> str:
        return f"{self._random.getrandbits(63):016x}"


def _log(member: Member) -> tuple[int, int, int]:
    """Of two logs the one that compares higher has more; then the other one's owner cannot lead."""
    return member.disk.index, member.disk.term, len(member.disk.tail)
