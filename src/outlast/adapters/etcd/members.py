"""The members' port on etcd: who votes, and changes of that.

Etcd 3.4 lists its members from what the asked member has applied; asked right after a linearizable read there, that
is at least as new as the read. Etcd's ids are numbers of 64 bits, written here as its own tools write them.
"""

import asyncio
from collections.abc import Sequence

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.access import MaybeDone, NotDone
from outlast.adapters.etcd.client import Client
from outlast.adapters.etcd.faults import Fault, in_words
from outlast.adapters.etcd.wire import AnswerKind
from outlast.ports.database import Unavailable
from outlast.ports.members import Member, MemberStatus, NotReady

_NO_LEADER = "etcdserver: no leader"
_SYNC = "etcd_disk_wal_fsync_duration_seconds"
_ATTEMPT_S = 2.0
"""For one member, where one after the other is asked."""


class EtcdMembers:
    def __init__(self, client: Client) -> None:
        self._client = client

    def reach_at(self, client_urls: Sequence[str]) -> None:
        self._client.learn(client_urls)

    async def list(self, *, timeout_s: float) -> Sequence[Member]:
        read = wire.encode(**wire.span(self._client.access.prefix), limit=1, keys_only=True)
        answer, failures = await self._first_of(
            ((wire.RANGE, read, wire.RangeAnswer), (wire.MEMBERS, b"{}", wire.MembersAnswer)), timeout_s
        )
        if not isinstance(answer, wire.MembersAnswer):
            raise Unavailable(f"cannot learn the members of the cluster database: {failures}")
        return [_member(member) for member in answer.members]

    async def add_learner(self, peer_urls: Sequence[str], *, timeout_s: float) -> Member:
        body = wire.encode(peerURLs=list(peer_urls), isLearner=True)
        try:
            answer = await self._client.write(wire.ADD_MEMBER, body, wire.AddedAnswer, timeout_s=timeout_s)
        except Fault as fault:
            raise ValueError(f"cannot add a member at {', '.join(peer_urls)}: {fault}") from fault
        return _member(answer.member)

    async def promote(self, id: str, *, timeout_s: float) -> None:
        try:
            await self._change(wire.PROMOTE_MEMBER, id, timeout_s)
        except Fault as fault:
            if "in sync with leader" in fault.message:
                raise NotReady(f"member {id} cannot vote yet: it has not caught up with the leader") from fault
            raise ValueError(f"cannot let member {id} vote: {fault}") from fault

    async def remove(self, id: str, *, timeout_s: float) -> None:
        try:
            await self._change(wire.REMOVE_MEMBER, id, timeout_s)
        except Fault as fault:
            if "member not found" not in fault.message and "removed" not in fault.message:
                raise ValueError(f"cannot remove member {id}: {fault}") from fault

    async def move_leader(self, id: str, *, timeout_s: float) -> None:
        """Only the leader can do it; so the members are asked until one does."""
        body = wire.encode(targetID=int(id, 16))
        answer, failures = await self._first_of(((wire.MOVE_LEADER, body, wire.Answer),), timeout_s)
        if answer is None:
            raise ValueError(f"cannot make member {id} lead: {failures}")

    async def status(self, client_url: str, *, timeout_s: float) -> MemberStatus:
        answer = await self._ask(client_url, wire.STATUS, wire.StatusAnswer, timeout_s)
        return MemberStatus(
            id=f"{answer.header.member_id:x}",
            leader=f"{answer.leader:x}" if answer.leader else "",
            term=answer.raftTerm,
            index=answer.raftIndex,
            version=answer.version,
            database_bytes=answer.dbSize,
            problems=tuple(dict.fromkeys(in_words(error) for error in answer.errors if error != _NO_LEADER)),
        )

    async def disk_s(self, client_url: str, *, within_s: float) -> float:
        try:
            before = await self._syncs(client_url)
            await asyncio.sleep(within_s)
            after = await self._syncs(client_url)
        except (NotDone, MaybeDone, Fault):
            return 0.0
        count = after[0] - before[0]
        return (after[1] - before[1]) / count if count > 0 else 0.0

    async def known_to(self, client_url: str, *, timeout_s: float) -> Sequence[Member]:
        answer = await self._ask(client_url, wire.MEMBERS, wire.MembersAnswer, timeout_s)
        return [_member(member) for member in answer.members]

    async def _ask(self, client_url: str, path: str, kind: type[AnswerKind], timeout_s: float) -> AnswerKind:
        """What this very member knows by itself."""
        endpoint = self._client.kept(client_url)  # its keeper asks several times a second
        try:
            return await self._client.access.ask(endpoint, path, b"{}", kind, timeout_s=timeout_s)
        except (NotDone, MaybeDone, Fault) as error:
            endpoint.close()
            raise Unavailable(f"cannot ask the member at {client_url}: {error}") from error

    async def _syncs(self, client_url: str) -> tuple[float, float]:
        """How many writes to its log the member has waited for since it started, and for how long in all."""
        endpoint = self._client.kept(client_url)
        page = await self._client.access.page(endpoint, wire.METRICS, timeout_s=_ATTEMPT_S)
        found = dict(line.split(" ", 1) for line in page.decode().splitlines() if line.startswith(_SYNC))
        return float(found.get(f"{_SYNC}_count", 0)), float(found.get(f"{_SYNC}_sum", 0))

    async def _change(self, path: str, id: str, timeout_s: float) -> None:
        await self._client.write(path, wire.encode(ID=int(id, 16)), wire.Answer, timeout_s=timeout_s)

    async def _first_of(
        self, calls: Sequence[tuple[str, bytes, type[wire.Answer]]], timeout_s: float
    ) -> tuple[wire.Answer | None, str]:
        """The answer to the last of these calls by the first member that answers them all; else why none did."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        failures = []
        for endpoint in self._client.order():
            answer: wire.Answer | None = None
            try:
                for path, body, kind in calls:
                    patience_s = min(_ATTEMPT_S, max(0.0, deadline_s - loop.time()))
                    answer = await self._client.carry(endpoint, path, body, kind, patience_s)
                return answer, ""
            except (NotDone, MaybeDone, Fault) as error:
                failures.append(f"{endpoint.name}: {error}")
        return None, "; ".join(failures)


def _member(member: wire.WireMember) -> Member:
    return Member(
        id=f"{member.ID:x}",
        name=member.name,
        peer_urls=member.peerURLs,
        client_urls=member.clientURLs,
        learner=member.isLearner,
    )
