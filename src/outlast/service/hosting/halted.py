"""VMs that an I/O error has paused: lets them try again, and gives up here when another node sees their disks answer.

When what is decided in `core/owner/halting.py`.
"""

import asyncio
from collections.abc import Coroutine

import msgspec
import structlog

from outlast.core.owner.halting import Halted, Step, next_step
from outlast.core.owner.resource import S
from outlast.model import keys
from outlast.model.group import Definition, Group
from outlast.model.health import Halt
from outlast.ports.database import Unavailable
from outlast.ports.environment import Environment
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, own_host
from outlast.service.hosting.local import Local, Remark
from outlast.service.hosting.resources import Resources
from outlast.service.hosting.surveys import Surveys
from outlast.service.store import READ_TIMEOUT_S, Store

log = structlog.get_logger()

GO_ON_S = 15.0
READ_DISKS = "read_disks"
"""The verb of the type: why this node cannot read from the disks of a definition."""


class Halting:
    def __init__(
        self, store: Store, env: Environment, resources: Resources, hosts: HostKeeper, surveys: Surveys
    ) -> None:
        self._store = store
        self._env = env
        self._resources = resources
        self._hosts = hosts
        self._surveys = surveys
        self._halted: dict[str, Halted] = {}
        self._at_work: set[str] = set()

    def look(self, local: Local, tasks: asyncio.TaskGroup) -> None:
        """Called again and again for whatever is here."""
        by_io = local.state is S.ONLINE and local.halt in (Halt.IO_ERROR, Halt.NO_SPACE)
        group = self._resources.records.group(local)
        if not by_io or group is None or group.owner != self._store.me:
            if (
                local.name not in self._at_work
                and self._halted.pop(local.name, None) is not None
                and local.state is S.ONLINE
            ):
                self._remark(local, "goes on", "its disks answer again" if local.halt is Halt.NOTHING else local.why)
            return
        if local.name in self._at_work or not local.is_idle or not self._resources.records.permitted(local):
            return
        now = self._env.clock.now()
        halted = self._halted.get(local.name)
        if halted is None:
            halted = self._halted[local.name] = Halted(now)
            self._remark(local, "stands still", local.why)
        step = next_step(halted, local.halt, local.resource.guest, now, self._resources.records.left_alone(local))
        if step is Step.FAIL:
            self._fail(local, group, halted, now)
        elif step is not Step.WAIT:
            self._at_work.add(local.name)
            work = self._try(local, halted) if step is Step.TRY else self._ask_others(local, group, halted)
            tasks.create_task(self._working(local.name, work))

    async def _working(self, name: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            self._at_work.discard(name)

    async def _try(self, local: Local, halted: Halted) -> None:
        tried = msgspec.structs.replace(halted, tries=halted.tries + 1, tried_at_s=self._env.clock.now())
        self._halted[local.name] = tried
        try:
            await self._hosts.call(
                local.resource.type,
                "go_on",
                GO_ON_S,
                lambda host, _: host.go_on(local.name),
                blame=False,
                alone=own_host(local.resource),
            )
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("it cannot go on after an I/O error", resource=local.name, why=str(error))

    async def _ask_others(self, local: Local, group: Group, halted: Halted) -> None:
        self._halted[local.name] = msgspec.structs.replace(halted, asked_at_s=self._env.clock.now())
        resource, store = local.resource, self._store
        nodes = [
            node
            for node in sorted(group.possible_owners or store.nodes)
            if node != store.me
            and node in store.sessions
            and node not in store.silences
            and (node not in resource.blind_on or resource.blind_on[node].doubt)
        ]
        if not nodes:
            return
        try:
            definition = await self._definition(local.name)
            answers = await self._surveys.ask(nodes, resource.type, READ_DISKS, {"definition": definition})
        except Unavailable as error:
            log.warning("cannot ask whether the disks answer elsewhere", resource=local.name, why=str(error))
            return
        able = [node for node, answer in answers.items() if not answer.problem and answer.result == []]
        known = self._halted.get(local.name)
        if known is not None:
            self._halted[local.name] = msgspec.structs.replace(known, elsewhere=able[0] if able else "")

    async def _definition(self, name: str) -> str:
        key = keys.DEFINITIONS + name
        snapshot = await self._store.database.read(key, timeout_s=READ_TIMEOUT_S)
        found = (entry.value for entry in snapshot.entries if entry.key == key)
        return next((msgspec.json.decode(value, type=Definition).text for value in found), "")

    def _fail(self, local: Local, group: Group, halted: Halted, now_s: float) -> None:
        why = f"{local.why}, for {now_s - halted.since_s:.0f} s; its disks answer on {halted.elsewhere}"
        local.spent_epoch = group.epoch  # here its disks do not answer
        self._halted.pop(local.name)
        if not_done := self._resources.fail(local.name, group.epoch, why):
            log.warning("it did not fail for its disks", resource=local.name, why=not_done)

    def _remark(self, local: Local, what: str, why: str) -> None:
        words = f"{local.name} {what} on {self._store.me}: {why}"
        self._resources.remarks.append(Remark("guest", words, local.resource.group))
        self._resources.changed.set()
