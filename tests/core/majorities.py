"""A small world of machines that vote, lose power, come back and do not hear each other, for tests of who may go on.

No time and no messages: a machine has a log (what etcd has on disk), and those that hear each other and run may elect
and commit, as Raft has it: whoever leads has a log at least as new as each of a majority of its voters, and what it
commits is on the logs of such a majority, and perhaps of others. All decisions are those of the product:
`decide_votes`, `roll_call`, `last_one`, `force_quorum`. Fence devices tell the truth, and reach everybody; so do
administrators.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

import msgspec

from outlast.core.quorum.force_quorum import Alone, ForceView, WaitNoLonger, force_quorum
from outlast.core.quorum.last_one import FenceOther, GoAlone, LastOneView, last_one
from outlast.core.quorum.leaderless import Look
from outlast.core.quorum.roll_call import Begin, Rejoin, RollCallView, roll_call
from outlast.core.quorum.voting import AddLearner, HandOver, Promote, Remove, VoteView, decide_votes, majority
from outlast.model.member import Member, MemberRecord, MemberStatus, Part
from outlast.model.roll import Noted, Roll, RollAnswer, Stage, Trace


class TwoGoOn(AssertionError):
    """Something was committed by members that lack what was committed before."""


@dataclass(frozen=True)
class Config:
    voters: frozenset[str]
    """Ids."""
    learners: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entry:
    number: int
    term: int
    config: Config | None = None


@dataclass
class Machine:
    name: str
    witness: bool = False
    on: bool = True
    started: bool = False
    life: int = 0
    member_in: int = 0
    """The last life in which it followed a leader."""
    id: str = ""
    log: tuple[Entry, ...] = ()
    noted: Noted = field(default_factory=Noted)
    session_until_loss: bool = False
    confirmed_off: dict[str, int] = field(default_factory=dict)
    """Who was confirmed off since this one saw a leader last."""
    off: frozenset[str] = frozenset()
    """Who is off, as an administrator said here."""
    left: bool = False
    """Its service has closed its session in order; its member runs on."""
    lost_s: float = 0.0
    """For how long it has seen no leader."""

    @property
    def config(self) -> Config:
        return next((entry.config for entry in reversed(self.log) if entry.config), Config(frozenset()))

    @property
    def newest(self) -> tuple[int, int]:
        return (self.log[-1].term, len(self.log)) if self.log else (0, 0)


class World:
    def __init__(self, nodes: int, seed: int, *, witness: bool = False) -> None:
        self.dice = Random(seed)
        names = [f"n{number}" for number in range(1, nodes + 1)] + ["w1"] * witness
        self.machines = {name: Machine(name, witness=name == "w1") for name in names}
        self.cuts: set[frozenset[str]] = set()
        self.committed: list[int] = []
        self.sessions: set[str] = set()
        """Who has one, as the database says: only who leaves in order has none any more."""
        self._ids = 0
        self._numbers = 0
        founders = [name for name in names if not (name == "w1" and nodes % 2)]
        first = Entry(self._next_number(), 1, Config(frozenset(self._new_id(name) for name in founders)))
        for name in founders:
            machine = self.machines[name]
            machine.id, machine.log, machine.started = f"{name}-{founders.index(name) + 1}", (first,), True
        self.committed.append(first.number)
        self.round()

    # --- what happens to them -------------------------------------------------------------------------------------

    def power_off(self, name: str) -> None:
        machine = self.machines[name]
        machine.on = machine.started = machine.session_until_loss = False
        machine.confirmed_off.clear()
        machine.off = frozenset()

    def power_on(self, name: str) -> None:
        machine = self.machines[name]
        if not machine.on:
            machine.on, machine.life, machine.lost_s, machine.left = True, machine.life + 1, 0.0, False

    def leave(self, name: str) -> None:
        """Only where the database answers can a session be closed in order."""
        machine = self.machines[name]
        if machine.started and not machine.witness and self.leader_for(machine) is not None:
            machine.left, machine.session_until_loss = True, False
            self.sessions.discard(name)
            machine.noted = noting(machine.noted, may_be_out=True)

    def come_back(self, name: str) -> None:
        """Its service runs again. It has no session before the database answers."""
        self.machines[name].left = False

    def cut(self, one: str, other: str) -> None:
        self.cuts.add(frozenset((one, other)))

    def heal(self) -> None:
        self.cuts.clear()

    def force_quorum(self, name: str) -> None:
        """An administrator who says of exactly those machines that they are off which are. What is lost is lost."""
        machine = self.machines[name]
        if not machine.on or machine.left:
            return
        others = [other for other in self.machines.values() if other is not machine]
        heard = {other.name: self._roll(other) for other in others if self.hears(name, other.name)}
        off = frozenset(other.name for other in others if not other.on)
        same_life = machine.member_in == machine.life
        outcome = force_quorum(ForceView(name, self._stage(machine), machine.noted, heard, off, same_life))
        if isinstance(outcome, WaitNoLonger):
            machine.off = frozenset(outcome.off)
        elif isinstance(outcome, Alone):
            self.go_alone(machine, outcome.left_behind)
            here = {entry.number for entry in machine.log}
            self.committed = [number for number in self.committed if number in here]

    def hears(self, one: str, other: str) -> bool:
        return self.machines[other].on and frozenset((one, other)) not in self.cuts

    # --- what they do ---------------------------------------------------------------------------------------------

    def round(self, only: str = "") -> None:
        """Every machine (or only one) looks, decides, and does one thing."""
        for name in self._shuffled([only] if only else self.machines):
            machine = self.machines[name]
            if machine.on:
                if not machine.started and not machine.left:
                    self._roll_call(machine)
                if machine.started:
                    leader = self.leader_for(machine)
                    self._with_leader(machine, leader) if leader else self._without(machine)

    def leader_for(self, machine: Machine) -> Machine | None:
        """Who leads, as far as this one hears."""
        for name in sorted(self.machines):
            candidate = self.machines[name]
            if candidate.started and (candidate is machine or self.hears(machine.name, name)):
                listed = candidate.config.voters | candidate.config.learners
                if machine.id in listed and self._could_lead(candidate):
                    return candidate
        return None

    def _could_lead(self, candidate: Machine) -> bool:
        return candidate.id in candidate.config.voters and len(self._followers(candidate)) >= majority(
            len(candidate.config.voters)
        )

    def _followers(self, candidate: Machine) -> list[Machine]:
        return [
            machine
            for machine in self.machines.values()
            if machine.started
            and machine.id in candidate.config.voters
            and (machine is candidate or self.hears(candidate.name, machine.name))
            and machine.newest <= candidate.newest
        ]

    def commit(self, leader: Machine, config: Config | None = None) -> None:
        """On the logs of a majority of the leader's voters, and of some others that hear it."""
        here = {entry.number for entry in leader.log}
        if not here.issuperset(self.committed):
            raise TwoGoOn(f"{leader.name} commits without {sorted(set(self.committed) - here)}")
        needed = majority(len(leader.config.voters))
        followers = [machine for machine in self._followers(leader) if machine is not leader]
        self.dice.shuffle(followers)
        others = [m for m in self.machines.values() if m.id in leader.config.learners and self._follows(m, leader)]
        entry = Entry(self._next_number(), leader.newest[0] + self.dice.randint(0, 1), config)
        leader.log = (*leader.log, entry)
        for place, machine in enumerate([*followers, *others]):
            if place < needed - 1 or self.dice.random() < 0.7:
                machine.log = leader.log
        self.committed.append(entry.number)

    def _follows(self, machine: Machine, leader: Machine) -> bool:
        return machine.started and self.hears(leader.name, machine.name)

    # --- deciding -------------------------------------------------------------------------------------------------

    def _with_leader(self, machine: Machine, leader: Machine) -> None:
        before = machine.config
        self.commit(leader)
        machine.lost_s = 0.0
        machine.confirmed_off.clear()
        machine.off = frozenset()
        machine.member_in = machine.life
        # A renewal was acknowledged after this config was seen.
        machine.session_until_loss = not machine.witness and machine.id in before.voters and before == leader.config
        machine.noted = noting(machine.noted, voters=self._names(machine.config.voters), member=machine.id)
        if machine.left:
            machine.session_until_loss = False
            return
        self.sessions.add(machine.name)
        machine.noted = noting(machine.noted, may_be_out=False)
        if not machine.witness:
            self._decide_votes(machine, leader)

    def _decide_votes(self, coordinator: Machine, leader: Machine) -> None:
        config = leader.config
        members = tuple(
            Member(id, self._name(id), (id.split("-")[0],), learner=id in config.learners)
            for id in sorted(config.voters | config.learners)
        )
        statuses = {
            m.id: MemberStatus(m.id, leader.id, 1, len(m.log), "")
            for m in self.machines.values()
            if m.started and m.id in config.voters | config.learners and self._follows(m, leader)
        }
        view = VoteView(
            members=members,
            statuses=statuses,
            unanswered_s={member.id: 1000.0 for member in members if member.id not in statuses},
            present_s={member.id: 1000.0 if member.name else 0.0 for member in members},
            machines={
                name: MemberRecord(name, Part.WITNESS if machine.witness else Part.NODE, peer_url=name)
                for name, machine in self.machines.items()
            },
            # Fenced for good: what does not answer is switched off, and confirmed.
            dead_s={name: 1000.0 for name, machine in self.machines.items() if not machine.on and not machine.witness},
            left=frozenset(self.machines) - self.sessions,
            asking={
                name: self._roll(machine)
                for name, machine in self.machines.items()
                if machine.on and self.hears(coordinator.name, name) and self._stage(machine) is Stage.EMPTY
            },
        )
        step = decide_votes(view).step
        voters, learners = config.voters, config.learners
        match step:
            case AddLearner(name):
                self.commit(leader, Config(voters, learners | {self._new_id(name)}))
            case Promote(id=id) if self._by_id(id).log == leader.log:
                self.commit(leader, Config(voters | {id}, learners - {id}))
            case Remove(id=id) if id != leader.id:
                self.commit(leader, Config(voters - {id}, learners - {id}))
            case Promote() | Remove() | HandOver() | None:
                pass

    def _without(self, machine: Machine) -> None:
        machine.lost_s += 4.0
        if any(self._was_removed(machine, other) for other in self.machines.values()):
            machine.started = False  # etcd says so, and its process ends
            return
        if machine.witness or machine.left:
            return
        config = machine.config
        look = Look(
            at_s=machine.lost_s,
            voters=self._names(config.voters),
            learners=self._names(config.learners),
            i_vote=machine.id in config.voters,
            leaderless_since_s=0.0,
            me=machine.name,
        )
        other = self.machines.get(look.pair)
        heard = other is not None and self.hears(machine.name, other.name)
        step = last_one(
            LastOneView(
                machine.name,
                look,
                other_is_witness=other is not None and other.witness,
                session_until_loss=machine.session_until_loss,
                unheard_s=0.0 if heard else machine.lost_s,
                other_stage=self._stage(other) if other is not None and heard else None,
                fence_devices=True,
                confirmed_off="it is off" if look.pair in machine.confirmed_off else "",
            )
        )
        if isinstance(step, FenceOther) and other is not None:
            self.power_off(other.name)
            machine.confirmed_off[other.name] = other.life
        elif isinstance(step, GoAlone):
            self.go_alone(machine)

    def _was_removed(self, machine: Machine, other: Machine) -> bool:
        if not (other.started and self.hears(machine.name, other.name)):
            return False
        leader = self.leader_for(other)
        return leader is not None and machine.id not in leader.config.voters | leader.config.learners

    def go_alone(self, machine: Machine, left_behind: Iterable[str] = ()) -> None:
        alone = Entry(self._next_number(), machine.newest[0] + 1, Config(frozenset({machine.id})))
        machine.log = (*machine.log, alone)
        machine.started = True
        machine.noted = noting(
            machine.noted,
            voters=(machine.name,),
            generation=machine.noted.generation + 1,
            left_behind=tuple(left_behind),
        )

    def _roll_call(self, machine: Machine) -> None:
        answers = {
            name: self._answer(other, machine)
            for name, other in self.machines.items()
            if other is not machine and self.hears(machine.name, name)
        }
        verdict = roll_call(
            RollCallView(
                machine.name,
                machine.name,
                bool(machine.log),
                False,
                noted=machine.noted,
                answers=answers,
                off=machine.off.union(*(answer.mine.off for answer in answers.values())),
            )
        )
        if isinstance(verdict, Rejoin):
            machine.log, machine.id = (), ""
            machine.noted = Noted(generation=machine.noted.generation)
        elif isinstance(verdict, Begin) and machine.log:
            machine.started = True
            machine.noted = noting(machine.noted, may_be_out=True)
        elif isinstance(verdict, Begin):
            self._begin_empty(machine, verdict, answers)

    def _begin_empty(self, machine: Machine, verdict: Begin, answers: dict[str, RollAnswer]) -> None:
        """It is sent the log of whoever leads."""
        for name in answers:
            leader = self.leader_for(self.machines[name]) if self.machines[name].started else None
            if (
                leader is not None
                and verdict.member in leader.config.learners
                and self.hears(machine.name, leader.name)
            ):
                machine.id, machine.log, machine.started = verdict.member, leader.log, True
                generation = max(answer.mine.generation for answer in answers.values())
                machine.noted = Noted(verdict.member, generation, voters=tuple(verdict.initial))
                return

    # --- telling --------------------------------------------------------------------------------------------------

    def _stage(self, machine: Machine) -> Stage:
        if not machine.log:
            return Stage.EMPTY
        if not machine.started:
            return Stage.WAITS
        return Stage.RUNS if self.leader_for(machine) else Stage.STARTED

    def _roll(self, machine: Machine) -> Roll:
        part = Part.WITNESS if machine.witness else Part.NODE
        return Roll(
            machine.name,
            self._stage(machine),
            part,
            machine.id,
            machine.noted.generation,
            Trace(),
            machine.noted.voters,
            peer_url=machine.name,
            off=tuple(sorted(machine.off)),
        )

    def _answer(self, machine: Machine, asker: Machine) -> RollAnswer:
        leader = self.leader_for(machine) if machine.started else None
        members: tuple[Member, ...] = ()
        if leader is not None:
            config = leader.config
            members = tuple(
                Member(id, self._name(id), (id.split("-")[0],), learner=id in config.learners)
                for id in sorted(config.voters | config.learners)
            )
        return RollAnswer(self._roll(machine), members)

    def _name(self, id: str) -> str:
        """ "" while it has not started: no machine has taken the id yet."""
        machine = self.machines[id.split("-")[0]]
        return machine.name if machine.id == id or machine.id > id else ""

    def _names(self, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(id.split("-")[0] for id in ids))

    def _by_id(self, id: str) -> Machine:
        return self.machines[id.split("-")[0]]

    def _new_id(self, name: str) -> str:
        self._ids += 1
        return f"{name}-{self._ids}"

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _shuffled(self, names: Iterable[str]) -> list[str]:
        found = list(names)
        self.dice.shuffle(found)
        return found


def noting(noted: Noted, **changes: object) -> Noted:
    return msgspec.structs.replace(noted, witnesses=("w1",), **changes)
