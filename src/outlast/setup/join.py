"""How does this machine become a node of a cluster that is there? The other side: `service/joining/enrolment.py`.

Until its member runs, everything can be taken back, and is, when a step fails or somebody stops it. What a kill or a
power cut leaves is cleared away by the next `join` here, and on the cluster's side by the coordinator.
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from outlast.adapters import pki
from outlast.adapters.peers import WrongAuthority, ask_as_stranger
from outlast.adapters.peers.wire import split_address
from outlast.adapters.trust import write_secret
from outlast.core.joining import joining, tokens
from outlast.model.enrolment import (
    TOPIC,
    Abandon,
    Answer,
    AskMember,
    AskVote,
    Done,
    Enrol,
    Enrolled,
    Finish,
    MayStart,
    Question,
    Wait,
)
from outlast.model.member import Part
from outlast.ports.peers import NotAnswered, PeerUnreachable
from outlast.service.config import EtcdConfig, NodeConfig
from outlast.setup import checks, libvirt, programs, service, writing
from outlast.setup.checks import Tell
from outlast.setup.machine import MEMBER, SERVICE, WITNESS, Machine, Mark, SetupError, one_at_a_time

ASK_S = 15.0
AGAIN_S = 0.2
CONTACT_PATIENCE_S = 20.0
MEMBER_PATIENCE_S = 300.0
"""Members join one at a time, and each may have a large database to read."""
ABANDON_PATIENCE_S = 30.0

A = TypeVar("A")
B = TypeVar("B")


class Wanted(msgspec.Struct, frozen=True):
    token: str
    host: str = ""
    node: str = ""
    address: str = ""
    part: Part = Part.NODE
    settings: Path | None = None


class Joined(msgspec.Struct, frozen=True):
    cluster: str
    id: str
    node: str
    address: str
    votes: bool
    words: str
    """Of its vote, for people."""
    unprovable: tuple[str, ...] = ()


class Gate:
    """The node that is asked, and what opens it. Raises `SetupError` when it refuses or is not there."""

    def __init__(self, host: str, token: str) -> None:
        try:
            self._token = tokens.decode(token)
        except tokens.WrongToken as error:
            raise SetupError("usage", f"cannot use this token: {error}") from error
        self.host = host or self._token.address
        self.secret = self._token.secret.hex()

    async def ask(self, question: Question, kind: type[A], patience_s: float = CONTACT_PATIENCE_S) -> A:
        """Every question is safe to repeat, so one that was not answered is asked again."""
        body = msgspec.json.encode(question)
        deadline = time.monotonic() + patience_s
        while True:
            try:
                answer = await ask_as_stranger(
                    self.host, TOPIC, body, fingerprint=self._token.fingerprint, timeout_s=ASK_S
                )
                return msgspec.json.decode(answer, type=kind)
            except WrongAuthority as error:
                raise SetupError("usage", str(error)) from error
            except PeerUnreachable as error:
                if time.monotonic() > deadline:
                    raise SetupError("no-contact", f"cannot reach the cluster at {self.host}: {error}") from error
            except NotAnswered as refusal:
                raise SetupError("impossible", f"{self.host} does not let this machine join: {refusal}") from refusal
            except msgspec.DecodeError as error:
                raise SetupError("failed", f"{self.host} is of another version of Outlast: {error}") from error
            await asyncio.sleep(AGAIN_S)

    async def until(
        self, question: Question, kind: type[A] | tuple[type[A], type[B]], tell: Tell, patience_s: float
    ) -> A | B:
        """As long as it says "not yet"."""
        deadline, told = time.monotonic() + patience_s, ""
        while True:
            answer: Answer = await self.ask(question, Answer)  # type: ignore[arg-type]
            if isinstance(answer, kind):
                return answer
            words = answer.words if isinstance(answer, Wait) else "it answers something else"
            if time.monotonic() > deadline:
                raise SetupError("failed", f"{self.host} was waited for in vain for {patience_s:g} s: {words}")
            if words != told:
                tell(f"waiting: {words}")
                told = words
            await asyncio.sleep(AGAIN_S)


async def join(wanted: Wanted, machine: Machine, tell: Tell) -> Joined:
    """Raises `SetupError`; then nothing of it is left here, or the words say what to do."""
    checks.require_root()
    checks.require_supervisor(machine)
    gate = Gate(wanted.host, wanted.token)
    with one_at_a_time(machine):
        await clear_earlier_try(machine, tell)
        checks.require_new(machine)
        node, address, more = await _check(wanted, machine, gate, tell)
        mark = Mark("join", node, gate.host, wanted.token)
        machine.set_mark(mark)
        try:
            enrolled, config = await _enrol(wanted, machine, gate, node, address, more, tell)
            words = "its database is an etcd that Outlast does not run"
            if enrolled.ours:
                machine.set_mark(msgspec.structs.replace(mark, asked_member=True))
                words = await _ask_for_member(machine, gate, config, tell)
            tell("starting the witness" if wanted.part is Part.WITNESS else "starting the cluster service")
            programs.install(machine, witness=wanted.part is Part.WITNESS)
            if wanted.part is Part.WITNESS:
                await machine.program(WITNESS).start()
            else:
                await machine.start_service()
            if wanted.part is Part.NODE:
                await service.wait_until_up(machine, node, tell)
        except BaseException:
            tell("taking back what was done")
            await _take_back(machine, tell)
            raise
        # From here on it is a node. What fails now is mended by the cluster itself.
        machine.clear_mark()
    votes, words = (False, words) if words else await _vote(gate, tell)
    await gate.until(Finish(gate.secret), Done, tell, CONTACT_PATIENCE_S)
    unprovable = service.call(machine, "cluster.unprovable") if wanted.part is Part.NODE else []
    return Joined(
        enrolled.cluster, enrolled.cluster_id, node, address, votes, words, msgspec.convert(unprovable, tuple[str, ...])
    )


async def clear_earlier_try(machine: Machine, tell: Tell) -> None:
    """What a killed `create` or `join` has left."""
    if machine.mark() is not None:
        tell("clearing away what an earlier try has left")
        await _take_back(machine, tell)


async def _check(wanted: Wanted, machine: Machine, gate: Gate, tell: Tell) -> tuple[str, str, Mapping[str, object]]:
    tell("looking at this machine")
    node = checks.node_name(wanted.node)
    address = checks.own_address(wanted.address, towards=split_address(gate.host)[0])
    checks.etcd_program()
    checks.ports_are_free(address, joining.PORT, checks.CLIENT_PORT, checks.PEER_PORT)
    if wanted.part is Part.NODE:
        await checks.libvirt_answers()
    return node, address, checks.settings_file(wanted.settings)


async def _enrol(
    wanted: Wanted,
    machine: Machine,
    gate: Gate,
    node: str,
    address: str,
    more: Mapping[str, object],
    tell: Tell,
) -> tuple[Enrolled, NodeConfig]:
    tell(f"asking {gate.host}")
    key = pki.create_key()
    question = Enrol(gate.secret, node, address, machine.id(), pki.create_request(key), wanted.part)
    enrolled = await gate.until(question, Enrolled, tell, CONTACT_PATIENCE_S)
    checks.clock_difference(enrolled.at_s, time.time(), enrolled.node)
    for name, text in enrolled.files.items():
        write_secret(_below(machine.etc, name), text)
    write_secret(machine.authority, enrolled.authority)
    write_secret(machine.key, key)
    write_secret(machine.certificate, enrolled.certificate)
    if enrolled.ours:
        endpoints = (writing.client_url(address), *enrolled.endpoints)
        access = writing.etcd_access(machine, endpoints, enrolled.prefix)
    else:
        access = _foreign(machine, enrolled)
    cluster = writing.Cluster(enrolled.cluster, enrolled.cluster_id, enrolled.node_timeout_s, access, enrolled.ours)
    config = writing.config(machine, node, address, cluster, more)
    if wanted.part is Part.NODE:
        config = await libvirt.made_movable(machine, config, tell)
    writing.write_config(machine, config, "join")
    return enrolled, config


async def _ask_for_member(machine: Machine, gate: Gate, config: NodeConfig, tell: Tell) -> str:
    """Why it carries no member now; "" when it does."""
    assert config.member is not None
    question = AskMember(gate.secret, config.member.client_url, config.member.peer_url)
    answer = await gate.until(question, (MayStart, Done), tell, MEMBER_PATIENCE_S)
    if isinstance(answer, Done):
        return answer.words
    writing.member(machine, config).mark(writing.first_start(answer.initial, existing=True))
    return ""


async def _vote(gate: Gate, tell: Tell) -> tuple[bool, str]:
    """No failure of the join: a member that lags behind votes later, by itself."""
    try:
        done = await gate.until(AskVote(gate.secret), Done, tell, MEMBER_PATIENCE_S)
    except SetupError as error:
        return False, f"its member does not vote yet ({error}); `outlast quorum show` says when it does"
    return True, done.words


async def _take_back(machine: Machine, tell: Tell) -> None:
    """First the session, then what the cluster knows of this machine, last what is here: while the cluster may count on
    a member here, its data must not go."""
    mark = machine.mark()
    if mark is None:
        return  # its service has a session meanwhile: it is a node, and goes as nodes go
    await machine.stop(SERVICE, WITNESS)
    if mark.what == "join":
        gate = Gate(mark.host, mark.token)
        try:
            await gate.until(Abandon(gate.secret), Done, tell, ABANDON_PATIENCE_S)
        except SetupError as error:
            if mark.asked_member:
                raise SetupError(
                    "impossible",
                    f"cannot take back what this machine has begun: {error}. The cluster may count on its member, so "
                    "nothing was thrown away; try again when it can be reached, with the same command",
                ) from error
    await machine.stop(MEMBER)
    await libvirt.take_back(machine)
    await machine.sweep()


def _foreign(machine: Machine, enrolled: Enrolled) -> EtcdConfig:
    def path(name: str) -> str:
        return str(machine.etc / name) if name in enrolled.files else ""

    return EtcdConfig(
        enrolled.endpoints,
        prefix=enrolled.prefix,
        foreign=True,
        ca=path("pki/etcd-ca.crt"),
        certificate=path("pki/etcd.crt"),
        key=path("pki/etcd.key"),
        user=enrolled.user,
        password_file=path("etcd-password"),
    )


def _below(directory: Path, name: str) -> Path:
    path = directory / name
    if ".." in Path(name).parts or not path.is_relative_to(directory):
        raise SetupError("failed", f'the cluster sent a file "{name}", which would not lie below {directory}')
    return path
