"""How does a machine that has a token become a node? This is the cluster's side, on any of its nodes.

The machine asks (topic `enrol`, `model/enrolment.py`), one small step after the other; each is safe to repeat, and each
may be its last. What a join that died has left is cleared away by the coordinator (`core/joining/joining.py` says
when): its token, its record, and its member, which does not vote before its machine has said that it runs.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec
import structlog

from outlast.core.joining import joining, tokens
from outlast.model import keys
from outlast.model.enrolment import (
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
    Renew,
    Renewed,
    Wait,
)
from outlast.model.member import Join, MemberRecord, Part
from outlast.model.node import Node
from outlast.model.roll import TOPIC as ROLL_CALL
from outlast.ports.database import Compare, Delete, Refused, Unavailable, Write
from outlast.ports.environment import Environment
from outlast.ports.members import Member, Members, NotReady
from outlast.ports.peers import NotAnswered, PeerUnreachable
from outlast.ports.trust import Trust, WrongRequest
from outlast.service.config import NodeConfig
from outlast.service.journal import Journal
from outlast.service.store import Store, put

log = structlog.get_logger()

ANSWER_S = 5.0
CLEAR_INTERVAL_S = 10.0
TOKEN_LIFETIME_S = 3600.0
LONGEST_LIFETIME_S = 7 * 24 * 3600.0


class Enrolment:
    def __init__(self, config: NodeConfig, env: Environment, trust: Trust, store: Store, journal: Journal) -> None:
        self._config = config
        self._env = env
        self._trust = trust
        self._store = store
        self._journal = journal

    async def give_out(self, part: Part, lifetime_s: float) -> str:
        """A new token. Raises `Unavailable`."""
        secret = secrets.token_bytes(tokens.SECRET_BYTES)
        join = Join(part, given_at_s=self._env.clock.wall(), lifetime_s=lifetime_s)
        hashed = tokens.key_of(secret.hex())
        key = keys.JOINS + hashed
        words = f"a token for a new {part.value} (id {tokens.id_of(hashed)}) was given out on {self._config.node}"
        await self._store.transact([Compare(key, 0)], [put(key, join), self._journal.event("joining", words)])
        address = self._config.address or self._config.node
        if self._config.peers and self._config.peers.port != joining.PORT:
            address += f":{self._config.peers.port}"
        return tokens.encode(tokens.Token(address, secret, self._trust.fingerprint()))

    async def revoke(self, hashed: str) -> str:
        """Nobody joins with this token any more, and a join that is under way with it is undone.

        Why that could not be; "" when it is so. Raises `Unavailable`.
        """
        key, join = keys.JOINS + hashed, self._store.joins.get(hashed)
        if join is None:
            return ""
        if joining.finished(join, self._store.sessions) or (join.part is Part.WITNESS and await self._answers(join)):
            return f"{join.name} has joined with it already; to be rid of that: outlast node evict {join.name}"
        if join.name:
            try:
                await self._undo(key, join, keep_token=False)
            except ValueError as error:
                return f"the member of {join.name} cannot be removed yet: {error}; try again"
        else:
            words = f"a token for a new {join.part.value} (id {tokens.id_of(hashed)}) was taken back on "
            await self._end(key, words + self._config.node)
        return "something changed at the same moment; try again" if hashed in self._store.joins else ""

    def certificate_left_s(self) -> float:
        """For how long this node's certificate is good. Raises OSError."""
        return self._trust.lifetime_s()[1]

    async def answer(self, asker: str, question: bytes) -> bytes:
        """The handler of the topic `enrol`."""
        try:
            asked: Question = msgspec.json.decode(question, type=Question)
        except msgspec.DecodeError as error:
            raise NotAnswered(
                f"that is no question of a machine that joins: {error}; is it of another version?"
            ) from None
        if not self._store.ready.is_set():
            raise NotAnswered(f"{self._config.node} has not read the cluster database yet")
        try:
            return msgspec.json.encode(await self._answer(asker, asked))
        except Unavailable as error:
            # What may have been written is found when the question is asked again: each of them is safe to repeat.
            return msgspec.json.encode(Wait(f"the cluster database does not answer: {error}"))
        except WrongRequest as error:
            raise NotAnswered(f"the request for a certificate cannot be granted: {error}") from error

    async def _answer(self, asker: str, asked: Question) -> Answer:
        if isinstance(asked, Renew):
            return self._renew(asker, asked)
        key = keys.JOINS + tokens.key_of(asked.secret)
        if isinstance(asked, Enrol):
            return await self._enrol(key, asked)
        join = self._store.joins.get(key.removeprefix(keys.JOINS))
        if join is None or not join.name:
            if isinstance(asked, Finish | Abandon):
                return Done()
            raise NotAnswered("no join is under way with this token; begin again")
        match asked:
            case AskMember():
                return await self._member(join, asked)
            case AskVote():
                return await self._vote(join)
            case Finish():
                await self._end(key, f"{join.name} joined the cluster", about=join.name)
                return Done()
            case Abandon():
                try:
                    await self._undo(key, join, keep_token=True)
                except ValueError as error:
                    return Wait(f"its member cannot be removed yet: {error}")
                return Done(f"{self._config.node} has forgotten {join.name}")
            case _:
                assert_never(asked)

    async def _enrol(self, key: str, want: Enrol) -> Enrolled:
        store = self._store
        everyone = {*store.members, *store.nodes}
        reason = joining.refusal(
            want,
            key.removeprefix(keys.JOINS),
            store.joins,
            store.nodes,
            store.sessions,
            everyone,
            self._env.clock.wall(),
        )
        if reason:
            raise NotAnswered(reason)
        before = store.joins[key.removeprefix(keys.JOINS)]
        join = msgspec.structs.replace(
            before, machine=want.machine, name=want.name, address=want.address, began_at_s=self._env.clock.wall()
        )
        certificate = self._trust.sign(want.request, _names(want.name, want.address))
        words = f"{want.name} ({want.address}) began to join the cluster"
        event = self._journal.event("joining", words, about=want.name)
        compares, writes = store.unchanged(key), [put(key, join), event]
        if want.part is Part.NODE and want.name not in store.nodes:
            compares += store.unchanged(keys.NODES + want.name)
            writes.append(put(keys.NODES + want.name, Node(want.name, want.address)))
        if isinstance(await store.transact(compares, writes), Refused):
            raise NotAnswered("its token was used at the same moment by somebody else; try again")
        etcd, settings = self._config.etcd, store.settings
        return Enrolled(
            cluster=settings.name,
            cluster_id=settings.id,
            node=self._config.node,
            authority=self._trust.authority(),
            certificate=certificate,
            endpoints=await self._endpoints(),
            prefix=etcd.prefix if etcd else "",
            user=etcd.user if etcd else "",
            node_timeout_s=settings.node_timeout_s,
            ours=self._config.member is not None or bool(store.members),
            at_s=self._env.clock.wall(),
            files=self._trust.shared() if want.part is Part.NODE else {},
        )

    async def _endpoints(self) -> tuple[str, ...]:
        if self._env.members is None:
            return self._config.etcd.endpoints if self._config.etcd else ()
        voters = [member for member in await self._list() if not member.learner]
        mine_first = sorted(voters, key=lambda member: member.name != self._config.node)
        return tuple(url for member in mine_first for url in member.client_urls)

    async def _member(self, join: Join, want: AskMember) -> Answer:
        """Its data is empty: a member that has its address and has run before is another one, and goes."""
        members = await self._list()
        mine = next((member for member in members if want.peer_url in member.peer_urls), None)
        if mine is not None and mine.name:
            try:
                await self._members.remove(mine.id, timeout_s=ANSWER_S)
            except ValueError as error:
                return Wait(f"an earlier member of {join.name} cannot be removed yet: {error}")
            return Wait(f"an earlier member of {join.name} was removed")
        await self._write_record(join, want)
        if mine is None:
            other = next((member for member in members if member.learner or not member.name), None)
            if other is not None:
                return Wait(f"{other.name or 'another machine'} is joining just now, and members join one at a time")
            voting = [self._store.members[member.name].part for member in members if member.name in self._store.members]
            witnesses = sum(record.part is Part.WITNESS for record in self._store.members.values())
            most = self._store.settings.most_voters
            if why := joining.need_not_vote(join.part, voting.count(Part.NODE), witnesses, most):
                return Done(why)
            try:
                await self._members.add_learner([want.peer_url], timeout_s=ANSWER_S)
            except ValueError as error:
                return Wait(f"the database takes no new member just now: {error}")
        others = {member.name: member.peer_urls[0] for member in members if member is not mine}
        return MayStart({**others, join.name: want.peer_url})

    async def _write_record(self, join: Join, want: AskMember) -> None:
        """It can carry a member, whether or not it does so now."""
        record = MemberRecord(join.name, join.part, join.address, want.client_url, want.peer_url)
        key = keys.MEMBERS + join.name
        if self._store.members.get(join.name) != record:
            await self._store.transact(self._store.unchanged(key), [put(key, record)])

    async def _vote(self, join: Join) -> Answer:
        members = await self._list()
        mine = next((member for member in members if member.name == join.name), None)
        if mine is None:
            return Wait(f"the member of {join.name} has not started yet")
        if not mine.learner:
            return Done(f"{join.name} votes")
        try:
            await self._members.promote(mine.id, timeout_s=ANSWER_S)
        except (NotReady, ValueError) as error:
            return Wait(str(error) or f"the member of {join.name} has not read all of the database yet")
        return Done(f"{join.name} votes")

    def _renew(self, asker: str, want: Renew) -> Renewed:
        machine = self._store.members.get(asker) or self._store.nodes.get(asker)
        if machine is None:
            raise NotAnswered(f'"{asker}" is no machine of this cluster' if asker else "strangers get no certificate")
        log.info("certificate renewed", machine=asker)
        return Renewed(self._trust.sign(want.request, _names(asker, machine.address)))

    async def clear(self, coordinates: Callable[[], bool]) -> None:
        """For ever: end what nobody else will end."""
        while True:
            await asyncio.sleep(CLEAR_INTERVAL_S)
            if not self._store.joins or not coordinates():
                continue
            try:
                await self.clear_once()
            except (Unavailable, ValueError) as error:
                log.warning("what a join left cannot be cleared away yet", why=str(error))

    async def clear_once(self) -> None:
        """What the coordinator does in each of its rounds."""
        for hashed, join in tuple(self._store.joins.items()):
            if joining.finished(join, self._store.sessions):
                await self._end(keys.JOINS + hashed, f"{join.name} joined the cluster", about=join.name)
            elif joining.abandoned(join, self._store.sessions, self._env.clock.wall()):
                if join.part is Part.WITNESS and await self._answers(join):
                    await self._end(keys.JOINS + hashed, f"{join.name} joined the cluster", about=join.name)
                else:
                    await self._undo(keys.JOINS + hashed, join, keep_token=False)

    async def _answers(self, join: Join) -> bool:
        """A witness has no session; that it runs shows in that it says anything at all."""
        if self._env.peers is None or not join.name:
            return False
        try:
            await self._env.peers.ask(join.name, join.address, ROLL_CALL, b"", timeout_s=ANSWER_S)
        except PeerUnreachable:
            return False
        except NotAnswered:
            return True
        return True

    async def _undo(self, key: str, join: Join, *, keep_token: bool) -> None:
        """The member first: when everything else is gone, nobody would find it any more."""
        if not join.name:
            await self._end(key, f"a token for a new {join.part.value} was not used in time")
            return
        record = self._store.members.get(join.name)
        if record is not None and self._env.members is not None:
            for member in await self._list():
                if record.peer_url in member.peer_urls:
                    await self._members.remove(member.id, timeout_s=ANSWER_S)
        writes: list[Write] = [Delete(keys.MEMBERS + join.name)]
        if join.name not in self._store.sessions:
            writes.append(Delete(keys.NODES + join.name))
        if keep_token:
            free = msgspec.structs.replace(join, name="", address="", began_at_s=0.0)
            writes.append(put(key, free))
        else:
            writes.append(Delete(key))
        words = f"{join.name} did not join: what it had begun is cleared away"
        event = self._journal.event("joining", words, about=join.name)
        compares = self._store.unchanged(
            key, keys.MEMBERS + join.name, keys.NODES + join.name, keys.SESSIONS + join.name
        )
        await self._store.transact(compares, [*writes, event])

    async def _end(self, key: str, words: str, about: str = "") -> None:
        event = self._journal.event("joining", words, about=about)
        await self._store.transact(self._store.unchanged(key), [Delete(key), event])

    @property
    def _members(self) -> Members:
        if self._env.members is None:
            raise NotAnswered("the database of this cluster has no members that Outlast could add to")
        return self._env.members

    async def _list(self) -> Sequence[Member]:
        return await self._members.list(timeout_s=ANSWER_S)


def _names(name: str, address: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in (name, address) if part))
