"""Keeps this node's member of the cluster database running."""

import asyncio

import msgspec
import structlog

from outlast.ports.members import FIRST_START, LocalMember, Start

log = structlog.get_logger()

LOOK_S = 1.0


class MemberKeeper:
    def __init__(self, member: LocalMember) -> None:
        self._member = member

    async def run(self) -> None:
        while True:
            try:
                if not await self._member.runs():
                    await self._start()
            except OSError as error:
                log.warning("the member of the database cannot be started", why=str(error))
            await asyncio.sleep(LOOK_S)

    async def _start(self) -> None:
        first = self._member.marks().get(FIRST_START)
        if self._member.has_data():
            await self._member.start(Start({}))
        elif first is not None:
            await self._member.start(msgspec.json.decode(first, type=Start))
