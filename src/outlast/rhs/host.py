"""What does a resource host do with a call, and what may it have running?

Each resource has a lane of its own, and a second one for `terminate`, which may come while another call runs. Each
type has a lane for its health calls and one for the rest. So a resource or type that hangs holds up nobody else; how
long a call may take is the service's decision, and its way out is to kill this process.

The host also knows, for the permit's sake, which resources *may* run: every one that was not seen stopped by a
`terminate` or `offline` that returned, with no start since. A doubt counts as running; terminating what does not run
is harmless.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from outlast import frames
from outlast.plugin import (
    CannotStart,
    Condition,
    Found,
    Health,
    Incident,
    Inhabited,
    Movable,
    Progress,
    Redefinition,
    Refusal,
    Resource,
    ResourceName,
    ResourceType,
    Savable,
    SavedState,
    Spec,
    Transfer,
)
from outlast.rhs import catalog
from outlast.rhs.lanes import Job, Lane
from outlast.rhs.wire import Wire

_RETRY_S = 1.0
_START_ENDS_WITHIN_S = 5.0
"""A start that does not end so soon after its resource was terminated hangs; the service then kills this host."""
PERMIT_PASSED = "the run permit of this node has passed"


class StartHangs(Exception):
    """A stop is no proof while a start of the same resource is still under way."""


class NotHere(Exception):
    """A call names what this host does not have."""


@dataclass(slots=True)
class Opened:
    """One open resource. `starts` and `starting` are changed under the host's lock."""

    spec: Spec
    resource: Resource
    may_run: bool
    starts: int = 0
    starting: int = 0


@dataclass(slots=True)
class Stopping:
    """What the permit's end has done about one resource so far."""

    under_way: bool = False
    try_again_s: float = 0.0


@dataclass(slots=True)
class Lanes:
    calls: Lane
    terminate: Lane
    inside: Lane
    """For what is asked about what lives in it: a guest that does not answer holds up nothing else."""
    terminates: int = 0
    """How many were ordered. A start that was ordered before one, and waits, must not begin after it."""
    stopping: Stopping = field(default_factory=Stopping)


class ResourceHost:
    """`may_start` and `must_stop` read the run permit, afresh each time."""

    def __init__(self, wire: Wire, may_start: Callable[[], bool], must_stop: Callable[[], bool]) -> None:
        self._wire = wire
        self._may_start = may_start
        self._must_stop = must_stop
        self._types: dict[str, catalog.LoadedType] = {}
        self._opened: dict[ResourceName, Opened] = {}
        self._lanes: dict[ResourceName, Lanes] = {}
        self._type_lanes: dict[tuple[str, str], Lane] = {}
        self._lock = threading.Lock()
        self._start_ended = threading.Condition(self._lock)

    def load(self, asked: list[str]) -> None:
        self._types = catalog.load(
            asked,
            lambda name: Reporter(name, self),
            lambda types, name: self._wire.send(frames.Loading(types, name)),
        )
        self._wire.send(frames.Hello(tuple(loaded.offer for loaded in self._types.values())))

    def recheck_types(self) -> None:
        for loaded in self._types.values():
            if offer := catalog.recheck(loaded):
                log(f"type {offer.type}: {offer.problem or 'its files are again what was loaded'}")
                self._wire.send(frames.OfferChanged(offer))

    # -- calls --------------------------------------------------------------------------------------------------

    def handle(self, call: frames.Call) -> None:
        """Called by the main loop; puts the call into its lane and returns at once."""
        match call:
            case frames.Terminate(id, name):
                lanes = self._lanes_of(name)
                lanes.terminates += 1
                lanes.terminate.submit(self._answering(id, lambda: self._stop(name, _terminate)))
            case frames.Online(id, name):
                before = self._lanes_of(name).terminates
                start = partial(self._start, id, name, before, lambda it, progress: it.online(progress))
                self._lanes_of(name).calls.submit(self._answering(id, start))
            case frames.TakeUp(id, name):
                before = self._lanes_of(name).terminates
                start = partial(self._start, id, name, before, lambda it, progress: _movable(it).take_up(progress))
                self._lanes_of(name).calls.submit(self._answering(id, start))
            case frames.GoOn(id, name):
                before = self._lanes_of(name).terminates
                start = partial(self._start, id, name, before, lambda it, _progress: _inhabited(it).go_on())
                self._lanes_of(name).calls.submit(self._answering(id, start))
            case frames.Restore(id, name, state):
                before = self._lanes_of(name).terminates
                go_on = partial(
                    self._start, id, name, before, lambda it, progress: _savable(it).restore(state, progress)
                )
                self._lanes_of(name).calls.submit(self._answering(id, go_on))
            case frames.CallBack(id, name):
                # Beside the call that it is about, as `terminate`.
                lane = self._lanes_of(name).terminate
                lane.submit(self._answering(id, lambda: _movable(self._get(name).resource).call_back()))
            case frames.Inquire(id, name, inquiry):
                lane = self._lanes_of(name).inside
                lane.submit(self._answering(id, lambda: _inhabited(self._get(name).resource).inquire(inquiry)))
            case frames.LooksAlive() | frames.IsAlive():
                self._type_lane(call.type, "health").submit(self._answering(call.id, lambda: self._health(call)))
            case frames.Discover() | frames.TypeControl():
                self._type_lane(call.type, "control").submit(self._answering(call.id, lambda: self._about_type(call)))
            case _:
                name = call.spec.name if isinstance(call, frames.Open) else call.resource
                self._lanes_of(name).calls.submit(self._answering(call.id, lambda: self._about_resource(call)))

    def _about_resource(self, call: frames.ResourceCall) -> object:
        match call:
            case frames.Open(_, spec):
                return self._open(spec)
            case frames.Offline(id, name, timeout_s):
                self._stop(name, lambda it: it.offline(self._progress_of(id), timeout_s))
            case frames.HandOver(id, name, to):
                self._stop(name, lambda it: _movable(it).hand_over(to, partial(self._transferring, id)))
            case frames.Save(id, name, stop, directory):
                saved: list[SavedState] = []
                progress = self._progress_of(id)
                self._stop(name, lambda it: saved.append(_savable(it).save(stop, directory, progress)))
                return saved[-1]
            case frames.Forget(_, name):
                self._get(name).resource.forget()
            case frames.Reset(_, name, until_s):
                if time.clock_gettime(time.CLOCK_BOOTTIME) > until_s:
                    raise Refusal(f'"{name}" is not reset: it is too late for that')
                _inhabited(self._get(name).resource).reset()
            case frames.Close(_, name):
                self._close(name)
            case frames.Control(_, name, verb, arguments):
                opened = self._get(name)
                opened.may_run = True  # A verb may start it, and the host cannot know which do.
                return opened.resource.control(verb, arguments)
            case _:
                raise NotHere(f"this host does not know the call {type(call).__name__}")
        return None

    def _open(self, spec: Spec) -> Health:
        self._close(spec.name)
        resource = self._type(spec.type).open(spec)
        health = resource.health()
        with self._lock:
            self._opened[spec.name] = Opened(spec, resource, may_run=_may_run(health))
        return health

    def _close(self, name: ResourceName) -> None:
        with self._lock:
            opened = self._opened.pop(name, None)
        if opened:
            opened.resource.close()

    def _transferring(self, id: int, transfer: Transfer) -> None:
        self._wire.send(frames.Progress(id, transfer.words, transfer))

    def _progress_of(self, id: int) -> Progress:
        return lambda word: self._wire.send(frames.Progress(id, word))

    def _start(
        self, id: int, name: ResourceName, terminates_before: int, start: Callable[[Resource, Progress], None]
    ) -> None:
        opened = self._get(name)
        with self._lock:
            if self._lanes_of(name).terminates != terminates_before:
                raise CannotStart(f'cannot start "{name}": it was told to stop meanwhile')
            opened.starts += 1
            opened.starting += 1
            opened.may_run = True
        try:
            if not self._may_start():
                raise CannotStart(f'cannot start "{name}": {PERMIT_PASSED}; its cluster service must renew it first')
            start(opened.resource, self._progress_of(id))
        finally:
            with self._start_ended:
                opened.starting -= 1
                self._start_ended.notify_all()
            self._wire.wake()  # The permit may have passed meanwhile.

    def _stop(self, name: ResourceName, stop: Callable[[Resource], None]) -> None:
        """Only a stop that returned, with no start beside or after it, means that nothing runs: so one that met a start
        is repeated when that has ended. Raises `StartHangs` when it does not end."""
        opened = self._get(name)
        while True:
            with self._lock:
                starts = opened.starts
            stop(opened.resource)
            with self._start_ended:
                if opened.starts == starts and not opened.starting:
                    opened.may_run = False
                    return
                if not self._start_ended.wait_for(lambda: not opened.starting, _START_ENDS_WITHIN_S):
                    raise StartHangs(f'"{name}" was stopped, but a start of it has not ended: it may still run')

    def _health(self, call: frames.LooksAlive | frames.IsAlive) -> Mapping[ResourceName, Health]:
        plugin = self._type(call.type)
        ask = plugin.looks_alive if isinstance(call, frames.LooksAlive) else plugin.is_alive
        return {name: self.note(name, health) for name, health in ask(call.resources).items()}

    def _about_type(self, call: frames.Discover | frames.TypeControl) -> object:
        plugin = self._type(call.type)
        if isinstance(call, frames.Discover):
            return list(plugin.discover())
        return plugin.control(call.verb, call.arguments)

    def _answering(self, id: int, work: Callable[[], object]) -> Job:
        def job() -> None:
            try:
                answer: frames.Answer = frames.Done(id, frames.encode_result(work()))
            except (CannotStart, Refusal) as error:
                answer = frames.Failed(id, str(error), refusal=True)
            except NotHere as error:
                answer = frames.Failed(id, str(error))
            except BaseException as error:  # noqa: BLE001  # a plugin call: whatever it raises, SystemExit too, is its answer
                traceback.print_exc()
                answer = frames.Failed(id, f"{type(error).__name__}: {error}")
            self._wire.send(answer)

        return job

    # -- reports ------------------------------------------------------------------------------------------------

    def note(self, name: ResourceName, health: Health) -> Health:
        """What may be told of it. Health only ever raises `may_run`: an answer may be older than the start that
        overtook it. And while a start is under way no word means that nothing runs, or will in a moment."""
        opened = self._opened.get(name)
        if opened is None:
            return health
        if _may_run(health):
            opened.may_run = True
        elif opened.starting:
            return _not_yet(health)
        return health

    def report(self, name: ResourceName, health: Health) -> None:
        self._wire.send(frames.HealthSeen(name, self.note(name, health)))

    def redefined(self, name: ResourceName, change: Redefinition) -> None:
        self._wire.send(frames.Redefined(name, change))

    def happened(self, name: ResourceName, incident: Incident, words: str) -> None:
        self._wire.send(frames.Happened(name, incident, words))

    def appeared(self, type: str, found: Found) -> None:
        self._wire.send(frames.ThingAppeared(type, found))

    # -- the permit's end ---------------------------------------------------------------------------------------

    def drop_waiting(self) -> None:
        """The service is gone: nothing that has not begun begins."""
        for lanes in list(self._lanes.values()):
            lanes.calls.drop_waiting()
            lanes.inside.drop_waiting()

    @property
    def may_run_anything(self) -> bool:
        return any(opened.may_run for opened in list(self._opened.values()))

    def stop_everything(self) -> None:
        """Terminate all that may run, all at once; returns at once. Repeat until nothing may run."""
        now_s = time.monotonic()
        for name, opened in list(self._opened.items()):
            lanes = self._lanes_of(name)
            stopping = lanes.stopping
            if opened.may_run and not stopping.under_way and now_s >= stopping.try_again_s:
                stopping.under_way = True
                lanes.terminate.submit(lambda name=name, stopping=stopping: self._stop_for_permit(name, stopping))  # type: ignore[misc]

    def _stop_for_permit(self, name: ResourceName, stopping: Stopping) -> None:
        if not self._must_stop():  # extended at the last moment, before this began
            stopping.under_way = False
            return
        try:
            self._stop(name, _terminate)
        except BaseException as error:  # noqa: BLE001  # a plugin call: there is nobody to answer, and it is tried again
            traceback.print_exc()
            why = f"{PERMIT_PASSED}, and it cannot be stopped: {type(error).__name__}: {error}"
            self._wire.send(frames.HealthSeen(name, Health(Condition.FAILED, why, running=True)))
            stopping.try_again_s = time.monotonic() + _RETRY_S
        else:
            log(f"{name} stopped: {PERMIT_PASSED}")
            why = f"stopped by the resource host: {PERMIT_PASSED}"
            self._wire.send(frames.HealthSeen(name, Health(Condition.FAILED, why, running=False)))
        stopping.under_way = False
        self._wire.wake()

    # -- what is here -------------------------------------------------------------------------------------------

    def _get(self, name: ResourceName) -> Opened:
        with self._lock:
            opened = self._opened.get(name)
        if opened is None:
            raise NotHere(f'"{name}" is not open in this resource host')
        return opened

    def _type(self, name: str) -> ResourceType:
        loaded = self._types.get(name)
        if loaded is None:
            raise NotHere(f"it has no plugin for {name}: none was installed here when this resource host started")
        if loaded.plugin is None:
            raise NotHere(f'the resource type "{name}" is not usable here: {loaded.offer.problem}')
        return loaded.plugin

    def _lanes_of(self, name: ResourceName) -> Lanes:
        lanes = self._lanes.get(name)
        if lanes is None:
            lanes = self._lanes[name] = Lanes(Lane(name), Lane(f"{name} terminate"), Lane(f"{name} inside"))
        return lanes

    def _type_lane(self, type: str, kind: str) -> Lane:
        lane = self._type_lanes.get((type, kind))
        if lane is None:
            lane = self._type_lanes[type, kind] = Lane(f"{type} {kind}")
        return lane


@dataclass(frozen=True, slots=True)
class Reporter:
    """The TypeHost of one type."""

    type: str
    host: ResourceHost

    def report(self, resource: ResourceName, health: Health) -> None:
        self.host.report(resource, health)

    def redefined(self, resource: ResourceName, change: Redefinition) -> None:
        self.host.redefined(resource, change)

    def happened(self, resource: ResourceName, incident: Incident, words: str) -> None:
        self.host.happened(resource, incident, words)

    def appeared(self, found: Found) -> None:
        self.host.appeared(self.type, found)

    def log(self, message: str) -> None:
        log(f"{self.type}: {message}")


def log(message: str) -> None:
    """The node's log is what the service does with our stderr."""
    # One write per line: `print` makes two, and the lines of several threads would run together.
    sys.stderr.write(f"outlast-rhs: {message}\n")
    sys.stderr.flush()


def _terminate(resource: Resource) -> None:
    resource.terminate()


def _movable(resource: Resource) -> Movable:
    if not isinstance(resource, Movable):
        raise Refusal("it cannot be handed over to another node as it runs: its resource type does not do that")
    return resource


def _inhabited(resource: Resource) -> Inhabited:
    if not isinstance(resource, Inhabited):
        raise Refusal("nothing in it can be asked how it is, or be reset: its resource type does not do that")
    return resource


def _savable(resource: Resource) -> Savable:
    if not isinstance(resource, Savable):
        raise Refusal("its state cannot be saved: its resource type does not do that")
    return resource


def _may_run(health: Health) -> bool:
    return health.running or health.condition in (Condition.ONLINE, Condition.UNKNOWN)


def _not_yet(health: Health) -> Health:
    if health.condition is Condition.FAILED:
        return Health(Condition.FAILED, health.why, running=True)
    return Health(Condition.UNKNOWN, "a start of it is under way", running=True)
