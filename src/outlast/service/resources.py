"""Runs this node's resources: applies each one's duty (`core/duty.py`) through its machine (`core/resource.py`).

Nothing here decides where anything runs; it makes what is here match the groups' records, as far as this node's session
allows, and keeps what the plugins found out for `service/reporting.py` to tell the cluster.
"""

import asyncio
from collections.abc import Collection, Iterable

import structlog

from outlast.core.duty import Duty, duty
from outlast.core.membership import Session as OwnSession
from outlast.core.resource import Call, E, S, found, runs_nothing, step
from outlast.model import keys
from outlast.model.group import Group, Resource, Wanted
from outlast.model.health import Found, Health
from outlast.model.status import State
from outlast.ports.database import Unavailable
from outlast.ports.environment import Environment
from outlast.ports.hosts import AppearedReport, CallFailed, HealthReport, HostDied
from outlast.service.calls import Calls
from outlast.service.hosts import CallTimedOut, HostGone, HostKeeper, HostReady, OffersChanged
from outlast.service.store import Store

log = structlog.get_logger()

RETRY_INTERVAL_S = 3.0
CLEAN_RETRY_S = 1.0


class Local:
    """One resource as it stands on this node."""

    def __init__(self, resource: Resource, now: float) -> None:
        self.resource = resource
        self.state = S.DETACHED
        self.why = ""
        self.since = now
        self.changes = 0
        """Up by one with each change of state: an answer to an older question is no longer one."""
        self.opened = False
        """Does the present host have it open?"""
        self.must_stop = ""
        """Why it must not run here, whatever the group's record says; empty when the record decides."""
        self.failed_epoch = -1
        self.switched_off = ""
        """Somebody switched it off on purpose, and the group's record does not know it yet: how."""
        self.switched_on = ""
        self.hung = False
        """A call of it still hangs in its host."""
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.resource.name


class Resources:
    def __init__(self, store: Store, env: Environment, hosts: HostKeeper, session: OwnSession) -> None:
        self.locals: dict[str, Local] = {}
        self.changed = asyncio.Event()
        """Set when there may be something to report."""
        self.stopped_strangers: list[str] = []
        """Names of resources that ran here without being owned, and were stopped; taken by the reporter."""
        self.offers_changed = asyncio.Event()
        self._store = store
        self._env = env
        self._hosts = hosts
        self._session = session
        self._calls = Calls(env, hosts)
        self._settled = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        changes = self._store.subscribe(keys.GROUPS, keys.RESOURCES)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._listen())
            tasks.create_task(self._retry())
            while True:
                for key in await changes.wait():
                    self._record_changed(key)

    def session_opened(self) -> None:
        """From now on this node may run what it owns."""
        for local in self.locals.values():
            local.must_stop = ""
        for group in self._store.groups.values():
            if group.owner == self._store.me:
                self._record_changed(keys.GROUPS + group.name)
        for local in list(self.locals.values()):
            self._apply(local)

    def stop_all(self, why: str) -> None:
        """This node's session is over: nothing may run here any more."""
        for local in list(self.locals.values()):
            local.must_stop = why
            self._apply(local)

    async def clean(self, *, continuing: bool) -> str:
        """Returns "" when nothing runs here that must not, so that the session may be opened; else what is in the way.

        `continuing`: what this node owns may go on running (only the service has started again).
        """
        for type_name, offer in self._hosts.offers().items():
            if offer.problem:
                if self._store.me in self._store.silences and self._env.incarnations.load():
                    return f"it cannot tell what of {type_name} runs here: {offer.problem}"
                continue
            try:
                everything = await self._calls.discover(type_name)
            except (CallFailed, CallTimedOut, HostDied) as error:
                return f"it cannot tell what of {type_name} runs here: {error}"
            for thing in everything:
                local = self._discovered(type_name, thing)
                if local is not None and not (continuing and self._owned(local)):
                    local.must_stop = "it ran here before this node opened its session"
                    self._apply(local)
        while not all(runs_nothing(local.state) for local in self.locals.values() if local.must_stop):
            self._settled.clear()
            try:
                async with asyncio.timeout(CLEAN_RETRY_S):
                    await self._settled.wait()
            except TimeoutError:
                stuck = [f"{x.name} ({x.state.value})" for x in self.locals.values() if x.must_stop]
                log.warning("what must not run here is being stopped", resources=stuck)
        return ""

    def feed(self, local: Local, event: E, why: str = "") -> None:
        """The only place where a state changes."""
        state, call = step(local.state, event)
        if state is local.state and call is Call.NONE:
            return
        if state is not local.state:
            local.state, local.since = state, self._env.clock.now()
            local.changes += 1
            local.why = why
            group = self._store.groups.get(local.resource.group)
            if state is S.FAILED and group is not None:
                local.failed_epoch = group.epoch
        if call is not Call.NONE:
            self._start(local, call)
        self.changed.set()
        self._settled.set()
        self._apply(local)

    def judge(self, local: Local, health: Health) -> None:
        """What a plugin found out about a resource, by itself or when asked."""
        before = local.state
        event = found(health)
        if before is S.OPENING and not (self._was_online(local) and self._permitted(local)):
            # What ended before this node was responsible for it is neither a failure nor anybody's intent.
            if event is E.FOUND_FAILED:
                event = E.FOUND_OFFLINE
        elif event is E.FOUND_OFFLINE and before in (S.ONLINE, S.UNCERTAIN, S.OPENING) and self._permitted(local):
            local.switched_off = health.why or "it was switched off"
        if before in (S.OFFLINE, S.FAILED) and event is E.FOUND_ONLINE and self._permitted(local):
            local.switched_on = health.why or "it was started at the host's console"
        if local.state is S.ONLINE and event is E.FOUND_ONLINE and local.why != health.why:
            local.why = health.why
            self.changed.set()
        self.feed(local, event, health.why)

    def problem(self, type_name: str) -> str:
        """Why this node cannot run resources of this type; "" when it can."""
        offer = self._hosts.offers().get(type_name)
        return f"it has no plugin for {type_name}" if offer is None else offer.problem

    def _record_changed(self, key: str) -> None:
        if key.startswith(keys.GROUPS):
            group = self._store.groups.get(key.removeprefix(keys.GROUPS))
            names: Iterable[str] = group.resources if group is not None else ()
            if group is not None and group.owner == self._store.me:
                for name in names:
                    self._ensure(name)
            if group is None:
                gone = key.removeprefix(keys.GROUPS)
                names = [local.name for local in self.locals.values() if local.resource.group == gone]
            for name in list(names):
                if name in self.locals:
                    self._apply(self.locals[name])
            self.changed.set()
            return
        name = key.removeprefix(keys.RESOURCES)
        resource, local = self._store.resources.get(name), self.locals.get(name)
        if local is not None:
            if resource is not None:
                local.resource = resource
            self._apply(local)

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

    def _discovered(self, type_name: str, thing: Found) -> Local | None:
        """Something of the cluster's, by its identity; None when the cluster does not know it."""
        for resource in self._store.resources.values():
            if resource.type == type_name and resource.identity == thing.identity:
                return self._ensure(resource.name)
        return None

    def _owned(self, local: Local) -> bool:
        group = self._store.groups.get(local.resource.group)
        return group is not None and group.owner == self._store.me

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
            self._do_duty(local, group)

    def _do_duty(self, local: Local, group: Group) -> None:
        match duty(group, self._store.me):
            case Duty.RUN:
                if local.switched_off:
                    return  # the reporter is about to write down that it is wanted offline
                local.switched_on = ""
                if local.state is S.OFFLINE or (local.state is S.FAILED and group.epoch > local.failed_epoch):
                    self.feed(local, E.WANT_ONLINE)
            case Duty.SHUT_DOWN | Duty.TURN_OFF as how:
                if local.switched_on and group.wanted is Wanted.OFFLINE:
                    return  # likewise, that it is wanted online
                local.switched_off = ""
                self.feed(local, E.WANT_OFFLINE if how is Duty.SHUT_DOWN else E.WANT_TERMINATED)
            case Duty.LEAVE:
                if runs_nothing(local.state):
                    self._let_go(local, forget=True)
                else:
                    if local.state in (S.ONLINE, S.UNCERTAIN):
                        self.stopped_strangers.append(local.name)
                    self.feed(local, E.WANT_TERMINATED, f"{self._store.me} does not own it")

    def _let_go(self, local: Local, *, forget: bool) -> None:
        del self.locals[local.name]
        if local.task is not None and local.task is not asyncio.current_task():
            local.task.cancel()
        if self._tasks is not None:
            self._tasks.create_task(self._forget(local, forget=forget))
        self._settled.set()

    async def _forget(self, local: Local, *, forget: bool) -> None:
        try:
            if forget and not local.opened:
                await self._calls.open(local.resource)
            await self._calls.let_go(local.resource, forget=forget)
        except (CallFailed, CallTimedOut, HostDied, Unavailable) as error:
            log.warning("something of a resource may be left behind here", resource=local.name, why=str(error))

    def _start(self, local: Local, call: Call) -> None:
        if local.task is not None and local.task is not asyncio.current_task():
            local.task.cancel()
        assert self._tasks is not None
        local.task = self._tasks.create_task(self._call(local, call), name=f"{call.value} {local.name}")

    async def _call(self, local: Local, call: Call) -> None:
        """Carry out a call of the machine and feed its result back in."""
        try:
            if call is Call.OPEN or not local.opened:
                health = await self._calls.open(local.resource)
                local.opened = True
            if call is Call.OPEN:
                self.judge(local, health)
                return
            await self._calls.make(call, local.resource)
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
        """Did this life of the node report it online at the present epoch?"""
        group = self._store.groups.get(local.resource.group)
        status = self._store.statuses.get(local.resource.group)
        if group is None or status is None or status.epoch != group.epoch:
            return False
        reported = status.resources.get(local.name)
        mine = self._env.incarnations.load()
        return status.incarnation == mine and reported is not None and reported.state is State.ONLINE

    async def _listen(self) -> None:
        """What the hosts tell by themselves."""
        while True:
            match await self._hosts.news.get():
                case HealthReport(resource, health):
                    if resource in self.locals:
                        self.judge(self.locals[resource], health)
                case AppearedReport(type_name, thing):
                    self._discovered(type_name, thing)
                case HostReady(types):
                    self._feed_all(types, E.ATTACH, "")
                case HostGone(types, why):
                    for local in self.locals.values():
                        local.opened = local.opened and local.resource.type not in types
                    self._feed_all(types, E.HOST_DIED, why)
                case OffersChanged():
                    self.offers_changed.set()

    def _feed_all(self, types: Collection[str], event: E, why: str) -> None:
        for local in list(self.locals.values()):
            if local.resource.type in types and not (event is E.ATTACH and self.problem(local.resource.type)):
                self.feed(local, event, why)

    async def _retry(self) -> None:
        """What could not be done is tried again."""
        while True:
            await asyncio.sleep(RETRY_INTERVAL_S)
            for local in list(self.locals.values()):
                if local.state is S.STUCK:
                    self.feed(local, E.RETRY)
                elif local.state is S.DETACHED and self._hosts.is_ready(local.resource.type):
                    self.feed(local, E.ATTACH)
                else:
                    self._apply(local)
