"""Keeps the resource hosts of this node running, and calls into them with deadlines.

A call that misses its deadline costs its host its life: it is killed, a new one takes its place, and the type that hung
gets a host of its own (`core/hosting.py`). What runs is not touched by that; the resources are opened again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from outlast.core.hosting import STEADY_S, Hosting, Start
from outlast.model.node import Offer
from outlast.ports.environment import Environment
from outlast.ports.hosts import Host, HostDied, OfferReport, Report

log = structlog.get_logger()
T = TypeVar("T")
Progress = Callable[[str], None]

START_TIMEOUT_S = 20.0
HELD_BACK_AFTER = 4
"""A host that ended so often in a row soon after its start is no basis for protection."""


class HostReady(msgspec.Struct, frozen=True):
    """A host has started: what it is to manage must be opened in it."""

    types: tuple[str, ...]


class HostGone(msgspec.Struct, frozen=True):
    """A host ended. That proves nothing about what runs."""

    types: tuple[str, ...]
    why: str


class OffersChanged(msgspec.Struct, frozen=True):
    pass


News = Report | HostReady | HostGone | OffersChanged


class CallTimedOut(Exception):
    """The plugin did not answer in time; its host was killed."""


class _Slot:
    def __init__(self) -> None:
        self.host: Host | None = None
        self.ready = asyncio.Event()
        self.offers: dict[str, Offer] = {}
        self.blamed: set[str] = set()
        """Types that hung a call: the host was killed because of them."""
        self.at_work: set[str] = set()
        """Types whose calls were under way when the host died by itself."""
        self.why = ""
        self.quick_ends = 0


class HostKeeper:
    def __init__(self, env: Environment) -> None:
        self.news: asyncio.Queue[News] = asyncio.Queue()
        self._env = env
        self._hosting = Hosting()
        self._slots: dict[str, _Slot] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._keep(self._hosting.first())

    def offers(self) -> dict[str, Offer]:
        found: dict[str, Offer] = {}
        for slot in self._slots.values():
            for name, offer in slot.offers.items():
                if slot.quick_ends >= HELD_BACK_AFTER and not offer.problem:
                    words = f"its resource host ended {slot.quick_ends} times in a row ({slot.why})"
                    offer = msgspec.structs.replace(offer, problem=words)
                found[name] = offer
        return found

    def processes(self) -> dict[str, int]:
        """The running hosts' pids by slot."""
        return {name: slot.host.pid for name, slot in self._slots.items() if slot.host is not None}

    def is_ready(self, type_name: str) -> bool:
        return self._slot(type_name).host is not None

    async def call(
        self, type_name: str, deadline_s: float, what: Callable[[Host, Progress], Awaitable[T]], *, blame: bool = True
    ) -> T:
        """Call into the type's host. The deadline counts from the last report of progress.

        Raises `CallFailed`; `HostDied`; `CallTimedOut` after the host was killed (`blame`), or with the host left as it
        is, for the caller to terminate the resource first.
        """
        slot = self._slot(type_name)
        loop = asyncio.get_running_loop()
        host: Host | None = None
        try:
            async with asyncio.timeout(deadline_s) as deadline:
                await slot.ready.wait()
                host = slot.host
                if host is None:
                    raise HostDied(slot.why)
                try:
                    return await what(host, lambda _words: deadline.reschedule(loop.time() + deadline_s))
                except HostDied:
                    slot.at_work.add(type_name)
                    raise
        except TimeoutError:
            why = f"the plugin for {type_name} did not answer within {deadline_s:g} s"
            if host is None:
                raise HostDied(f"no resource host for {type_name} within {deadline_s:g} s: {slot.why}") from None
            if blame:
                await self.replace(type_name, why, host)
            raise CallTimedOut(why) from None

    async def replace(self, type_name: str, why: str, host: Host | None = None) -> None:
        """Kill the type's host because of this type. Its successor is on its way when this returns."""
        slot = self._slot(type_name)
        if slot.host is None or (host is not None and slot.host is not host):
            return
        slot.blamed.add(type_name)
        slot.why = why
        await slot.host.kill()

    def _slot(self, type_name: str) -> _Slot:
        return self._slots.setdefault(self._hosting.slot_of(type_name), _Slot())

    def _keep(self, start: Start) -> None:
        assert self._tasks is not None
        self._tasks.create_task(self._life(start), name=f"host {start.slot}")

    async def _life(self, start: Start) -> None:
        """One host of one slot, from its start to its end."""
        slot = self._slots.setdefault(start.slot, _Slot())
        await asyncio.sleep(start.delay_s)
        born = self._env.clock.now()
        try:
            host = await self._env.hosts.start(start.types, timeout_s=START_TIMEOUT_S)
        except (HostDied, TimeoutError) as error:
            slot.why = str(error) or f"it did not shake hands within {START_TIMEOUT_S:g} s"
            self._ended(start, slot, born)
            return
        slot.offers = {offer.type: offer for offer in host.offers}
        slot.host = host
        self._hosting.started(start.slot, slot.offers, self._env.clock.now())
        slot.ready.set()
        self.news.put_nowait(OffersChanged())
        self.news.put_nowait(HostReady(tuple(slot.offers)))
        if slot.quick_ends >= HELD_BACK_AFTER and self._tasks is not None:
            self._tasks.create_task(self._prove(slot, host), name=f"prove {start.slot}")
        async for report in host.reports():
            if isinstance(report, OfferReport):
                slot.offers[report.offer.type] = report.offer
                self.news.put_nowait(OffersChanged())
                if not report.offer.version:
                    # It could not be loaded, and its files have changed since: only another host can try again.
                    await self.replace(report.offer.type, f"the plugin for {report.offer.type} has changed", host)
            else:
                self.news.put_nowait(report)
        slot.host = None
        slot.ready.clear()
        await host.kill()
        slot.why = slot.why or host.end
        self._ended(start, slot, born)

    async def _prove(self, slot: _Slot, host: Host) -> None:
        """Whoever lives that long is a basis for protection again."""
        await asyncio.sleep(STEADY_S)
        if slot.host is host:
            slot.quick_ends = 0
            self.news.put_nowait(OffersChanged())

    def _ended(self, start: Start, slot: _Slot, born: float) -> None:
        now = self._env.clock.now()
        blamed = slot.blamed or slot.at_work
        why = slot.why or "it ended"
        slot.quick_ends = 1 if now - born >= STEADY_S else slot.quick_ends + 1
        log.warning("a resource host ended", slot=start.slot, why=why, blamed=sorted(blamed))
        types = tuple(slot.offers)
        starts = self._hosting.ended(start.slot, blamed, now)
        slot.blamed, slot.at_work = set(), set()
        moved = {next_start.slot for next_start in starts} - {start.slot}
        for name in moved:
            slot.offers.pop(name, None)
        self.news.put_nowait(HostGone(types, why))
        for next_start in starts:
            self._keep(next_start)
        slot.why = ""
