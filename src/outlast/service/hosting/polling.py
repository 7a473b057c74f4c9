"""Asks this node's resources every few seconds whether they are alive, all of one type in one call."""

import asyncio
from collections.abc import Mapping

import structlog

from outlast.core.polling import Polling
from outlast.core.resource import is_polled
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.hosting.resources import Resources

log = structlog.get_logger()

IS_ALIVE_DEADLINE_S = 3.0
IDLE_S = 1.0


class Poller:
    def __init__(self, resources: Resources, hosts: HostKeeper, clock: Clock) -> None:
        self._resources = resources
        self._hosts = hosts
        self._clock = clock
        self._polling = Polling()
        self._asking: set[str] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._follow()
                deadline = self._polling.deadline()
                wait_s = IDLE_S if deadline is None else min(IDLE_S, max(0.0, deadline - self._clock.now()))
                await asyncio.sleep(wait_s)
                by_type: dict[str, dict[str, int]] = {}
                for name in self._polling.due(self._clock.now()):
                    local = self._resources.locals.get(name)
                    if local is not None and is_polled(local.state) and local.opened:
                        by_type.setdefault(local.resource.type, {})[name] = local.changes
                for type_name, asked in by_type.items():
                    if type_name not in self._asking:  # a slow plugin is asked again when it has answered
                        tasks.create_task(self._ask(type_name, asked))

    def _follow(self) -> None:
        """Watch over exactly the resources that are here."""
        locals_ = self._resources.locals
        for name in [name for name in self._polling.watched() if name not in locals_]:
            self._polling.leave(name)
        for name, local in locals_.items():
            self._polling.watch(name, local.resource.is_alive_interval_s, self._clock.now())

    async def _ask(self, type_name: str, asked: Mapping[str, int]) -> None:
        """`asked`: the resources, each with how often its state had changed: an answer to an older question is none."""
        self._asking.add(type_name)
        try:
            answers = await self._hosts.call(
                type_name, IS_ALIVE_DEADLINE_S, lambda host, _: host.is_alive(type_name, list(asked))
            )
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("cannot ask whether resources are alive", type=type_name, why=str(error))
            return
        finally:
            self._asking.discard(type_name)
        for name, health in answers.items():
            local = self._resources.locals.get(name)
            if local is not None and local.changes == asked.get(name):
                self._resources.judge(local, health)
