"""How does a resource host behave in the simulated world? As the real one does, without processes and libvirt.

A host is a simulated process (`Process`) that serves calls one at a time per resource, and `terminate` alongside. It
keeps the run permit by the same rule as the real one (`outlast.core.membership.permit.Guard`), by its node's clock,
also when its service is frozen or dead. What its plugin says and does is `outlast.sim.plugin`. Its end touches no VM.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from outlast.core.membership.permit import Guard, Judgement, Order
from outlast.model.health import Condition, Found, Health, Json, Spec
from outlast.model.inside import Finding, Incident, Inquiry
from outlast.model.node import Offer
from outlast.model.saved import SavedState
from outlast.model.transfer import Destination, Transfer
from outlast.ports.hosts import (
    AppearedReport,
    CallFailed,
    HappenedReport,
    HealthReport,
    HostDied,
    OfferReport,
    RedefinedReport,
    Report,
)
from outlast.sim.loop import SimLoop
from outlast.sim.machine import Machine
from outlast.sim.migrations import Migrations
from outlast.sim.plugin import CHANGES, Crashed, SimPlugin
from outlast.sim.process import OUTSIDE, PROCESS, Process
from outlast.sim.vms import Ended, while_starting

T = TypeVar("T")

START_S = 0.15
_MESSAGE_S = 0.001
_DEATH_NOTICED_S = 0.002
_ORPHAN_LOOKS_S = 0.25
_STOPPING_LOOKS_S = 0.25
_START_ENDS_WITHIN_S = 5.0
STOP_AGAIN_S = 1.0
_FILES_LOOKED_AT_S = 2.0


class Progress(Generic[T]):
    """Passes a call's progress on to the process that called, as long as that waits for the answer."""

    def __init__(self, loop: SimLoop, on_progress: Callable[[T], None]) -> None:
        caller: Process | None = PROCESS.get(None)
        self.abandoned = False
        self._loop = loop
        self._context = caller.context if caller is not None else OUTSIDE
        self._on_progress = on_progress

    def tell(self, word: T) -> None:
        self._loop.call_soon(self._pass_on, word, context=self._context)

    def _pass_on(self, word: T) -> None:
        if not self.abandoned:
            self._on_progress(word)


class SimHost:
    """The port. What it does happens in its own process; answers arrive in the caller's."""

    def __init__(
        self,
        machine: Machine,
        service: str,
        types: Sequence[str],
        live: "list[SimHost]",
        migrations: Migrations | None = None,
    ) -> None:
        self.pid, self.process = machine.spawn("rhs")
        self.offers: Sequence[Offer] = ()
        self._loop = machine.loop
        self._machine = machine
        self._service = service
        self._live = live
        self._plugin = SimPlugin(machine, types, migrations)
        self._guard = Guard(service)
        self._orphan = False
        self._dead = ""
        """Why no more answers come; empty while they do."""
        self._opened: dict[str, Spec] = {}
        self._opened_at_s: dict[str, float] = {}
        self._may_run: set[str] = set()
        """Opened resources that were not seen stopped: what the permit's end stops."""
        self._starting: dict[str, set[int]] = {}
        self._starts = 0
        self._stopping: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: dict[asyncio.Future[Any], None] = {}
        self._reports: deque[Report] = deque()
        """What nobody listened to yet."""
        self._on_report: Callable[[Report], None] = self._reports.append
        self._buried = asyncio.Event()
        live.append(self)
        machine.listeners.append(self._heard)
        machine.offer_listeners.append(self._offers_changed)
        machine.definition_listeners.append(self._edited)
        machine.incident_listeners.append(self._happened)
        self._permit_timer = self._loop.call_soon(self._look_at_permit, context=self.process.context)

    # --- the port -------------------------------------------------------------------------------------------------

    @property
    def end(self) -> str:
        return self._dead

    async def shake_hands(self) -> None:
        self.offers = await self._ask(self._load)

    async def open(self, spec: Spec) -> Health:
        return await self._ask(lambda: self._in_turn(spec.name, lambda: self._open(spec)))

    async def online(self, resource: str, on_progress: Callable[[str], None]) -> None:
        progress = Progress(self._loop, on_progress)
        try:
            await self._ask(lambda: self._in_turn(resource, lambda: self._online(resource, progress.tell)))
        finally:
            progress.abandoned = True

    async def offline(self, resource: str, timeout_s: float, on_progress: Callable[[str], None]) -> None:
        progress = Progress(self._loop, on_progress)

        async def stop() -> None:
            await self._plugin.offline(self._name(resource), timeout_s, progress.tell, self._heard)

        try:
            await self._ask(lambda: self._in_turn(resource, lambda: self._stop(resource, stop)))
        finally:
            progress.abandoned = True

    async def terminate(self, resource: str) -> None:
        async def stop() -> None:
            await self._plugin.terminate(self._name(resource), Ended.CALLED, self._heard)

        await self._ask(lambda: self._stop(resource, stop))

    async def hand_over(self, resource: str, to: Destination, on_progress: Callable[[Transfer], None]) -> None:
        progress = Progress(self._loop, on_progress)

        async def hand_over() -> None:
            if to.otherwise:
                progress.tell(Transfer(0, address=to.address))
            await self._plugin.hand_over(self._name(resource), to.node, progress.tell)

        try:
            await self._ask(lambda: self._in_turn(resource, lambda: self._stop(resource, hand_over)))
        finally:
            progress.abandoned = True

    async def call_back(self, resource: str) -> None:
        await self._ask(lambda: self._plugin.call_back(self._name(resource)))

    async def take_up(self, resource: str, on_progress: Callable[[str], None]) -> None:
        async def take_up() -> None:
            await self._start(resource, lambda: self._plugin.take_up(self._name(resource)))

        await self._ask(lambda: self._in_turn(resource, take_up))

    async def save(self, resource: str, stop: str, directory: str, on_progress: Callable[[str], None]) -> SavedState:
        saved: list[SavedState] = []

        async def save() -> None:
            saved.append(await self._plugin.save(self._name(resource), stop))

        await self._ask(lambda: self._in_turn(resource, lambda: self._stop(resource, save)))
        return saved[-1]

    async def restore(self, resource: str, state: SavedState, on_progress: Callable[[str], None]) -> None:
        async def restore() -> None:
            await self._start(resource, lambda: self._plugin.restore(self._name(resource), state))

        await self._ask(lambda: self._in_turn(resource, restore))

    async def forget(self, resource: str) -> None:
        await self._ask(lambda: self._in_turn(resource, lambda: self._plugin.forget(self._name(resource))))

    async def close(self, resource: str) -> None:
        async def close() -> None:
            self._opened.pop(resource, None)
            self._may_run.discard(resource)

        await self._ask(lambda: self._in_turn(resource, close))

    async def inquire(self, resource: str, inquiry: Inquiry) -> Finding:
        return await self._ask(lambda: self._plugin.inquire(self._name(resource), inquiry))

    async def reset(self, resource: str, until_s: float) -> None:
        async def reset() -> None:
            if self._machine.clock.now() > until_s:
                raise CallFailed(f'"{resource}" is not reset: it is too late for that', refusal=True)
            await self._plugin.reset(self._name(resource))

        await self._ask(lambda: self._in_turn(resource, reset))

    async def go_on(self, resource: str) -> None:
        async def go_on() -> None:
            await self._start(resource, lambda: self._plugin.go_on(self._name(resource)))

        await self._ask(lambda: self._in_turn(resource, go_on))

    async def control(self, resource: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        return await self._ask(lambda: self._in_turn(resource, lambda: self._control(resource, verb, arguments)))

    async def _control(self, resource: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb in CHANGES:
            return await self._plugin.change(resource, verb, arguments)
        self._may_run.add(resource)  # a verb may start it
        return await self._plugin.control(verb, {**arguments, "name": self._name(resource)})

    async def looks_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]:
        return await self.is_alive(type, resources)

    async def is_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]:
        async def ask() -> Mapping[str, Health]:
            self._plugin.check_type(type)
            await self._plugin.meet("is_alive")
            for name in resources:
                await self._plugin.meet("is_alive", self._name(name))
            return {name: self._note(name, self._plugin.health(self._name(name))) for name in resources}

        return await self._ask(ask)

    async def discover(self, type: str) -> Sequence[Found]:
        self._alive()
        return await self._ask(lambda: self._plugin.discover(type))

    async def type_control(self, type: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        async def ask() -> Json:
            self._plugin.check_type(type)
            return await self._plugin.control(verb, arguments)

        return await self._ask(ask)

    async def listen(self, on_report: Callable[[Report], None]) -> None:
        while self._reports:
            on_report(self._reports.popleft())
        self._on_report = on_report
        await self._buried.wait()

    async def kill(self) -> None:
        self.die("was killed")
        await asyncio.sleep(_DEATH_NOTICED_S)

    # --- what happens to it ---------------------------------------------------------------------------------------

    def die(self, how: str) -> None:
        """The process ends, by whatever hand. Its calls fail a moment later; nothing that it started is touched."""
        if not self.process.alive:
            return
        self._gone()
        self._loop.call_later(
            _DEATH_NOTICED_S, self._bury, f"the resource host (pid {self.pid}) {how}", context=OUTSIDE
        )

    def orphaned(self) -> None:
        self._orphan = True
        self._waiting.clear()
        self._look_soon()

    def guards_since_s(self, vm: str) -> float | None:
        """Since when it has been this host that has to stop the VM when the permit has passed; None: it is not, or its
        service has not written a permit yet: what a hand starts in that moment, nobody stops before (seed 1701229)."""
        permit = self._machine.permit
        if permit is None or permit.service != self._service:
            return None
        return max(self._opened_at_s[vm], self.process.since_s) if vm in self._may_run else None

    def _gone(self) -> None:
        self._machine.end(self.process)
        self._machine.host_ended(self._opened)
        if self in self._live:
            self._live.remove(self)
        if self._heard in self._machine.listeners:
            self._machine.listeners.remove(self._heard)
            self._machine.offer_listeners.remove(self._offers_changed)
            self._machine.definition_listeners.remove(self._edited)
            self._machine.incident_listeners.remove(self._happened)

    def _bury(self, how: str) -> None:
        self._dead = how
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(HostDied(how))
        self._buried.set()

    # --- calls ----------------------------------------------------------------------------------------------------

    def _alive(self) -> None:
        if self._dead:
            raise HostDied(self._dead)

    async def _ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Carry the work out in the host's process; an answer arrives unless the host dies or hangs."""
        self._alive()
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting[answer] = None
        if self.process.alive:  # else it has just died, and the caller is about to hear of it
            self._in_process(self._serve(work, answer))
        try:
            return await answer
        finally:
            self._waiting.pop(answer, None)

    async def _serve(self, work: Callable[[], Awaitable[T]], answer: "asyncio.Future[T]") -> None:
        await asyncio.sleep(_MESSAGE_S)
        try:
            result = await work()
        except Crashed:
            self.die("was ended by signal 11 (Segmentation fault)")
            return
        except CallFailed as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(result)
        self._look_soon()

    async def _in_turn(self, resource: str, work: Callable[[], Awaitable[T]]) -> T:
        """A resource's calls come one at a time."""
        async with self._turns.setdefault(resource, asyncio.Lock()):
            return await work()

    def _in_process(self, work: Any) -> None:
        self._loop.create_task(work, context=self.process.context)

    def _name(self, resource: str) -> str:
        """The VM behind an open resource: a VM's resource bears its name."""
        if resource not in self._opened:
            raise CallFailed(f'"{resource}" is not open in this resource host')
        return resource

    async def _load(self) -> Sequence[Offer]:
        await asyncio.sleep(START_S)
        return self._plugin.offers()

    async def _open(self, spec: Spec) -> Health:
        health = await self._plugin.open(spec)
        self._opened[spec.name] = spec
        self._opened_at_s[spec.name] = self._loop.time()
        self._report_edit(spec.name)
        if health.running or health.condition in (Condition.ONLINE, Condition.UNKNOWN):
            self._may_run.add(spec.name)
        else:
            self._may_run.discard(spec.name)
        return health

    async def _online(self, resource: str, progress: Callable[[str], None]) -> None:
        name = self._name(resource)
        await self._start(resource, lambda: self._plugin.online(name, progress))

    async def _start(self, resource: str, start: Callable[[], Awaitable[None]]) -> None:
        self._may_run.add(resource)
        if not self._may_start():
            raise CallFailed(f'cannot start "{resource}": the run permit of this node has passed', refusal=True)
        self._starts += 1
        number = self._starts
        starting = self._starting.setdefault(resource, set())
        starting.add(number)
        try:
            await start()
        finally:
            starting.discard(number)

    async def _stop(self, resource: str, stop: Callable[[], Awaitable[None]]) -> None:
        """Only a stop that returned, with no start beside it, means that nothing runs: so it waits for that start's
        end, though not for ever, and stops what came of it."""
        beside = set(self._starting.get(resource, ()))
        await stop()
        until_s = self._loop.time() + _START_ENDS_WITHIN_S
        while beside & self._starting.get(resource, set()):
            if self._loop.time() >= until_s:
                raise CallFailed(f'"{resource}" was stopped, but a start of it has not ended: it may still run')
            await asyncio.sleep(_STOPPING_LOOKS_S)
            await stop()
        if not self._starting.get(resource):
            self._may_run.discard(resource)

    # --- the run permit -------------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        if self._machine.permit_ignored:
            return True
        record = self._machine.permit
        return record is not None and record.service == self._service and self._machine.clock.now() < record.until_s

    def _look_at_permit(self) -> None:
        clock = self._machine.clock
        judgement = self._guard.judge(self._machine.permit, clock.now(), service_gone=self._orphan)
        if judgement.order is Order.LEAVE:
            self._gone()
            return
        if judgement.order is Order.STOP and not self._machine.permit_ignored:
            self._stop_everything()
            if self._orphan and not self._may_run:
                self._gone()
                return
        self._permit_timer = self._loop.call_later(
            self._next_look_s(judgement), self._look_at_permit, context=self.process.context
        )

    def _look_soon(self) -> None:
        self._permit_timer.cancel()
        self._permit_timer = self._loop.call_soon(self._look_at_permit, context=self.process.context)

    def _next_look_s(self, judgement: Judgement) -> float:
        sleep_s = _ORPHAN_LOOKS_S if self._orphan or judgement.order is not Order.RUN else 60.0
        if judgement.look_again_s is not None:
            sleep_s = min(sleep_s, self._machine.clock.true_delay_s(judgement.look_again_s))
        return max(0.0005, sleep_s)

    def _stop_everything(self) -> None:
        for resource in sorted(self._may_run - self._stopping):
            self._stopping.add(resource)
            self._in_process(self._stop_for_permit(resource))

    async def _stop_for_permit(self, resource: str) -> None:
        async def stop() -> None:
            await self._plugin.terminate(resource, Ended.PERMIT, self._heard)

        judgement = self._guard.judge(self._machine.permit, self._machine.clock.now(), service_gone=self._orphan)
        if judgement.order is not Order.STOP:  # extended at the last moment, before this began
            self._stopping.discard(resource)
            return
        try:
            await self._stop(resource, stop)
        except CallFailed as error:
            why = f"the run permit of this node has passed, and it cannot be stopped: {error.why}"
            self._report(HealthReport(resource, Health(Condition.FAILED, why, running=True)))
            await asyncio.sleep(STOP_AGAIN_S)
        else:
            why = "stopped by the resource host: the run permit of this node has passed"
            self._report(HealthReport(resource, Health(Condition.FAILED, why)))
        self._stopping.discard(resource)
        self._look_soon()

    # --- reports --------------------------------------------------------------------------------------------------

    def _heard(self, name: str, health: Health) -> None:
        """libvirt's event. Told in the host's process: a frozen host says nothing until it is thawed."""
        self._loop.call_later(_MESSAGE_S, self._pass_on, name, health, context=self.process.context)

    def _pass_on(self, name: str, health: Health) -> None:
        vm = self._machine.vms[name]
        if not self._plugin.loads(vm.type):
            return
        if name in self._opened:
            if health.condition is Condition.ONLINE:
                self._may_run.add(name)
            self._report(HealthReport(name, self._note(name, health)))
        else:
            stands = name in self._machine.standing
            found = Found(vm.identity, name, name in self._machine.copies or stands, stands)
            self._report(AppearedReport(vm.type, found))

    def _note(self, name: str, health: Health) -> Health:
        """What may be told of it: while a start is under way no word means that nothing runs, or will in a moment."""
        return while_starting(health) if self._starting.get(name) else health

    def _happened(self, name: str, incident: Incident, words: str) -> None:
        self._loop.call_later(_MESSAGE_S, self._report_incident, name, incident, words, context=self.process.context)

    def _report_incident(self, name: str, incident: Incident, words: str) -> None:
        if name in self._opened and not self._machine.troubles.reports_lost:
            self._report(HappenedReport(name, incident, words))

    def _edited(self, name: str) -> None:
        self._loop.call_later(_MESSAGE_S, self._report_edit, name, context=self.process.context)

    def _report_edit(self, name: str) -> None:
        edit, spec = self._machine.edited.get(name), self._opened.get(name)
        if edit is not None and spec is not None and edit.definition != spec.definition:
            self._report(RedefinedReport(name, edit))

    def _offers_changed(self) -> None:
        """The files of the plugins are looked at now and then, as the real host does."""
        self._loop.call_later(_FILES_LOOKED_AT_S, self._report_offers, context=self.process.context)

    def _report_offers(self) -> None:
        for offer in self._plugin.changed_offers():
            self._report(OfferReport(offer))

    def _report(self, report: Report) -> None:
        if not self._orphan:
            self._on_report(report)
