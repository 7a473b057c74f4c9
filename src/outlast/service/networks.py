"""Tells the cluster how the networks that guests need are on this node, whenever that changes.

It looks at the links when the kernel says that one has changed, or when other networks are needed. Which links one of
libvirt's networks amounts to here, the VM plugin is asked; again when links come or go, and now and then. Told is it in
the session, whose record is written anyway; and as an event when a network is lost or back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import structlog

from outlast.core.network.links import NETWORK, called, places_of, state_of
from outlast.core.network.settling import Settling
from outlast.model import keys
from outlast.model.network import Link, NetworkState, Place
from outlast.ports.database import Unavailable
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed, HostDied
from outlast.ports.links import Links
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.hosting.looking import VM
from outlast.service.journal import Journal
from outlast.service.store import Store, Subscription

log = structlog.get_logger()

VERB = "networks"
RESOLVED_AGAIN_S = 60.0
"""What libvirt's networks are is asked so often, if no link has changed meanwhile."""
ANSWER_S = 5.0
RETRY_S = 5.0


class Networks:
    def __init__(
        self,
        store: Store,
        hosts: HostKeeper,
        journal: Journal,
        clock: Clock,
        links: Links,
        tell: Callable[[tuple[NetworkState, ...]], None],
    ) -> None:
        self._store = store
        self._hosts = hosts
        self._journal = journal
        self._clock = clock
        self._links = links
        self._tell = tell
        self._settling = Settling()
        self._resolved: dict[str, Place] = {}
        """libvirt's networks by name."""
        self._resolved_at = float("-inf")
        self._seen: frozenset[str] = frozenset()

    def goes_on(self, incarnation: str) -> None:
        """Before the session is continued: what a service before this one told in the same life still holds."""
        session = self._store.sessions.get(self._store.me)
        if session is not None and incarnation and session.incarnation == incarnation and session.networks:
            self._settling = Settling(session.networks)
            self._tell(session.networks)

    async def run(self) -> None:
        changes = self._store.subscribe(keys.RESOURCES, keys.CLUSTER)
        while True:
            try:
                needed = sorted({name for one in self._store.resources.values() for name in one.networks})
                if needed:
                    await self._wait(changes, await self._look(needed))
                else:
                    self._settling.look({}, self._clock.now(), 0.0)
                    self._tell(())
                    await changes.wait()
            except OSError as error:
                log.warning("cannot see the links of this machine", why=str(error))
                await asyncio.sleep(RETRY_S)

    async def _look(self, needed: Sequence[str]) -> float | None:
        """Returns in how many seconds to look again although nothing has changed."""
        links = {link.name: link for link in self._links.read()}
        await self._resolve(needed, links)
        before, now = dict(self._settling.told), self._clock.now()
        found = {network: state for network in needed if (state := self._judge(network, links)) is not None}
        delay_s = self._store.settings.network_delay_s
        told = self._settling.look(found, now, delay_s)
        self._tell(told)
        await self._write(before, told)
        waits = [self._settling.due_in_s(now, delay_s)]
        if any(_is_libvirts(network) for network in needed):
            waits.append(max(0.0, self._resolved_at + RESOLVED_AGAIN_S - now))
        return min((one for one in waits if one is not None), default=None)

    def _judge(self, network: str, links: Mapping[str, Link]) -> NetworkState | None:
        place = places_of(network, self._resolved)
        before = self._settling.told.get(network)
        return None if place is None else state_of(network, place, links, before)

    async def _resolve(self, needed: Iterable[str], links: Mapping[str, Link]) -> None:
        names = sorted(network.partition("/")[2] for network in needed if _is_libvirts(network))
        seen, now = frozenset(links), self._clock.now()
        known = all(name in self._resolved for name in names)
        if not names or (known and seen == self._seen and now < self._resolved_at + RESOLVED_AGAIN_S):
            return
        try:
            answer = await self._hosts.call(
                VM, VERB, ANSWER_S, lambda host, _: host.type_control(VM, VERB, {"names": names}), blame=False
            )
            self._resolved = msgspec.convert(answer, dict[str, Place])
            self._seen = seen
        except (CallFailed, CallTimedOut, HostDied, msgspec.ValidationError) as error:
            # What was known of them holds until somebody can tell better.
            log.warning("cannot tell what libvirt's networks are here", why=str(error))
        self._resolved_at = now

    async def _write(self, before: Mapping[str, NetworkState], told: Iterable[NetworkState]) -> None:
        for state in told:
            was = before.get(state.network)
            if bool(state.lost) != (was is not None and bool(was.lost)):
                me, what = self._store.me, called(state.network)
                words = f"{what} is lost on {me}: {state.lost}" if state.lost else f"{what} is back on {me}"
                try:
                    await self._store.transact([], [self._journal.event("network", words, about=me)])
                except Unavailable as error:
                    log.warning(words, event_not_written=str(error))

    async def _wait(self, changes: Subscription, wait_s: float | None) -> None:
        """Until something may have changed, or so long."""
        waiting = [asyncio.ensure_future(changes.wait()), asyncio.ensure_future(self._links.changed())]
        try:
            done, _ = await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def _is_libvirts(network: str) -> bool:
    return network.startswith(f"{NETWORK}/")
