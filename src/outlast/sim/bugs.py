"""Would the checks notice if a rule of safety were broken? These are the bugs to plant, to find out.

Each is a change to what a cluster service is given (`Environment`), so that neither the service nor the core has a
switch for it: the service believes it keeps the rule, and the world makes it break the rule.
"""

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.group import Group
from outlast.model.health import Condition, Found, Health, Spec
from outlast.model.inside import Finding, Inquiry
from outlast.model.node import Proof, ProofKind, Silence
from outlast.ports.database import Batch, Committed, Compare, Database, Put, Refused, Snapshot, Write
from outlast.ports.environment import Environment
from outlast.ports.hosts import Host, Hosts, Permit, Report
from outlast.ports.members import LocalMember, Start
from outlast.sim.machine import Machine


class Bug(enum.Enum):
    """What is broken. The value is the name in scenario files and on the command line."""

    TAKE_OVER_WITHOUT_PROOF = "take-over-without-proof"
    """A silence counts as a death (rule 4)."""
    RENEW_FROM_ANSWER = "renew-from-answer"
    """The permit counts from the acknowledgement, not from before the renewal was sent (rule 2)."""
    FORGET_EPOCH = "forget-epoch"
    """A change of owner raises no epoch (rule 1)."""
    UNKNOWN_AS_FAILED = "unknown-as-failed"
    """What cannot be told counts as failed (rule 8)."""
    PERMIT_NOT_KEPT = "permit-not-kept"
    """Resource hosts go on when the permit has passed (rule 3)."""
    SESSION_BEFORE_STOP = "session-before-stop"
    """A returning node opens its session without looking at what still runs (rule 6)."""
    HEAL_WHAT_WAS_SWITCHED_OFF = "heal-what-was-switched-off"
    """A VM that somebody switched off on purpose counts as failed (rule 10)."""
    ASK_NOBODY = "ask-nobody"
    """A node asks nobody whether anything can be decided while the database is away (rule 11)."""
    RESET_WHAT_WORKS = "reset-what-works"
    """Nobody counts what a guest does that does not answer."""
    START_WITHOUT_ROLL_CALL = "start-without-roll-call"
    """A member of the database starts after a boot with what it has, whatever became of the others (rule 1)."""


def plant(bugs: frozenset[Bug], environment: Environment, machine: Machine) -> Environment:
    machine.permit_ignored = Bug.PERMIT_NOT_KEPT in bugs
    if not bugs:
        return environment
    return replace(
        environment,
        database=BuggyDatabase(environment.database, bugs),
        hosts=BuggyHosts(environment.hosts, bugs, machine),
        peers=None if Bug.ASK_NOBODY in bugs else environment.peers,
        local_member=_own_member(environment.local_member, bugs),
    )


def _own_member(member: LocalMember | None, bugs: frozenset[Bug]) -> LocalMember | None:
    if member is None or Bug.START_WITHOUT_ROLL_CALL not in bugs:
        return member
    hasty: Any = HastyMember(member)
    return hasty  # type: ignore[no-any-return]  # it has every method of the port, most of them by delegation


class HastyMember:
    """It runs as soon as somebody looks."""

    def __init__(self, member: LocalMember) -> None:
        self._member = member

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    async def runs(self) -> bool:
        if self._member.has_data() and not await self._member.runs():
            await self._member.start(Start({}))
        return await self._member.runs()


class BuggyDatabase:
    def __init__(self, database: Database, bugs: frozenset[Bug]) -> None:
        self._database = database
        self._bugs = bugs

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        return await self._database.read(prefix, timeout_s=timeout_s)

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        return await self._database.transact(compares, [self._twist(write) for write in writes], timeout_s=timeout_s)

    def watch(self, prefix: str, after_revision: int) -> AsyncIterator[Batch]:
        return self._database.watch(prefix, after_revision)

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        await self._database.compact(revision, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._database.close()

    def _twist(self, write: Write) -> Write:
        if not isinstance(write, Put):
            return write
        if Bug.TAKE_OVER_WITHOUT_PROOF in self._bugs and write.key.startswith(keys.SILENCES):
            silence = msgspec.json.decode(write.value, type=Silence)
            proof = silence.proof or Proof(ProofKind.FENCE, "it has been silent for so long")
            return Put(write.key, msgspec.json.encode(msgspec.structs.replace(silence, proof=proof)))
        if Bug.FORGET_EPOCH in self._bugs and write.key.startswith(keys.GROUPS):
            group = msgspec.json.decode(write.value, type=Group)
            return Put(write.key, msgspec.json.encode(msgspec.structs.replace(group, epoch=1)))
        return write


class BuggyPermit:
    def __init__(self, permit: Permit, machine: Machine) -> None:
        self._permit = permit
        self._machine = machine

    def until_s(self) -> float:
        return self._permit.until_s()

    def extend(self, until_s: float) -> None:
        permit_s = timing(self._machine.node_timeout_s).permit_s
        self._permit.extend(max(until_s, self._machine.clock.now() + permit_s))


class BuggyHosts:
    def __init__(self, hosts: Hosts, bugs: frozenset[Bug], machine: Machine) -> None:
        self.permit: Permit = BuggyPermit(hosts.permit, machine) if Bug.RENEW_FROM_ANSWER in bugs else hosts.permit
        self._hosts = hosts
        self._bugs = bugs

    async def start(self, types: Sequence[str], *, timeout_s: float, type_timeout_s: float | None = None) -> Host:
        started = await self._hosts.start(types, timeout_s=timeout_s, type_timeout_s=type_timeout_s)
        host: Any = BuggyHost(started, self._bugs)
        return host  # type: ignore[no-any-return]  # it has every method of the port, most of them by delegation


class BuggyHost:
    def __init__(self, host: Host, bugs: frozenset[Bug]) -> None:
        self._host = host
        self._bugs = bugs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    async def open(self, spec: Spec) -> Health:
        return self._twist(await self._host.open(spec))

    async def looks_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]:
        return {name: self._twist(health) for name, health in (await self._host.looks_alive(type, resources)).items()}

    async def is_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]:
        return {name: self._twist(health) for name, health in (await self._host.is_alive(type, resources)).items()}

    async def inquire(self, resource: str, inquiry: Inquiry) -> Finding:
        found = await self._host.inquire(resource, inquiry)
        if Bug.RESET_WHAT_WORKS in self._bugs:
            found = msgspec.structs.replace(found, cpu_s=0.0, io_requests=0)
        return found

    async def discover(self, type: str) -> Sequence[Found]:
        return [] if Bug.SESSION_BEFORE_STOP in self._bugs else await self._host.discover(type)

    async def listen(self, on_report: Callable[[Report], None]) -> None:
        def pass_on(report: Report) -> None:
            health = getattr(report, "health", None)
            on_report(report if health is None else msgspec.structs.replace(report, health=self._twist(health)))

        await self._host.listen(pass_on)

    def _twist(self, health: Health) -> Health:
        if health.condition is Condition.UNKNOWN and Bug.UNKNOWN_AS_FAILED in self._bugs:
            return Health(Condition.FAILED, health.why)
        if health.condition is Condition.OFFLINE and Bug.HEAL_WHAT_WAS_SWITCHED_OFF in self._bugs:
            return Health(Condition.FAILED, health.why)
        return health
