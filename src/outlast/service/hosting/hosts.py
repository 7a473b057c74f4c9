"""Keeps the resource hosts of this node running, and calls into them with deadlines.

A call that misses its deadline costs its host its life: it is killed, a new one takes its place, and the type that hung
gets a host of its own (`core/owner/hosting.py`). What runs is not touched by that; the resources are opened again.
Types that shared that host get another one before it is killed, so that they are asked on as if nothing were.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from outlast.core.owner.hosting import HELD_BACK_AFTER, STEADY_S, Hosting, Start
from outlast.model.group import Resource
from outlast.model.metrics import HostEndMetrics
from outlast.model.node import Offer
from outlast.ports.environment import Clock
from outlast.ports.hosts import Host, HostDied, Hosts, HostSilent, OfferReport, Report
from outlast.service.hosting.call_times import CallTimes, SlowCall

log = structlog.get_logger()
T = TypeVar("T")
Progress = Callable[[str], None]

START_TIMEOUT_S = 20.0
LOAD_TIMEOUT_S = 1.5
"""For each of several plugins that one host loads. One that takes longer is loaded by a host of its own, in its own
time: the others do not wait for it, least of all while the permit of a service that was started again runs down."""
SUCCESSOR_S = 3.0
"""A host that hangs is killed at the latest then, whether a successor is ready or not."""

ENDS = ("died", "killed", "replaced")
"""By itself; because of a type (a call missed its deadline, its files changed); because an administrator wanted it."""


class HostReady(msgspec.Struct, frozen=True):
    """A host has started: what it is to manage must be opened in it."""

    types: tuple[str, ...]
    alone: str = ""
    """The one resource that it is for; empty: all that have no host of their own."""


class HostGone(msgspec.Struct, frozen=True):
    """A host ended. That proves nothing about what runs."""

    types: tuple[str, ...]
    why: str
    alone: str = ""
    told: bool = True
    """False: it is held back already, and its next end is no news."""


class OffersChanged(msgspec.Struct, frozen=True):
    pass


News = Report | HostReady | HostGone | OffersChanged | SlowCall


def own_host(resource: Resource) -> str:
    """Its name, when it has a host of its own."""
    return resource.name if resource.separate_host else ""


class CallTimedOut(Exception):
    """The plugin did not answer in time; its host was killed."""


class _Slot:
    def __init__(self, alone: str = "") -> None:
        self.alone = alone
        self.host: Host | None = None
        self.ready = asyncio.Event()
        self.offers: dict[str, Offer] = {}
        self.blamed: set[str] = set()
        """Types that hung a call: the host was killed because of them."""
        self.at_work: set[str] = set()
        """Types whose calls were under way when the host died by itself."""
        self.why = ""
        self.held_back = ""
        """Why it is no basis for protection, since it was held back; the words stay as they were then."""
        self.successor: asyncio.Task[Host | None] | None = None
        """Started beside a host that is about to be killed, for the types that it hurts."""
        self.hurry = asyncio.Event()
        """The pause before the next host is over."""
        self.meant = False
        """An administrator had its host replaced."""


class HostKeeper:
    def __init__(self, hosts: Hosts, clock: Clock) -> None:
        self.news: asyncio.Queue[News] = asyncio.Queue()
        self._hosts = hosts
        self._clock = clock
        self._hosting = Hosting()
        self._slots: dict[str, _Slot] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.times = CallTimes()
        self._ends: Counter[tuple[str, str]] = Counter()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._keep(self._hosting.first())

    def offers(self) -> dict[str, Offer]:
        found: dict[str, Offer] = {}
        for slot in self._slots.values():
            # What one resource's own host says is no word about the type.
            for name, offer in slot.offers.items() if not slot.alone else ():
                held_back = slot.held_back and not offer.problem
                found[name] = msgspec.structs.replace(offer, problem=slot.held_back) if held_back else offer
        return found

    def processes(self) -> dict[str, int]:
        """The running hosts' pids by slot."""
        return {name: slot.host.pid for name, slot in self._slots.items() if slot.host is not None}

    def ends(self) -> tuple[HostEndMetrics, ...]:
        """How often each host ended and was replaced, and why, since this service started."""
        return tuple(HostEndMetrics(slot, why, count) for (slot, why), count in sorted(self._ends.items()))

    def is_ready(self, resource: Resource) -> bool:
        return self._slot(resource.type, own_host(resource)).host is not None

    def held_back(self, resource: Resource) -> str:
        """Why its host is no basis for protection; "" when it is one."""
        slot = self._slots.get(self._hosting.slot_of(resource.type, own_host(resource)))
        return slot.held_back if slot is not None else ""

    def keep(self, resource: Resource) -> None:
        """Have a host for it: one of its own, where that is asked for."""
        if resource.separate_host:
            for start in self._hosting.keep_alone(resource.type, resource.name):
                self._keep(start, resource.name)

    async def leave(self, resource: Resource) -> None:
        """Its own host, if it has one, is needed no longer."""
        if resource.separate_host:
            self._hosting.leave_alone(resource.type, resource.name)
            slot = self._slots.pop(self._hosting.slot_of(resource.type, resource.name), None)
            if slot is not None and slot.host is not None:
                await slot.host.kill()
            if slot is not None and slot.successor is not None:
                successor = await slot.successor
                if successor is not None:
                    await successor.kill()

    async def call(
        self,
        type_name: str,
        name: str,
        deadline_s: float,
        what: Callable[[Host, Progress], Awaitable[T]],
        *,
        blame: bool = True,
        alone: str = "",
    ) -> T:
        """Call into the type's host, or into that of the resource `alone`. The deadline counts from the last report of
        progress. `name`: what the call is called, for people.

        Raises `CallFailed`; `HostDied`; `CallTimedOut` after the host was killed (`blame`), or with the host left as it
        is, for the caller to terminate the resource first.
        """
        slot = self._slot(type_name, alone)
        host: Host | None = None
        timed = _Timed(deadline_s)
        try:
            async with asyncio.timeout(deadline_s) as deadline:
                await slot.ready.wait()
                host = slot.host
                if host is None:
                    raise HostDied(slot.why)
                timed.begin(deadline)
                try:
                    return await what(host, timed.progress)
                except HostDied:
                    slot.at_work.add(type_name)
                    raise
                finally:
                    self._took(type_name, name, timed)
        except TimeoutError:
            why = f"the plugin for {type_name} did not answer {name} within {deadline_s:g} s"
            if host is None:
                raise HostDied(f"no resource host for {type_name} within {deadline_s:g} s: {slot.why}") from None
            if blame:
                await self.replace(type_name, why, host, alone=alone)
            raise CallTimedOut(why) from None

    async def replace(self, type_name: str, why: str, host: Host | None = None, *, alone: str = "") -> None:
        """Kill the type's host because of this type. Its successor is on its way when this returns."""
        slot = self._slot(type_name, alone)
        if slot.host is None or (host is not None and slot.host is not host):
            return
        doomed = slot.host
        slot.blamed.add(type_name)
        slot.why = why
        await self._begin_successor(slot, self._hosting.beside(self._hosting.slot_of(type_name, alone), type_name))
        await doomed.kill()

    async def ready(self, type_name: str) -> None:
        """Returns when the type's host is there."""
        await self._slot(type_name).ready.wait()

    async def restart(self, type_name: str, by: str) -> None:
        """`by` wants other hosts for this type: what was is forgotten, and its plugin is loaded anew. Types
        that share its host come along."""
        for start in self._hosting.adopt(type_name):
            self._keep(start)
        own = self._hosting.slot_of(type_name)
        names = [own, *(name for name in self._slots if self._hosting.is_alone(name, type_name))]
        await asyncio.gather(*(self._restart(name, self._slots[name], by) for name in names if name in self._slots))

    async def _restart(self, name: str, slot: _Slot, by: str) -> None:
        self._hosting.release(name)
        slot.hurry.set()
        self._hold(slot, "")
        doomed = slot.host
        if doomed is not None:
            slot.why = f"{by} had the resource host for {', '.join(sorted(slot.offers))} replaced"
            await self._begin_successor(slot, tuple(sorted(slot.offers)))
            slot.meant = not slot.blamed
            await doomed.kill()

    async def _begin_successor(self, slot: _Slot, types: tuple[str, ...]) -> None:
        """For these types, which the end of the slot's host would hurt. Returns when it can take over, or cannot
        soon."""
        if types and slot.successor is None and self._tasks is not None:
            slot.successor = self._tasks.create_task(self._start_successor(slot, types), name="successor")
        if slot.successor is not None:
            await asyncio.wait([slot.successor], timeout=SUCCESSOR_S)

    async def _start_successor(self, slot: _Slot, types: tuple[str, ...]) -> Host | None:
        """Without those that keep it from starting; None when that helps nothing."""
        while types:
            try:
                return await self._start_host(types)
            except (HostDied, HostSilent) as error:
                log.warning("no successor of a resource host has started", types=types, why=str(error))
                self._load_failed(slot, error)
                types = tuple(name for name in types if name != error.loading) if error.loading else ()
        return None

    async def _start_host(self, types: tuple[str, ...]) -> Host:
        return await self._hosts.start(types, timeout_s=START_TIMEOUT_S, type_timeout_s=LOAD_TIMEOUT_S)

    async def _host_for(self, start: Start, slot: _Slot) -> Host:
        """The successor that was begun, if it is one for these types; else a new one."""
        begun, slot.successor = slot.successor, None
        host = await begun if begun is not None else None
        if host is not None:
            if {offer.type for offer in host.offers} == set(start.types) and not host.end:
                return host
            await host.kill()
        return await self._start_host(start.types)

    def _hold(self, slot: _Slot, why: str) -> None:
        if slot.held_back != why:
            slot.held_back = why
            self.news.put_nowait(OffersChanged())

    def _took(self, type_name: str, name: str, timed: "_Timed") -> None:
        now = asyncio.get_running_loop().time()
        took_s, silent_s = timed.end(now)
        slow = self.times.took(type_name, name, took_s, silent_s, timed.deadline_s, now)
        if slow is not None:
            self.news.put_nowait(slow)

    def _slot(self, type_name: str, alone: str = "") -> _Slot:
        return self._slots.setdefault(self._hosting.slot_of(type_name, alone), _Slot(alone))

    def _keep(self, start: Start, alone: str = "") -> None:
        assert self._tasks is not None
        slot = self._slots.setdefault(start.slot, _Slot(alone))
        self._ends.update(dict.fromkeys(((start.slot, why) for why in ENDS), 0))
        self._tasks.create_task(self._life(start, slot), name=f"host {start.slot}")

    def _is_left(self, start: Start, slot: _Slot) -> bool:
        return self._slots.get(start.slot) is not slot

    async def _life(self, start: Start, slot: _Slot) -> None:
        """One host of one slot, from its start to its end."""
        slot.hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(start.delay_s):
                await slot.hurry.wait()
        if self._is_left(start, slot):
            return
        try:
            host = await self._host_for(start, slot)
        except (HostDied, HostSilent) as error:
            slot.why = slot.why or str(error)
            self._load_failed(slot, error)
            self._ended(start, slot)
            return
        if self._is_left(start, slot):
            await host.kill()
            return
        slot.offers = {offer.type: offer for offer in host.offers}
        slot.host = host
        self._hosting.started(start.slot, slot.offers, self._clock.now())
        slot.ready.set()
        self.news.put_nowait(OffersChanged())
        self.news.put_nowait(HostReady(tuple(slot.offers), slot.alone))
        if slot.held_back and self._tasks is not None:
            self._tasks.create_task(self._prove(start, slot, host), name=f"prove {start.slot}")
        await self._listen(slot, host)
        slot.host = None
        slot.ready.clear()
        await host.kill()
        slot.why = slot.why or host.end
        self._ended(start, slot)

    async def _listen(self, slot: _Slot, host: Host) -> None:
        """Until it has died. What it tells is passed on in the moment in which it comes: a word that came before the
        answer to a call must be heard before it, for it says how things were before."""
        offers: asyncio.Queue[Offer] = asyncio.Queue()

        def pass_on(report: Report) -> None:
            if isinstance(report, OfferReport):
                offers.put_nowait(report.offer)
            else:
                self.news.put_nowait(report)

        learning = asyncio.create_task(self._learn(slot, host, offers))
        try:
            await host.listen(pass_on)
        finally:
            learning.cancel()

    async def _learn(self, slot: _Slot, host: Host, offers: "asyncio.Queue[Offer]") -> None:
        while True:
            offer = await offers.get()
            slot.offers[offer.type] = offer
            self.news.put_nowait(OffersChanged())
            if not offer.version:
                # It could not be loaded, and its files have changed since: only another host can try again.
                await self.replace(offer.type, f"the plugin for {offer.type} has changed", host, alone=slot.alone)

    def _load_failed(self, slot: _Slot, error: HostDied | HostSilent) -> None:
        """There was no handshake. Whose fault is it?"""
        if slot.alone:
            return
        self._hosting.installed(error.types)
        if error.loading:
            if len(error.types) > 1:
                slot.blamed.add(error.loading)
            # Until a host of its own says how it is: whoever asks what runs must know that this one cannot tell.
            slot.offers[error.loading] = Offer(error.loading, problem=f"cannot load: {error}")
            self.news.put_nowait(OffersChanged())

    async def _prove(self, start: Start, slot: _Slot, host: Host) -> None:
        """Whoever lives that long is a basis for protection again."""
        await asyncio.sleep(STEADY_S)
        if slot.host is host:
            self._hosting.release(start.slot)
            self._hold(slot, "")

    def _ended(self, start: Start, slot: _Slot) -> None:
        if self._is_left(start, slot):
            return
        now = self._clock.now()
        blamed = slot.blamed or slot.at_work
        self._ends[start.slot, "replaced" if slot.meant else "killed" if slot.blamed else "died"] += 1
        why = slot.why or "it ended"
        log.warning("a resource host ended", slot=start.slot, why=why, blamed=sorted(blamed))
        types, was_held_back = tuple(slot.offers), bool(slot.held_back)
        starts = self._hosting.ended(start.slot, set() if slot.meant else blamed, now, meant=slot.meant)
        slot.blamed, slot.at_work, slot.meant = set(), set(), False
        if self._hosting.held_back(start.slot) and not slot.held_back:
            self._hold(slot, f"held back: its resource host ended {HELD_BACK_AFTER} times in a row, last because {why}")
        moved = {next_start.slot for next_start in starts} - {start.slot}
        for name in moved:
            offer = slot.offers.pop(name, None)
            if offer is not None:
                # Until its own host says how it is. Else a new life would be sure of what runs here without asking
                # the one who knows (rule 6).
                self._slots.setdefault(name, _Slot()).offers[name] = offer
        self.news.put_nowait(HostGone(types, why, slot.alone, told=not was_held_back))
        for next_start in starts:
            self._keep(next_start, slot.alone)
        slot.why = ""


class _Timed:
    """One call: how long it took, and how long it was without a word of progress."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._began_s = self._last_s = self._loop.time()
        self._silent_s = 0.0
        self._deadline: asyncio.Timeout | None = None

    def begin(self, deadline: asyncio.Timeout) -> None:
        """There is a host that can be asked. Having waited for it counts: that is what IsAlive was delayed by."""
        self._last_s = self._loop.time()
        self._deadline = deadline

    def progress(self, _words: str) -> None:
        now = self._loop.time()
        self._silent_s, self._last_s = max(self._silent_s, now - self._last_s), now
        if self._deadline is not None:
            self._deadline.reschedule(now + self.deadline_s)

    def end(self, now: float) -> tuple[float, float]:
        return now - self._began_s, max(self._silent_s, now - self._last_s)
