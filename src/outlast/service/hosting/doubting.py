"""Asks the second witness before a plugin's word is believed (`core/owner/witness.py` says when, and what it means).

The second witness is `discover()` of the same type, in the same host. It answers for all of the type at once, so those
who want to know at the same moment ask once. One that does not answer contradicts nobody, and is not blamed.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from outlast.core.owner.resource import E, S, found, runs_nothing
from outlast.core.owner.witness import contradiction, is_asked
from outlast.model.health import Condition, Found, Health
from outlast.model.node import Offer
from outlast.plugin import OWN_WITNESS
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, own_host
from outlast.service.hosting.local import Local
from outlast.service.hosting.records import Records

log = structlog.get_logger()

WITNESS_S = 1.0
AGAIN_S = 0.4
ASKS = 3
"""So often in a row must the two contradict each other: what ends in this moment is seen by one of them first."""
AUDIT_S = 30.0
"""So often what is called online is held against the list as well."""

_Asked = tuple[str, str]
"""A type, and the one resource that the host is for, if it is for one."""


class Doubting:
    def __init__(
        self,
        hosts: HostKeeper,
        records: Records,
        clock: Clock,
        believe: Callable[[Local, Health], None],
        tell: Callable[[Local, str], None],
    ) -> None:
        """`believe`: takes a word that nobody contradicts. `tell`: what begins or ends to be doubted, in words."""
        self._hosts = hosts
        self._records = records
        self._clock = clock
        self._believe = believe
        self._tell = tell
        self._asking: dict[_Asked, asyncio.Task[Sequence[Found] | None]] = {}
        self._next: dict[_Asked, asyncio.Task[Sequence[Found] | None]] = {}
        """Who asks now gets the next answer: the present one may be older than what is to be borne out."""
        self._audited_s: dict[_Asked, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, local: Local, health: Health) -> None:
        """What a plugin found out about a resource, by itself or when asked."""
        ran = self._records.was_online(local) or bool(local.must_stop)
        event = found(health)
        if not self._is_needed(local) or not is_asked(local.state, event, ran=ran, doubted=bool(local.doubt)):
            # It may be older than what is being borne out just now: then the list decides.
            local.retracted = True
            if runs_nothing(local.state) and event is not E.FOUND_UNCERTAIN:
                self._doubt(local, "")
            self._believe(local, health)
        elif local.claim != health:
            local.claim, local.retracted = health, False
            task = asyncio.create_task(self._weigh(local, health, local.changes), name=f"witness {local.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def runs_on(self, local: Local) -> str:
        """After the plugin has stopped it: why that is not believed, for people; "" when it is."""
        if not self._is_needed(local):
            return ""
        words = await self._contradicts(local, E.FOUND_OFFLINE)
        self._doubt(local, words)
        return words

    async def audit(self, locals: Iterable[Local]) -> None:
        """These were just called online, all of one host. Now and then they are held against the list."""
        online = [local for local in locals if local.state is S.ONLINE and self._is_needed(local)]
        if not online:
            return
        host, now = _host_of(online[0]), self._clock.now()
        if now < self._audited_s.setdefault(host, now) + AUDIT_S and not any(local.missed for local in online):
            return
        self._audited_s[host] = now
        before = {local.name: local.changes for local in online}
        listed = await self._listed(host)
        for local in online if listed is not None else ():
            if local.changes != before[local.name]:
                continue
            words = contradiction(E.FOUND_ONLINE, local.resource.type, local.resource.identity, listed or ())
            local.missed = local.missed + 1 if words else 0
            if local.missed >= ASKS - 1:
                local.missed = 0
                self._doubt(local, words)
                self._believe(local, _cannot_tell(words))

    def _is_needed(self, local: Local) -> bool:
        """A type that has a second witness of its own needs no other."""
        offer = self._hosts.offers().get(local.resource.type, Offer(local.resource.type))
        return bool(local.resource.identity) and OWN_WITNESS not in offer.functions

    async def _weigh(self, local: Local, health: Health, changes: int) -> None:
        words = await self._contradicts(local, found(health))
        if local.claim is not health:
            return  # another one is being borne out
        local.claim = None
        if local.changes != changes or (words and local.retracted):
            return
        self._doubt(local, words)
        if not words:
            self._believe(local, health)
        elif not runs_nothing(local.state):
            self._believe(local, _cannot_tell(words))

    async def _contradicts(self, local: Local, event: E) -> str:
        """Why that word is not believed; "" when it is, or nobody can be asked."""
        words = ""
        for attempt in range(ASKS):
            if attempt:
                await asyncio.sleep(AGAIN_S)
            listed = await self._listed(_host_of(local))
            if listed is None:
                return ""
            words = contradiction(event, local.resource.type, local.resource.identity, listed)
            if not words:
                return ""
        return words

    async def _listed(self, host: _Asked) -> Sequence[Found] | None:
        asked = self._next.get(host)
        if asked is None:
            asked = self._next[host] = asyncio.create_task(self._ask(host, self._asking.get(host)))
        return await asyncio.shield(asked)

    async def _ask(self, host: _Asked, before: "asyncio.Task[Sequence[Found] | None] | None") -> Sequence[Found] | None:
        if before is not None:
            await asyncio.wait([before])
        self._asking[host] = self._next.pop(host)
        type_name, alone = host
        try:
            return await self._hosts.call(
                type_name, "discover", WITNESS_S, lambda one, _: one.discover(type_name), blame=False, alone=alone
            )
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.info("no second witness", type=type_name, why=str(error))
            return None

    def _doubt(self, local: Local, words: str) -> None:
        if words and not local.doubt:
            self._tell(local, f"{local.name}: {words}")
        elif local.doubt and not words:
            self._tell(local, f"{local.name}: what its plugin says of it is believed again")
        local.doubt = words


def _host_of(local: Local) -> _Asked:
    return local.resource.type, own_host(local.resource)


def _cannot_tell(words: str) -> Health:
    return Health(Condition.UNKNOWN, words, running=True)
