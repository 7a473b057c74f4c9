"""Runs this node's resources: applies each one's duty (`core/duty.py`) through its machine (`core/resource.py`).

Nothing here decides where anything runs; it makes what is here match the groups' records, as far as this node's session
allows, and keeps what the plugins found out for `service/hosting/reporting.py` to tell the cluster.
"""

import asyncio
from collections.abc import Collection

import structlog

from outlast.core.duty import Here, Step, next_step
from outlast.core.membership import Session as OwnSession
from outlast.core.resource import PUBLISHED, Call, E, S, judge, runs_nothing, step
from outlast.model import keys
from outlast.model.group import Group
from outlast.model.health import Found, Health
from outlast.model.status import State
from outlast.ports.database import Unavailable
from outlast.ports.environment import Environment
from outlast.ports.hosts import AppearedReport, CallFailed, HealthReport, HostDied
from outlast.service.hosting.calls import Calls
from outlast.service.hosting.hosts import CallTimedOut, HostGone, HostKeeper, HostReady, OffersChanged
from outlast.service.hosting.local import Local, Remark
from outlast.service.hosting.standing import StandingReports
from outlast.service.store import Store
from outlast.service.watchdog import Arming

log = structlog.get_logger()

RETRY_INTERVAL_S = 3.0


class Resources:
    def __init__(
        self, store: Store, env: Environment, hosts: HostKeeper, session: OwnSession, watchdog: Arming
    ) -> None:
        self.locals: dict[str, Local] = {}
        self.changed = asyncio.Event()
        """Set when there may be something to report."""
        self.remarks: list[Remark] = []
        """What is worth an event; taken by the reporter."""
        self.offers_changed = asyncio.Event()
        self._store = store
        self._env = env
        self._hosts = hosts
        self._session = session
        self._watchdog = watchdog
        watchdog.watch(lambda: [local.state for local in self.locals.values()])
        self.calls = Calls(env, hosts)
        self.standing = StandingReports()
        self.settled = asyncio.Event()
        """Set with every change of a state."""
        self._tasks: asyncio.TaskGroup | None = None
        self._leaving: dict[str, asyncio.Task[None]] = {}
        """Resources that are being let go of here."""

    async def run(self) -> None:
        changes = self._store.subscribe(keys.GROUPS, keys.RESOURCES, keys.STATUS, keys.CLUSTER)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._listen())
            tasks.create_task(self._retry())
            while True:
                for key in await changes.wait():
                    self._record_changed(key)

    def session_opened(self, *, continuing: bool) -> None:
        """From now on this node may run what it owns. `continuing`: as the service before this one did."""
        self.standing.begin(self._store.groups.values(), continuing=continuing)
        for local in self.locals.values():
            local.must_stop = ""
        for group in self._store.groups.values():
            if group.owner == self._store.me:
                self._record_changed(keys.GROUPS + group.name)
        # Only now: what is owned and was not looked at yet keeps a watchdog counting that the last service had armed.
        self._watchdog.look()
        for local in list(self.locals.values()):
            self._apply(local)

    def stop_all(self, why: str) -> None:
        """This node's session is over: nothing may run here any more."""
        running = sorted(local.name for local in self.locals.values() if not runs_nothing(local.state))
        stopped = f", and it stopped {', '.join(running)}" if running else ""
        self.remarks.append(Remark("permit", f"{why}{stopped}"))
        for local in list(self.locals.values()):
            self.must_stop(local, why)

    def remark(self, kind: str, words: str) -> None:
        """Told the cluster as an event, as soon as that is possible."""
        self.remarks.append(Remark(kind, words))
        self.changed.set()

    def feed(self, local: Local, event: E, why: str = "") -> None:
        """The only place where a state changes."""
        state, call = step(local.state, event)
        if state is local.state and call is Call.NONE:
            return
        if state is not local.state:
            if PUBLISHED[state] is not PUBLISHED[local.state]:
                local.since = self._env.clock.now()
            local.state = state
            local.changes += 1
            local.why = why
            if state not in (S.DETACHED, S.OPENING, S.UNCERTAIN):
                # Once the cluster itself has begun to stop it, its end is nobody's intent (rule 10).
                local.last_known = state
            group = self._store.groups.get(local.resource.group)
            if state is S.FAILED and group is not None:
                local.failed_epoch = group.epoch
            self._watchdog.look()
        if call is not Call.NONE:
            self._start(local, call)
        self.changed.set()
        self.settled.set()
        self._apply(local)

    def judge(self, local: Local, health: Health) -> None:
        """What a plugin found out about a resource, by itself or when asked."""
        verdict = judge(
            local.state,
            health,
            was_online=self._was_online(local),
            permitted=self._permitted(local),
            had_failed=local.last_known is None and self._reported(local) is State.FAILED,
        )
        if verdict.switched_off or verdict.switched_on:
            group = self._store.groups.get(local.resource.group)
            local.switched_at = group.intents if group is not None else -1
        if verdict.switched_off:
            local.switched_off = health.why or "it was switched off"
        if verdict.switched_on:
            local.switched_on = health.why or "it was started at the host's console"
        if local.state is S.ONLINE and verdict.event is E.FOUND_ONLINE and local.why != health.why:
            local.why = health.why
            self.changed.set()
        self.feed(local, verdict.event, health.why)

    def problem(self, type_name: str) -> str:
        """Why this node cannot run resources of this type; "" when it can."""
        offer = self._hosts.offers().get(type_name)
        return f"it has no plugin for {type_name}" if offer is None else offer.problem

    def _record_changed(self, key: str) -> None:
        """A group, a resource, or the status of a group is another one."""
        if key == keys.CLUSTER:  # a hold may have ended
            for local in list(self.locals.values()):
                self._apply(local)
        elif key.startswith(keys.RESOURCES):
            self._resource_changed(key.removeprefix(keys.RESOURCES))
        elif key.startswith(keys.GROUPS):
            self._group_changed(key.removeprefix(keys.GROUPS))
            self.changed.set()
        else:
            self.reported(key.removeprefix(keys.STATUS))

    def reported(self, group: str) -> None:
        """What stands in the database about the group is another report: a start may have waited for it."""
        for local in self._of_group(group):
            if local.announced:
                self._apply(local)

    def _group_changed(self, name: str) -> None:
        group = self._store.groups.get(name)
        if group is not None and group.owner == self._store.me:
            for resource in group.resources:
                self._ensure(resource)
        for local in self._of_group(name):
            self._apply(local)

    def _resource_changed(self, name: str) -> None:
        local, resource = self.locals.get(name), self._store.resources.get(name)
        if local is not None:
            local.resource = resource or local.resource
            self._apply(local)

    def _of_group(self, name: str) -> list[Local]:
        return [local for local in self.locals.values() if local.resource.group == name]

    def _ensure(self, name: str) -> Local | None:
        resource = self._store.resources.get(name)
        if resource is None:
            return None
        local = self.locals.get(name)
        if local is None:
            local = self.locals[name] = Local(resource, self._env.clock.now())
            if self._hosts.is_ready(resource.type) and not self.problem(resource.type):
                self.feed(local, E.ATTACH)
        return local

    def discovered(self, type_name: str, thing: Found) -> Local | None:
        """Something of the cluster's, by its identity; None when the cluster does not know it."""
        for resource in self._store.resources.values():
            if resource.type == type_name and resource.identity == thing.identity:
                return self._ensure(resource.name)
        return None

    def must_stop(self, local: Local, why: str) -> None:
        """It may not run here, whatever its group's record says, until the next session is open."""
        local.must_stop = why
        self._apply(local)

    def _apply(self, local: Local) -> None:
        """Make what is here match the record, as far as the present state allows. Level-triggered."""
        group = self._store.groups.get(local.resource.group)
        if local.must_stop:
            if not runs_nothing(local.state):
                self.feed(local, E.WANT_TERMINATED, local.must_stop)
            return
        if not self._session.valid(self._env.clock.now()):
            return
        if group is None or local.name not in group.resources:
            self._let_go(local, forget=False)
        else:
            self._take_step(local, group)

    def _take_step(self, local: Local, group: Group) -> None:
        if group.intents != local.switched_at:
            local.switched_off = local.switched_on = ""  # the record knows, or an administrator has spoken since
        here = Here(
            state=local.state,
            failed_epoch=local.failed_epoch,
            promised=self._promised(local, group),
            switched_off=bool(local.switched_off),
            switched_on=bool(local.switched_on),
        )
        what = next_step(group, self._store.me, here, hold=bool(self._store.settings.hold))
        if local.announced is not (what is Step.ANNOUNCE):
            local.announced = not local.announced
            self.changed.set()
        match what:
            case Step.NOTHING | Step.ANNOUNCE:
                pass
            case Step.ONLINE:
                if self._watchdog.may_start():
                    self.feed(local, E.WANT_ONLINE)
            case Step.OFFLINE:
                self.feed(local, E.WANT_OFFLINE)
            case Step.TERMINATE:
                self._terminate(local, group)
            case Step.FORGET:
                self._let_go(local, forget=True)

    def _terminate(self, local: Local, group: Group) -> None:
        me = self._store.me
        if group.owner != me and local.state in (S.ONLINE, S.UNCERTAIN):
            words = f"{local.name} ran on {me}, which does not own it, and is stopped there"
            self.remarks.append(Remark("stopped", words, group.name))
        self.feed(local, E.WANT_TERMINATED, "" if group.owner == me else f"{me} does not own it")

    def _promised(self, local: Local, group: Group) -> bool:
        """Does a report of ours stand in the database that nothing of it runs, or may it?"""
        if self.standing.may_stand(local.name, group.epoch):
            return True
        status = self._store.statuses.get(group.name)
        if status is None or (status.epoch, status.node) != (group.epoch, self._store.me):
            return False
        reported = status.resources.get(local.name)
        return reported is not None and reported.state in (State.OFFLINE, State.FAILED)

    def _let_go(self, local: Local, *, forget: bool) -> None:
        del self.locals[local.name]
        self._watchdog.look()
        if local.task is not None and local.task is not asyncio.current_task():
            local.task.cancel()
        if self._tasks is not None:
            before = self._leaving.get(local.name)
            leaving = self._tasks.create_task(self._forget(local, before, forget=forget))
            self._leaving[local.name] = leaving
            leaving.add_done_callback(lambda done: self._left(local.name, done))
        self.settled.set()

    def _left(self, name: str, done: asyncio.Task[None]) -> None:
        if self._leaving.get(name) is done:
            del self._leaving[name]

    async def _forget(self, local: Local, before: asyncio.Task[None] | None, *, forget: bool) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            if forget and not local.opened:
                await self.calls.open(local.resource)
            await self.calls.let_go(local.resource, forget=forget)
        except (CallFailed, CallTimedOut, HostDied, Unavailable) as error:
            log.warning("something of a resource may be left behind here", resource=local.name, why=str(error))

    def _start(self, local: Local, call: Call) -> None:
        if local.task is not None and local.task is not asyncio.current_task():
            local.task.cancel()
        assert self._tasks is not None
        local.task = self._tasks.create_task(self._call(local, call), name=f"{call.value} {local.name}")

    async def _call(self, local: Local, call: Call) -> None:
        """Carry out a call of the machine and feed its result back in."""
        leaving = self._leaving.get(local.name)
        if leaving is not None:
            await asyncio.wait([leaving])  # it is back before it was gone: else its leaving would close it again
        try:
            if call is Call.OPEN or not local.opened:
                health = await self.calls.open(local.resource)
                local.opened = True
            if call is Call.OPEN:
                self.judge(local, health)
                return
            await self.calls.make(call, local.resource)
        except CallTimedOut as error:
            local.hung = local.hung or call in (Call.ONLINE, Call.OFFLINE)
            self.feed(local, E.CALL_TIMED_OUT, str(error))
        except CallFailed as error:
            self.feed(local, E.CALL_FAILED, error.why)
        except Unavailable as error:
            self.feed(local, E.CALL_FAILED, f"its definition cannot be read: {error}")
        except HostDied as error:
            self.feed(local, E.HOST_DIED, str(error))
        else:
            self.feed(local, E.CALL_DONE, local.why if call is Call.TERMINATE else "")
        if call is Call.TERMINATE and local.hung:
            local.hung = False
            await self._hosts.replace(local.resource.type, f"a call of {local.name} hung")

    def _permitted(self, local: Local) -> bool:
        """May it run here? When it may not, its end is the permit's doing and nobody's intent (rule 10)."""
        now = self._env.clock.now()
        if local.must_stop:
            return False
        return self._session.valid(now) or self._env.hosts.permit.until_s() > now

    def _was_online(self, local: Local) -> bool:
        """Was it seen online here, or did this life of the node report it so at the present epoch?"""
        if local.last_known is not None:
            return local.last_known is S.ONLINE
        # With a hold the records are of the past: what was online then may have been moved since.
        return self._reported(local) is State.ONLINE and not self._store.settings.hold

    def _reported(self, local: Local) -> State | None:
        """What this life of the node reported of it at the present epoch."""
        group = self._store.groups.get(local.resource.group)
        status = self._store.statuses.get(local.resource.group)
        if group is None or status is None or status.epoch != group.epoch:
            return None
        reported = status.resources.get(local.name)
        mine = status.incarnation == self._env.incarnations.load()
        return reported.state if mine and reported is not None else None

    async def _listen(self) -> None:
        """What the hosts tell by themselves."""
        while True:
            match await self._hosts.news.get():
                case HealthReport(resource, health):
                    if resource in self.locals:
                        self.judge(self.locals[resource], health)
                case AppearedReport(type_name, thing):
                    self.discovered(type_name, thing)
                case HostReady(types):
                    self._feed_all(types, E.ATTACH, "")
                case HostGone(types, why):
                    words = f"{self._store.me}: {why}; another resource host takes over, and what runs goes on"
                    self.remarks.append(Remark("host-died", words))
                    self.changed.set()
                    for local in self.locals.values():
                        local.opened = local.opened and local.resource.type not in types
                    self._feed_all(types, E.HOST_DIED, why)
                case OffersChanged():
                    self.offers_changed.set()

    def _feed_all(self, types: Collection[str], event: E, why: str) -> None:
        for local in list(self.locals.values()):
            if local.resource.type in types and not (event is E.ATTACH and self.problem(local.resource.type)):
                self.feed(local, event, why)

    def _unattached(self, local: Local) -> bool:
        """Is a host there that could have it open, and has not?"""
        if not self._hosts.is_ready(local.resource.type):
            return False
        idle = local.task is None or local.task.done()
        return local.state is S.DETACHED or (runs_nothing(local.state) and not local.opened and idle)

    async def _retry(self) -> None:
        """What could not be done is tried again."""
        while True:
            await asyncio.sleep(RETRY_INTERVAL_S)
            for local in list(self.locals.values()):
                if local.state is S.STUCK:
                    self.feed(local, E.RETRY)
                elif self._unattached(local):
                    self.feed(local, E.ATTACH)
                else:
                    self._apply(local)
