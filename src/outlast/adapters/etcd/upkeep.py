"""The upkeep port on etcd: sizes, defragmentation, and the alarm that makes all members refuse writes."""

import asyncio
from collections.abc import Sequence

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.access import MaybeDone, NotDone
from outlast.adapters.etcd.client import Client
from outlast.adapters.etcd.endpoint import Endpoint
from outlast.adapters.etcd.faults import Fault
from outlast.model.upkeep import Size
from outlast.ports.database import Unavailable

_ANSWER_S = 2.0
_FULL = "NOSPACE"


class EtcdUpkeep:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def sizes(self, *, timeout_s: float) -> Sequence[Size]:
        try:
            answer = await self._client.read(wire.MEMBERS, b"{}", wire.MembersAnswer, timeout_s=timeout_s)
        except Fault as fault:
            raise Unavailable(f"cannot learn the members of the cluster database: {fault}") from fault
        named = sorted((member.name, url) for member in answer.members for url in member.clientURLs[:1])
        return await asyncio.gather(*(self._size(name, url) for name, url in named))

    async def reclaim(self, url: str, *, timeout_s: float) -> None:
        await self._at(url, wire.DEFRAGMENT, b"{}", timeout_s, "give free space back to its disk")

    async def call_off(self, *, timeout_s: float) -> None:
        try:
            body = wire.encode(action="GET")
            alarms = (await self._client.read(wire.ALARM, body, wire.AlarmsAnswer, timeout_s=timeout_s)).alarms
            for alarm in alarms:
                if alarm.alarm == _FULL:
                    body = wire.encode(action="DEACTIVATE", memberID=alarm.memberID, alarm=alarm.alarm)
                    await self._client.write(wire.ALARM, body, wire.AlarmsAnswer, timeout_s=timeout_s)
        except Fault as fault:
            raise Unavailable(f"cannot call off the alarm of the cluster database: {fault}") from fault

    async def _size(self, name: str, url: str) -> Size:
        endpoint = self._client.access.endpoint(url)
        try:
            status = await self._client.access.ask(endpoint, wire.STATUS, b"{}", wire.StatusAnswer, timeout_s=_ANSWER_S)
        except (NotDone, MaybeDone, Fault):
            return Size(url, name, reachable=False)
        finally:
            endpoint.close()
        return Size(
            url,
            name,
            total_bytes=status.dbSize,
            used_bytes=status.dbSizeInUse,
            leads=status.leader == status.header.member_id,
            full=any(_FULL in error for error in status.errors),
        )

    async def _at(self, url: str, path: str, body: bytes, timeout_s: float, what: str) -> None:
        endpoint: Endpoint = self._client.access.endpoint(url)
        try:
            await self._client.access.ask(endpoint, path, body, wire.Answer, timeout_s=timeout_s)
        except (NotDone, MaybeDone, Fault) as error:
            raise Unavailable(f"the member of the database at {url} cannot {what}: {error}") from error
        finally:
            endpoint.close()
