"""Asks this node's resources every few seconds whether they are alive, all of one type in one call.

The thorough question (*is alive*) is the one that counts. Where it is asked for, a cheap one (*looks alive*) is asked
in between, and an answer to it that is not as expected leads to the thorough one at once.

What is in maintenance is not asked while it runs. While it is off it is asked all the same: nobody else would notice
that somebody starts it, and then the report that nothing runs would be wrong.
"""

import asyncio
from collections.abc import Iterable, Mapping

import structlog

from outlast.core.owner.polling import Polling
from outlast.core.owner.resource import S, is_polled, runs_nothing
from outlast.model.health import Condition, Health
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, own_host
from outlast.service.hosting.local import Local
from outlast.service.hosting.resources import Resources

log = structlog.get_logger()

IS_ALIVE_DEADLINE_S = 3.0
IDLE_S = 1.0

_Host = tuple[str, str]
"""A type, and the one resource that the host is for, if it is for one."""
_Asked = Mapping[str, int]
"""The resources, each with how often its state had changed: an answer to an older question is none."""


class Poller:
    def __init__(self, resources: Resources, hosts: HostKeeper, clock: Clock) -> None:
        self._resources = resources
        self._hosts = hosts
        self._clock = clock
        self._thorough = Polling()
        self._cheap = Polling()
        self._asking: set[_Host] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._follow()
                deadlines = [at for at in (self._thorough.deadline(), self._cheap.deadline()) if at is not None]
                wait_s = min([IDLE_S, *(max(0.0, at - self._clock.now()) for at in deadlines)])
                await asyncio.sleep(wait_s)
                now = self._clock.now()
                thorough, cheap = self._thorough.due(now), self._cheap.due(now)
                for host, asked in self._by_host(self._local(thorough)).items():
                    if host not in self._asking:  # a slow plugin is asked again when it has answered
                        tasks.create_task(self._ask(host, asked))
                online = [local for local in self._local(set(cheap) - set(thorough)) if local.state is S.ONLINE]
                for host, asked in self._by_host(online).items():
                    if host not in self._asking:
                        tasks.create_task(self._ask_cheaply(host, asked))

    def _follow(self) -> None:
        """Watch over exactly the resources that are here."""
        locals_ = self._resources.locals
        for polling in (self._thorough, self._cheap):
            for name in [name for name in polling.watched() if name not in locals_]:
                polling.leave(name)
        now = self._clock.now()
        for name, local in locals_.items():
            self._thorough.watch(name, local.resource.is_alive_interval_s, now)
            if local.resource.looks_alive_interval_s > 0:
                self._cheap.watch(name, local.resource.looks_alive_interval_s, now)
            else:
                self._cheap.leave(name)

    def _local(self, names: Iterable[str]) -> list[Local]:
        found = (self._resources.locals.get(name) for name in names)
        return [local for local in found if local is not None and local.opened and self._is_asked(local)]

    def _is_asked(self, local: Local) -> bool:
        return is_polled(local.state) and (runs_nothing(local.state) or not self._resources.records.maintenance(local))

    def _by_host(self, locals: Iterable[Local]) -> dict[_Host, dict[str, int]]:
        found: dict[_Host, dict[str, int]] = {}
        for local in locals:
            found.setdefault((local.resource.type, own_host(local.resource)), {})[local.name] = local.changes
        return found

    async def _ask(self, host: _Host, asked: _Asked) -> None:
        self._asking.add(host)
        try:
            answers = await self._answers(host, asked, cheaply=False)
        finally:
            self._asking.discard(host)
        for name, health in answers.items():
            local = self._resources.locals.get(name)
            if local is not None and local.changes == asked.get(name):
                self._resources.judge(local, health)
        online = [name for name, health in answers.items() if health.condition is Condition.ONLINE]
        await self._resources.doubting.audit(self._local(online))

    async def _ask_cheaply(self, host: _Host, asked: _Asked) -> None:
        self._asking.add(host)
        try:
            answers = await self._answers(host, asked, cheaply=True)
        finally:
            self._asking.discard(host)
        doubtful = {
            name: changes
            for name, changes in asked.items()
            if name in answers and answers[name].condition is not Condition.ONLINE
        }
        if doubtful:
            await self._ask(host, doubtful)

    async def _answers(self, host: _Host, asked: _Asked, *, cheaply: bool) -> Mapping[str, Health]:
        type_name, alone = host
        names = list(asked)
        try:
            return await self._hosts.call(
                type_name,
                "looks_alive" if cheaply else "is_alive",
                IS_ALIVE_DEADLINE_S,
                lambda one, _: one.looks_alive(type_name, names) if cheaply else one.is_alive(type_name, names),
                alone=alone,
            )
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("cannot ask whether resources are alive", type=type_name, why=str(error))
            return {}
