"""Keeps what is known of each resource that is here or is to be, and is the only place where its state changes.

Nothing here decides where anything runs. What is to be done with a resource is found out in `duties.py`, and goes
through its machine (`core/owner/resource.py`); the calls are carried out in `carrying.py`; what the plugins found out
is kept for `reporting.py` to tell the cluster.
"""

import asyncio

import structlog

from outlast.core.membership.membership import Session as OwnSession
from outlast.core.owner.duty import Duty, duty
from outlast.core.owner.halting import as_set
from outlast.core.owner.own_stop import OwnStop, after, note, noted, noted_handing, noted_saving
from outlast.core.owner.resource import PUBLISHED, Call, E, S, judge, runs_nothing, step
from outlast.core.owner.switched import MOST_RETURNS, returns
from outlast.model import keys
from outlast.model.group import Group, Wanted
from outlast.model.health import Condition, Found, Halt, Health, Redefinition
from outlast.model.inside import Incident
from outlast.ports.environment import Environment
from outlast.ports.hosts import AppearedReport, CallFailed, HappenedReport, HealthReport, HostDied, RedefinedReport
from outlast.service.hosting.attaching import Attaching
from outlast.service.hosting.call_times import SlowCall
from outlast.service.hosting.calls import Calls
from outlast.service.hosting.carrying import Carrying
from outlast.service.hosting.doubting import Doubting
from outlast.service.hosting.duties import Duties
from outlast.service.hosting.handing import Handing
from outlast.service.hosting.hosts import CallTimedOut, HostGone, HostKeeper, HostReady, OffersChanged
from outlast.service.hosting.local import Local, Remark
from outlast.service.hosting.records import Records
from outlast.service.hosting.saving import Saving
from outlast.service.hosting.strays import Strays
from outlast.service.store import Store
from outlast.service.watchdog import Arming

log = structlog.get_logger()

RETRY_INTERVAL_S = 3.0
LOOK_AROUND_S = 60.0
"""Reports are the speed; this is the net for what was started here past the cluster, and of which no report came."""


class Resources:
    def __init__(
        self,
        store: Store,
        env: Environment,
        hosts: HostKeeper,
        session: OwnSession,
        watchdog: Arming,
        certificates: str = "",
    ) -> None:
        """`certificates`: the directory with those by which this node hands over what runs."""
        self.locals: dict[str, Local] = {}
        self.offers_changed = asyncio.Event()
        self._store = store
        self._env = env
        self._hosts = hosts
        self._watchdog = watchdog
        watchdog.watch(lambda: [local.state for local in self.locals.values()])
        self.calls = Calls(env, hosts)
        self.records = Records(store, env, session)
        self.standing = self.records.standing
        self._attaching = Attaching(store, hosts, self.locals, self.feed)
        self.handing = Handing(store, self.calls, self.records, certificates, env.clock, self.remark, self._tell)
        self.strays = Strays(store, env.clock, hosts, self.locals, env.incarnations.load)
        self.saving = Saving(store, self.calls, self.records, lambda: f"{env.random.getrandbits(64):016x}", self._tell)
        uses_host = self._attaching.uses_host
        self.doubting = Doubting(hosts, self.records, env.clock, self._believe, self._doubted)
        self._carrying = Carrying(
            self.calls, hosts, self.feed, self.doubting, uses_host, self.handing, self.saving, self._forgotten
        )
        self.duties = Duties(
            store,
            env,
            session,
            watchdog,
            self.records,
            self.locals,
            self.handing,
            self.strays,
            self.saving,
            self.feed,
            self._let_go,
        )
        self.changed = self.duties.changed
        self.remarks = self.duties.remarks
        self.redefined: asyncio.Queue[tuple[str, Redefinition]] = asyncio.Queue()
        """Definitions that were changed at this node's console; taken by `following.py`."""
        self._undiscovered: dict[str, asyncio.Task[None] | None] = {}
        """Types that could not say yet what of them runs here."""
        self._around: dict[str, asyncio.Task[None]] = {}
        """By type, the last look at what runs here."""
        self.settled = asyncio.Event()
        """Set with every change of a state."""

    async def run(self) -> None:
        changes = self._store.subscribe(keys.GROUPS, keys.RESOURCES, keys.STATUS, keys.CLUSTER, keys.CHANGES)
        async with asyncio.TaskGroup() as tasks:
            self._carrying.begin(tasks)
            tasks.create_task(self._listen())
            tasks.create_task(self._retry())
            tasks.create_task(self.duties.run())
            while True:
                changed = await changes.wait()
                self.duties.expect(changed)
                for key in changed:
                    self._record_changed(key)

    def session_opened(self, *, continuing: bool) -> None:
        """From now on this node may run what it owns. `continuing`: as the service before this one did."""
        self.standing.begin(self._store.groups.values(), continuing=continuing)
        self.duties.gates.begin(self._store.groups.values(), continuing=continuing)
        for local in self.locals.values():
            local.must_stop = ""
        self.duties.turns.begin()
        for group in self._store.groups.values():
            if duty(group, self._store.me) is not Duty.LEAVE:
                self._record_changed(keys.GROUPS + group.name)
        # Only now: what is owned and was not looked at yet keeps a watchdog counting that the last service had armed.
        self._watchdog.look()
        self._apply_all()

    def stop_all(self, why: str) -> None:
        """This node's session is over: nothing may run here any more."""
        running = sorted(local.name for local in self.locals.values() if not runs_nothing(local.state))
        stopped = f", and it stopped {', '.join(running)}" if running else ""
        self.remarks.append(Remark("permit", f"{why}{stopped}"))
        for local in list(self.locals.values()):
            self.must_stop(local, why)

    def _tell(self) -> None:
        self.changed.set()

    def remark(self, kind: str, words: str, group: str = "") -> None:
        """Told the cluster as an event, as soon as that is possible."""
        self.remarks.append(Remark(kind, words, group))
        self.changed.set()

    def feed(self, local: Local, event: E, why: str = "") -> None:
        """The only place where a state changes."""
        state, call = step(local.state, event)
        if state is local.state and call is Call.NONE:
            return
        if state is not local.state:
            self._enter(local, state, why)
        if call is not Call.NONE:
            self._carrying.start(local, call)
        self.changed.set()
        self.settled.set()
        self.duties.apply(local)

    def _enter(self, local: Local, state: S, why: str) -> None:
        now = self._env.clock.now()
        if PUBLISHED[state] is not PUBLISHED[local.state]:
            local.since = now
        if runs_nothing(local.state) or (local.state is S.RECEIVED and state in (S.ONLINE_PENDING, S.ONLINE)):
            local.began_s = now
        local.state = state
        local.changes += 1
        if state not in (S.HANDED_OVER, S.OFFLINE):
            local.left_at = -1
        if state in (S.ONLINE_PENDING, S.ONLINE):
            local.arrives = False  # what is taken up has arrived, whatever was seen of it before
        local.why = why
        if state not in (S.DETACHED, S.OPENING, S.UNCERTAIN):
            # Once the cluster itself has begun to stop it, its end is nobody's intent (rule 10).
            local.last_known = state
        self._note_stop(local, after(local.stop, state, goes_on=self.saving.goes_on(local)))
        self.saving.entered(local)
        if state is not S.ONLINE:
            local.answers, local.halt, local.paused = False, Halt.NOTHING, None
        group = self.records.group(local)
        if state is S.FAILED and group is not None:
            local.failed_epoch, local.failed_at_s = group.epoch, now
        self._watchdog.look()

    def _note_stop(self, local: Local, stop: OwnStop) -> None:
        """Before it is begun: a service that comes after this one must know of it."""
        if stop is local.stop:
            return
        local.stop = stop
        self._write_note(local.name, note(stop, local.handing, local.kept.stop))

    def _write_note(self, name: str, word: str) -> None:
        try:
            self._env.incarnations.note_stop(name, word)
        except OSError as error:  # nothing is left running for want of a note
            log.warning("a stop cannot be noted", resource=name, why=str(error))

    def judge(self, local: Local, health: Health) -> None:
        """What a plugin found out about a resource, by itself or when asked."""
        if local.state in (S.OPENING, S.UNCERTAIN) and self.handing.is_left_behind(local, health):
            # Not online yet: who opens it sees to it first that nothing of that is under way any more.
            self.feed(local, E.ATTACH)
        else:
            self.doubting.hear(local, health)

    def _doubted(self, local: Local, words: str) -> None:
        self.remarks.append(Remark("doubted", words, local.resource.group))
        self.changed.set()

    def _believe(self, local: Local, health: Health) -> None:
        """What nobody contradicts."""
        health = as_set(health, local.resource.guest)
        group, had_failed = self.records.group(local), self.records.had_failed(local)
        self.saving.found(local, health)
        verdict = judge(
            local.state,
            health,
            was_online=self.records.was_online(local),
            permitted=self.records.permitted(local),
            had_failed=had_failed,
            may_be_received=self.records.may_be_received(local),
            had_left=self.records.had_left(local),
            about_to_go=self.records.about_to_go(local),
            wanted_off=group is not None and group.wanted is Wanted.OFFLINE,
            was_arriving=local.arrives,
        )
        intents = group.intents if group is not None else -1
        if self.records.maintenance(local):
            local.started_at = intents if verdict.switched_on else local.started_at
        elif verdict.switched_off or verdict.switched_on:
            local.switched_at = intents
            # A stop of ours that a former host, or the guest, is still carrying out is nobody's intent; nor is one for
            # want of a permit, which may be seen before its host has told of it.
            ours = local.stop in (OwnStop.BEGUN, OwnStop.SAVING) or self.records.may_have_lapsed(local)
            ours = ours or (local.stop is OwnStop.HANDING and health.unexplained)
            if verdict.switched_off and not ours:
                self._switched_off(local, health)
            if verdict.switched_on:
                local.switched_off, local.switched_on = "", health.why or "it was started at the host's console"
        if had_failed and local.state is S.OPENING and group is not None:
            local.spent_epoch = group.epoch
        if verdict.event is E.FAILS and local.state in (S.ONLINE, S.UNCERTAIN):
            left_alone = self.records.left_alone(local)
            if left_alone and self.records.permitted(local):
                self._heard(local, f"{health.why}; {left_alone}", answers=False)
                return  # it runs, and what ails it is for those to mend who keep it from being healed
        if step(local.state, verdict.event)[0] is S.HANDED_OVER is not local.state:
            self.handing.found_gone(local)
        self._remark_on(local, verdict.event)
        another = self.strays.seen(local, group, health, left=verdict.event is E.FOUND_LEFT)
        local.stands = health.stands
        if local.state is S.ONLINE and verdict.event is E.FOUND_ONLINE:
            self._note_stop(local, after(local.stop, local.state, goes_on=self.saving.goes_on(local)))
            self._heard(local, health.why, answers=health.answers)
            self._paused(local, group, paused=health.paused)
        self.feed(local, verdict.event, local.why if verdict.event is E.FOUND_TOO_LATE else health.why)
        if verdict.event is E.FOUND_ONLINE and local.state is S.ONLINE:
            local.answers, local.halt, local.arrives = health.answers, health.halt, health.arrives
        if another:
            self.duties.apply(local)

    def _remark_on(self, local: Local, event: E) -> None:
        if event is E.FOUND_TOO_LATE:
            when = "just as it failed there" if local.state is S.FAILED else "while it is on its way to another node"
            words = f"{local.name} was started at the console of {self._store.me} {when}"
            words += ", and is ended again: another node may be about to start it"
            self.remarks.append(Remark("console", words, local.resource.group))
            self.saving.ran(local)

    def _switched_off(self, local: Local, health: Health) -> None:
        now, how = self._env.clock.now(), health.why or "it was switched off"
        found = returns(local.resource, health.ended_by, local.returns_s, now)
        if found.comes_back:
            local.returns_s = (*local.returns_s[-MOST_RETURNS:], now)
            local.switched_off = ""
            words = f"{local.name} is brought online again on {self._store.me}: {how} ({found.words})"
            self.remarks.append(Remark("restarted", words, local.resource.group))
            return
        local.switched_off, local.switched_on = "; ".join(filter(None, (how, found.words))), ""

    def _paused(self, local: Local, group: Group | None, *, paused: bool) -> None:
        before, local.paused = local.paused, paused
        if before is not None and before is not paused and group is not None and group.owner == self._store.me:
            how = "was paused" if paused else "goes on again after it was paused"
            self.remarks.append(Remark("console", f"{local.name} {how} at the console of {group.owner}", group.name))
            self.changed.set()

    def _heard(self, local: Local, why: str, *, answers: bool) -> None:
        if (local.why, local.answers) != (why, answers):
            local.why, local.answers = why, answers
            self.changed.set()

    def fail(self, name: str, epoch: int, why: str) -> str:
        """Failure injection: as if its plugin had said that it failed, and that something of it may still run. Returns
        why it was not done, for people."""
        local = self.locals.get(name)
        group = self.records.group(local) if local is not None else None
        if local is None or group is None or (group.owner, group.epoch) != (self._store.me, epoch):
            return "it does not own it any more"
        left_alone = self.records.left_alone(local)
        if left_alone:
            return left_alone
        if step(local.state, E.FAILS)[1] is not Call.TERMINATE or not self.records.permitted(local):
            return f"it is {local.state.value} there, and only what runs can fail"
        self._believe(local, Health(Condition.FAILED, why, running=True))
        return ""

    def problem(self, type_name: str) -> str:
        """Why this node cannot run resources of this type; "" when it can."""
        return self._attaching.problem(type_name)

    def held_back(self, local: Local) -> str:
        """Why nobody relies on its plugin for the present; "" when its host does not keep ending."""
        return self._hosts.held_back(local.resource)

    def under_way(self, type_name: str) -> tuple[str, ...]:
        """Identities of what may run here although its plugin does not see it: it is being started, say."""
        return tuple(
            local.resource.identity
            for local in self.locals.values()
            if local.resource.type == type_name and local.state is not S.ONLINE and not runs_nothing(local.state)
        )

    def reported(self, group: str) -> None:
        """What stands in the database about the group is another report: a start may have waited for it."""
        if any(local.announced for local in self._of_group(group)):
            self.duties.look_at(group)

    def discovered(self, type_name: str, thing: Found) -> Local | None:
        """Something of the cluster's, by its identity; None when the cluster does not know it."""
        for resource in self._store.resources.values():
            if resource.type == type_name and resource.identity == thing.identity:
                return self._ensure(resource.name)
        return None

    def discover_later(self, type_name: str) -> None:
        """It is asked what of it is here, again and again until it tells."""
        self._undiscovered.setdefault(type_name, None)

    async def _discover(self, type_name: str) -> None:
        try:
            for thing in await self.calls.discover(type_name):
                self.discovered(type_name, thing)
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("it cannot be told what of a type runs here", type=type_name, why=str(error))
            self._undiscovered[type_name] = None
        else:
            del self._undiscovered[type_name]

    async def _look_around(self, type_name: str) -> None:
        """What runs here of it, and came unseen. What only lies here is none of the cluster's business."""
        try:
            found = await self.calls.discover(type_name)
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("it cannot be told what of a type runs here", type=type_name, why=str(error))
            return
        for thing in found:
            if thing.running:
                self.discovered(type_name, thing)

    def _appeared(self, type_name: str, thing: Found) -> None:
        known = set(self.locals)
        local = self.discovered(type_name, thing)
        if local is not None and local.name not in known:
            local.just_started = thing.running and not thing.stands

    def must_stop(self, local: Local, why: str) -> None:
        """It may not run here, whatever its group's record says, until the next session is open."""
        local.must_stop = why
        self.duties.apply(local)

    def _record_changed(self, key: str) -> None:
        """A group, a resource, or the status of a group is another one."""
        if key == keys.CLUSTER or key.startswith(keys.CHANGES):  # a hold may have ended, or what held up a start
            self._apply_all()
        elif key.startswith(keys.RESOURCES):
            self._resource_changed(key.removeprefix(keys.RESOURCES))
        elif key.startswith(keys.GROUPS):
            self._group_changed(key.removeprefix(keys.GROUPS))
            self.changed.set()
        else:
            self.reported(key.removeprefix(keys.STATUS))
        if key.startswith((keys.GROUPS, keys.STATUS)):
            self.duties.others_changed(key)

    def _group_changed(self, name: str) -> None:
        group = self._store.groups.get(name)
        if group is not None and duty(group, self._store.me) is not Duty.LEAVE:
            for resource in group.resources:
                self._ensure(resource)
        for local in self._of_group(name):
            self.duties.apply(local)

    def _resource_changed(self, name: str) -> None:
        local, resource = self.locals.get(name), self._store.resources.get(name)
        if local is not None:
            if resource is not None:
                self._attaching.record_changed(local, resource)
            self.duties.apply(local)
            self.changed.set()  # a saved state that has just come to stand there may be taken out

    def _of_group(self, name: str) -> list[Local]:
        return [local for local in self.locals.values() if local.resource.group == name]

    def _apply_all(self) -> None:
        for local in list(self.locals.values()):
            self.duties.apply(local)

    def _ensure(self, name: str) -> Local | None:
        resource = self._store.resources.get(name)
        if resource is None:
            return None
        local = self.locals.get(name)
        if local is None:
            local = self.locals[name] = Local(resource, self._env.clock.now())
            noted_stop = self._env.incarnations.stop_of(name)
            local.stop, local.handing = noted(noted_stop), noted_handing(noted_stop)
            local.kept.stop = local.kept.unfinished = noted_saving(noted_stop)
            self._attaching.begin(local)
        return local

    def _let_go(self, local: Local, forget: bool) -> None:
        del self.locals[local.name]
        self._note_stop(local, OwnStop.GONE if forget else OwnStop.NONE)
        self._watchdog.look()
        self._carrying.let_go(local, forget=forget)
        self.settled.set()

    def _forgotten(self, name: str) -> None:
        """Nothing of it is left here, and its type says nothing of the past any more."""
        local = self.locals.get(name)
        if local is None:
            self._write_note(name, "")
        elif local.stop is OwnStop.GONE:  # it is back already
            self._note_stop(local, OwnStop.NONE)

    async def _listen(self) -> None:
        """What the hosts tell by themselves."""
        while True:
            match await self._hosts.news.get():
                case HealthReport(resource, health):
                    if resource in self.locals:
                        self.judge(self.locals[resource], health)
                case RedefinedReport(resource, change):
                    self.redefined.put_nowait((resource, change))
                case HappenedReport(resource, incident, words):
                    self._happened(resource, incident, words)
                case AppearedReport(type_name, thing):
                    self._appeared(type_name, thing)
                case HostReady(types, alone):
                    self._attaching.host_ready(types, alone)
                case HostGone(types, why, alone, told):
                    if told:
                        words = f"{self._store.me}: {why}; another resource host takes over, and what runs goes on"
                        self.remark("host-died", words)
                    self._attaching.host_gone(types, alone, why)
                case SlowCall(type_name, call, took_s, deadline_s):
                    words = f"{call} of the plugin for {type_name} took {took_s:.1f} s of the {deadline_s:g} s it has"
                    self.remark(
                        "slow", f"{self._store.me}: {words}; where it takes longer its resource host is replaced"
                    )
                case OffersChanged():
                    self.offers_changed.set()
                    self.changed.set()

    def _happened(self, name: str, incident: Incident, words: str) -> None:
        local = self.locals.get(name)
        if local is None:
            return
        # A watchdog tells what it does, and that is told as well; with other devices the guest runs on.
        if incident not in (Incident.WATCHDOG, Incident.DEVICES):
            local.incidents += 1
        kind = "console" if incident in (Incident.RESET, Incident.DEVICES) else "guest"
        self.remarks.append(Remark(kind, f"{name} {words} ({self._store.me})", local.resource.group))
        self.changed.set()

    async def _retry(self) -> None:
        """What could not be done is tried again, and what no plugin has told of is looked for."""
        look_at_s = self._env.clock.now() + LOOK_AROUND_S
        while True:
            await asyncio.sleep(RETRY_INTERVAL_S)
            if self._env.clock.now() >= look_at_s:
                look_at_s += LOOK_AROUND_S
                for type_name in dict.fromkeys(one.type for one in self._store.resources.values()):
                    around = self._around.get(type_name)
                    if not self.problem(type_name) and (around is None or around.done()):
                        self._around[type_name] = asyncio.create_task(self._look_around(type_name))
            for type_name, asking in list(self._undiscovered.items()):
                if asking is None:
                    self._undiscovered[type_name] = asyncio.create_task(self._discover(type_name))
            if not self.records.hold():
                self._carrying.forget_again(self._store.resources, self.locals, self.problem)
            for local in list(self.locals.values()):
                if local.state is S.STUCK:
                    self.feed(local, E.RETRY, "it could not be ended at the first try")
                elif not self._attaching.look_again(local):
                    self.duties.apply(local)
