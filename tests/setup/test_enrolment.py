"""The cluster's side of joins: what it answers, and what becomes of joins that nobody ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest

from outlast.adapters import pki
from outlast.adapters.sqlite import SqliteDatabase
from outlast.adapters.trust import FileTrust, write_secret
from outlast.core.joining import tokens
from outlast.core.membership.membership import Observer
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.enrolment import (
    Abandon,
    AskMember,
    AskVote,
    Done,
    Enrol,
    Enrolled,
    Finish,
    MayStart,
    Renew,
    Renewed,
    Wait,
)
from outlast.model.member import Member, MemberRecord, MemberStatus, Part
from outlast.model.node import Session
from outlast.model.settings import Settings
from outlast.ports.database import Compare, Uncertain
from outlast.ports.members import NotReady
from outlast.ports.peers import NotAnswered, PeerUnreachable
from outlast.service.commands.context import CommandError, Context, Nothing
from outlast.service.commands.tokens import Revoke, list_tokens, revoke
from outlast.service.config import EtcdConfig, MemberConfig, NodeConfig, PeersConfig
from outlast.service.joining.enrolment import Enrolment
from outlast.service.journal import Journal
from outlast.service.store import Store, put

CONFIG = NodeConfig(
    "n1",
    "etcd",
    address="10.0.0.1",
    etcd=EtcdConfig(("https://10.0.0.1:2379",)),
    member=MemberConfig(),
    peers=PeersConfig(),
)
FOUNDER = Member("1", "n1", ("https://10.0.0.1:2380",), ("https://10.0.0.1:2379",))
KEY = pki.create_key()
A = TypeVar("A")


class HandClock:
    """Turned by the test."""

    def __init__(self) -> None:
        self.wall_s = 1_000_000.0

    def now(self) -> float:
        return self.wall_s

    def wall(self) -> float:
        return self.wall_s


@dataclass
class ListedMembers:
    """The members of an etcd that is always well: a list. A learner has caught up once it has a name."""

    listed: list[Member] = field(default_factory=lambda: [FOUNDER])
    loses_an_answer: bool = False
    """The next change is made, and nobody hears of it."""

    def reach_at(self, client_urls: Sequence[str]) -> None:
        """There is one list."""

    async def list(self, *, timeout_s: float) -> Sequence[Member]:
        return tuple(self.listed)

    async def disk_s(self, client_url: str, *, within_s: float) -> float:
        return 0.0

    async def known_to(self, client_url: str, *, timeout_s: float) -> Sequence[Member]:
        return tuple(self.listed)

    async def add_learner(self, peer_urls: Sequence[str], *, timeout_s: float) -> Member:
        if any(member.learner for member in self.listed):
            raise ValueError("too many learner members in cluster")
        self.listed.append(Member(str(len(self.listed) + 1), "", tuple(peer_urls), learner=True))
        if self.loses_an_answer:
            self.loses_an_answer = False
            raise Uncertain("no answer in time")
        return self.listed[-1]

    async def promote(self, id: str, *, timeout_s: float) -> None:
        place = next(place for place, member in enumerate(self.listed) if member.id == id)
        if not self.listed[place].name:
            raise NotReady
        self.listed[place] = msgspec.structs.replace(self.listed[place], learner=False)

    async def remove(self, id: str, *, timeout_s: float) -> None:
        self.listed = [member for member in self.listed if member.id != id]

    async def move_leader(self, id: str, *, timeout_s: float) -> None:
        raise ValueError("nobody needs that here")

    async def status(self, client_url: str, *, timeout_s: float) -> MemberStatus:
        return MemberStatus("1", "1", 1, 1, "3.4.23")

    def start(self, name: str) -> None:
        place = next(place for place, member in enumerate(self.listed) if not member.name)
        self.listed[place] = msgspec.structs.replace(self.listed[place], name=name)

    def names(self) -> Sequence[str]:
        return [member.name + ("?" if member.learner else "") for member in self.listed]


@dataclass
class ListedPeers:
    """Machines that are there answer, and understand nothing."""

    here: set[str] = field(default_factory=set)

    async def ask(self, node: str, address: str, topic: str, question: bytes, *, timeout_s: float) -> bytes:
        if node in self.here:
            raise NotAnswered("what do you mean?")
        raise PeerUnreachable(f"{node} is not there")


@dataclass
class World:
    """As much of `Environment` as this part of the service touches."""

    clock: HandClock
    members: ListedMembers
    peers: ListedPeers
    random: Random = field(default_factory=Random)


class Scene:
    def __init__(self, directory: Path) -> None:
        self.clock = HandClock()
        self.members = ListedMembers()
        self.database = SqliteDatabase.open(str(directory / "cluster.db"))
        authority, authority_key = pki.create_authority("demo", "4711", datetime.now(UTC))
        write_secret(directory / "etc/pki/authority.crt", authority)
        write_secret(directory / "etc/pki/authority.key", authority_key)
        self.trust = FileTrust(directory / "etc")
        observer = Observer(timing(5.0), 0.0)
        self.store = Store("n1", self.database, self.clock, observer)
        self.peers = ListedPeers()
        world: Any = World(self.clock, self.members, self.peers)
        self.enrolment = Enrolment(CONFIG, world, self.trust, self.store, Journal("n1", self.clock))
        nobody: Any = None
        self.context = Context(
            self.store, nobody, nobody, nobody, nobody, nobody, nobody, self.clock, nobody, enrolment=self.enrolment
        )

    async def ask(self, question: msgspec.Struct, kind: type[A], asker: str = "") -> A:
        return msgspec.json.decode(await self.enrolment.answer(asker, msgspec.json.encode(question)), type=kind)

    async def token(self, part: Part = Part.NODE) -> str:
        return tokens.decode(await self.enrolment.give_out(part, 3600.0)).secret.hex()

    async def enrol(self, secret: str, name: str = "n2", **other: Any) -> Enrolled:
        number = name[1:]
        want = Enrol(secret, name, f"10.0.0.{number}", f"machine-{name}", pki.create_request(KEY), **other)
        return await self.ask(want, Enrolled)

    async def write(self, key: str, value: msgspec.Struct) -> None:
        await self.store.transact([Compare(key, 0)], [put(key, value)])

    async def cleared(self) -> None:
        """The coordinator's next round."""
        await self.enrolment.clear_once()


def played(directory: Path, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        scene = Scene(directory)
        reading = asyncio.create_task(scene.store.run())
        try:
            await scene.database.transact([], [put(keys.CLUSTER, Settings("demo", "4711"))], timeout_s=30.0)
            async with asyncio.timeout(60.0):
                await scene.store.ready.wait()
                await story(scene)
        finally:
            reading.cancel()
            await scene.database.close()

    asyncio.run(main())


def asks(secret: str, name: str = "n2") -> AskMember:
    return AskMember(secret, f"https://10.0.0.{name[1:]}:2379", f"https://10.0.0.{name[1:]}:2380")


def test_a_join_from_its_first_question_to_its_last(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        enrolled = await scene.enrol(secret)
        assert (enrolled.cluster, enrolled.cluster_id, enrolled.ours) == ("demo", "4711", True)
        assert pki.names_of(enrolled.certificate) == ("n2", "10.0.0.2")
        assert "pki/authority.key" in enrolled.files
        start = await scene.ask(asks(secret), MayStart)
        assert start.initial == {"n1": "https://10.0.0.1:2380", "n2": "https://10.0.0.2:2380"}
        assert isinstance(await scene.ask(AskVote(secret), Wait), Wait), "it has not started"
        scene.members.start("n2")
        await scene.ask(AskVote(secret), Done)
        assert scene.members.names() == ["n1", "n2"]
        await scene.ask(Finish(secret), Done)
        assert scene.store.joins == {}

    played(tmp_path, story)


def test_every_question_may_be_asked_again(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        for _ in range(2):
            await scene.enrol(secret)
        for _ in range(2):
            await scene.ask(asks(secret), MayStart)
        assert scene.members.names() == ["n1", "?"]
        scene.members.start("n2")
        for _ in range(2):
            await scene.ask(AskVote(secret), Done)
        for _ in range(2):
            await scene.ask(Finish(secret), Done)

    played(tmp_path, story)


def test_a_database_that_does_not_answer_for_a_moment_ends_no_join(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        scene.members.loses_an_answer = True
        assert "does not answer" in (await scene.ask(asks(secret), Wait)).words
        await scene.ask(asks(secret), MayStart)
        assert scene.members.names() == ["n1", "?"]

    played(tmp_path, story)


def test_a_witness_gets_no_key_and_no_secrets(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token(Part.WITNESS)
        assert (await scene.enrol(secret, part=Part.WITNESS)).files == {}
        assert scene.store.nodes == {}, "it is no node"

    played(tmp_path, story)


def test_members_join_one_at_a_time(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        first, second = await scene.token(), await scene.token()
        await scene.enrol(first, "n2")
        await scene.enrol(second, "n3")
        await scene.ask(asks(first, "n2"), MayStart)
        assert "one at a time" in (await scene.ask(asks(second, "n3"), Wait)).words
        scene.members.start("n2")
        await scene.ask(AskVote(first), Done)
        await scene.ask(asks(second, "n3"), MayStart)

    played(tmp_path, story)


def test_a_fourth_node_is_told_that_it_need_not_vote(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        for name in ("n2", "n3"):
            secret = await scene.token()
            await scene.enrol(secret, name)
            await scene.ask(asks(secret, name), MayStart)
            scene.members.start(name)
            await scene.ask(AskVote(secret), Done)
        # The founder's own record is written by its service.
        await scene.write(keys.MEMBERS + "n1", MemberRecord("n1"))
        fourth = await scene.token()
        await scene.enrol(fourth, "n4")
        assert "no more of them" in (await scene.ask(asks(fourth, "n4"), Done)).words
        assert "n4" in scene.store.members, "it may vote later"

    played(tmp_path, story)


def test_an_earlier_member_of_a_machine_that_begins_again_is_removed(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        await scene.ask(asks(secret), MayStart)
        scene.members.start("n2")
        assert "earlier" in (await scene.ask(asks(secret), Wait)).words
        assert scene.members.names() == ["n1"]
        await scene.ask(asks(secret), MayStart)

    played(tmp_path, story)


def test_a_join_that_is_given_up_leaves_the_cluster_as_it_was_and_its_token_to_the_same_machine(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        await scene.ask(asks(secret), MayStart)
        for _ in range(2):
            await scene.ask(Abandon(secret), Done)
        assert scene.members.names() == ["n1"]
        assert (scene.store.nodes, scene.store.members) == ({}, {})
        with pytest.raises(NotAnswered, match="another machine"):
            await scene.enrol(secret, "n3")
        await scene.enrol(secret, "n2")

    played(tmp_path, story)


def test_a_join_that_nobody_ends_is_cleared_away_after_ten_minutes(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        await scene.ask(asks(secret), MayStart)
        await scene.cleared()
        assert scene.members.names() == ["n1", "?"], "it has only just begun"
        scene.clock.wall_s += 601.0
        await scene.cleared()
        assert scene.members.names() == ["n1"]
        assert (scene.store.joins, scene.store.nodes, scene.store.members) == ({}, {}, {})

    played(tmp_path, story)


def test_a_join_whose_machine_died_just_before_the_end_is_ended_by_the_cluster(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        await scene.ask(asks(secret), MayStart)
        scene.members.start("n2")
        await scene.write(keys.SESSIONS + "n2", Session("n2", "life", 1, machine="machine-n2"))
        scene.clock.wall_s += 601.0
        await scene.cleared()
        assert scene.store.joins == {}
        assert "n2" in scene.members.names() or "n2?" in scene.members.names()
        assert "n2" in scene.store.nodes

    played(tmp_path, story)


@pytest.mark.parametrize("here", [True, False])
def test_a_witness_that_runs_has_joined_though_nobody_said_so_and_one_that_does_not_is_cleared_away(
    tmp_path: Path, here: bool
) -> None:
    async def story(scene: Scene) -> None:
        for name in ("n1", "n2"):
            await scene.write(keys.MEMBERS + name, MemberRecord(name))
        scene.members.listed.append(Member("2", "n2", ("https://10.0.0.2:2380",)))
        secret = await scene.token(Part.WITNESS)
        await scene.enrol(secret, "w9", part=Part.WITNESS)
        await scene.ask(asks(secret, "w9"), MayStart)
        scene.members.start("w9")
        if here:
            scene.peers.here.add("w9")
        scene.clock.wall_s += 601.0
        await scene.cleared()
        assert scene.store.joins == {}
        assert ("w9" in scene.store.members) == here
        assert ("w9?" in scene.members.names()) == here

    played(tmp_path, story)


def test_a_token_that_nobody_used_is_forgotten_when_it_has_expired(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.token()
        await scene.cleared()
        assert len(scene.store.joins) == 1
        scene.clock.wall_s += 3601.0
        await scene.cleared()
        assert scene.store.joins == {}

    played(tmp_path, story)


def test_nobody_joins_with_a_token_that_was_taken_back(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret, other = await scene.token(), await scene.token()
        for _ in range(2):
            assert await scene.enrolment.revoke(tokens.key_of(secret)) == ""
        with pytest.raises(NotAnswered, match="was taken back"):
            await scene.enrol(secret)
        await scene.enrol(other)

    played(tmp_path, story)


def test_a_token_taken_back_while_a_machine_joins_with_it_undoes_what_that_had_begun(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        await scene.ask(asks(secret), MayStart)
        assert await scene.enrolment.revoke(tokens.key_of(secret)) == ""
        assert scene.members.names() == ["n1"]
        assert (scene.store.joins, scene.store.nodes, scene.store.members) == ({}, {}, {})
        with pytest.raises(NotAnswered):
            await scene.ask(AskVote(secret), Done)

    played(tmp_path, story)


def test_a_machine_that_has_joined_is_not_thrown_out_by_its_token(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        await scene.ask(asks(secret), MayStart)
        scene.members.start("n2")
        await scene.write(keys.SESSIONS + "n2", Session("n2", "life", 1, machine="machine-n2"))
        assert "outlast node evict n2" in await scene.enrolment.revoke(tokens.key_of(secret))
        assert "n2" in scene.store.nodes

    played(tmp_path, story)


def test_all_tokens_are_those_that_nobody_uses_and_a_name_must_mean_one(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        used, second, third = [await scene.token() for _ in range(3)]
        await scene.enrol(used)
        ids = [tokens.id_of(tokens.key_of(secret)) for secret in (used, second, third)]
        assert sorted(row.id for row in await list_tokens(scene.context, Nothing())) == sorted(ids)
        for wrong, words in (("", "no such token"), ("never", f"there are: .*{ids[0]}")):
            with pytest.raises(CommandError, match=words):
                await revoke(scene.context, Revoke(wrong))
        one = await revoke(scene.context, Revoke(ids[1]))
        assert ([row.id for row in one.revoked], one.kept) == ([ids[1]], [])
        rest = await revoke(scene.context, Revoke("all"))
        assert [row.id for row in rest.revoked] == [ids[2]]
        assert [(row.id, row.name) for row in rest.kept] == [(ids[0], "n2")]
        named = await revoke(scene.context, Revoke(ids[0]))
        assert [row.name for row in named.revoked] == ["n2"]
        assert scene.store.joins == {}

    played(tmp_path, story)


def test_the_secret_of_a_token_is_nowhere_in_the_database(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        everything = await scene.database.read("", timeout_s=30.0)
        assert not [entry.key for entry in everything.entries if secret in entry.key or secret.encode() in entry.value]

    played(tmp_path, story)


def test_a_machine_of_the_cluster_gets_a_new_certificate_and_nobody_else_does(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        secret = await scene.token()
        await scene.enrol(secret)
        request = Renew(pki.create_request(KEY))
        renewed = await scene.ask(request, Renewed, asker="n2")
        assert pki.names_of(renewed.certificate) == ("n2", "10.0.0.2")
        for stranger in ("", "n9"):
            with pytest.raises(NotAnswered):
                await scene.ask(request, Renewed, asker=stranger)

    played(tmp_path, story)


def test_what_is_no_question_is_refused_with_words(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(NotAnswered, match="another version"):
            await scene.enrolment.answer("", b"{}")
        with pytest.raises(NotAnswered, match="begin again"):
            await scene.ask(AskVote("no such secret"), Done)

    played(tmp_path, story)
