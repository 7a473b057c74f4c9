"""Does a resource type keep the plugin API's promises? Run these tests on yours.

    from outlast.plugin_contract import PluginContract

    class TestMine(PluginContract):
        def make_type(self, host): return MyType(host)
        def make_spec(self): return Spec("mine", "my-type", definition="...", identity="...")
        def runs(self, spec): ...   # look by yourself, not through the plugin

and `pytest`. Each test makes its own spec, and ends with the thing terminated and forgotten. "A killed host" is a type
object that is abandoned without a word: that is all a plugin ever sees of it.
"""

import threading
import time
import unittest
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, cast

from outlast.plugin import (
    API_VERSION,
    INQUIRE,
    STAND_STILL,
    Answer,
    CannotStart,
    Condition,
    Destination,
    Found,
    Health,
    Incident,
    Inhabited,
    Inquiry,
    Movable,
    Redefinition,
    Refusal,
    Resource,
    ResourceName,
    ResourceType,
    Spec,
    Transfer,
    TypeHost,
)

HANG_S = 60.0
"""Longer than anything here takes; a test that waits longer has found a call that hangs."""


class RecordingHost:
    """A TypeHost that keeps what was reported."""

    def __init__(self) -> None:
        self.health: list[tuple[ResourceName, Health]] = []
        self.found: list[Found] = []
        self.redefinitions: list[tuple[ResourceName, Redefinition]] = []
        self.incidents: list[tuple[ResourceName, Incident, str]] = []
        self.news = threading.Condition()

    def report(self, resource: ResourceName, health: Health) -> None:
        with self.news:
            self.health.append((resource, health))
            self.news.notify_all()

    def appeared(self, found: Found) -> None:
        with self.news:
            self.found.append(found)
            self.news.notify_all()

    def redefined(self, resource: ResourceName, change: Redefinition) -> None:
        with self.news:
            self.redefinitions.append((resource, change))
            self.news.notify_all()

    def happened(self, resource: ResourceName, incident: Incident, words: str) -> None:
        with self.news:
            self.incidents.append((resource, incident, words))
            self.news.notify_all()

    def log(self, message: str) -> None:
        pass

    def wait_for(self, condition: Condition, within_s: float = HANG_S) -> Health:
        """The first report of this condition."""

        def seen() -> Health | None:
            return next((health for _, health in self.health if health.condition is condition), None)

        with self.news:
            health = self.news.wait_for(seen, within_s)
        assert health is not None, f"no {condition.value} was reported within {within_s:g} s; only {self.health}"
        return health


class PluginContract:
    """Subclass it, fill in the first methods, and name the subclass Test..."""

    stop_timeout_s = 2.0
    """What `offline` is given; a thing that does not stop in order is stopped by force after it."""

    def make_type(self, host: TypeHost) -> ResourceType:
        raise NotImplementedError

    def make_spec(self) -> Spec:
        raise NotImplementedError

    def runs(self, spec: Spec) -> bool:
        """Whether it runs on this machine, found out without the plugin."""
        raise NotImplementedError

    def kill_from_outside(self, spec: Spec) -> bool:
        """End it as a crash would; return False when that cannot be done."""
        return False

    # -- what it says about itself -----------------------------------------------------------------------------

    def test_it_is_written_for_this_version_of_the_api_and_says_what_it_can_do(self) -> None:
        plugin = self.make_type(RecordingHost())
        assert isinstance(plugin, ResourceType)
        assert type(plugin).api_version == API_VERSION
        assert plugin.version
        assert all(isinstance(function, str) for function in plugin.functions)
        plugin.close()

    def test_a_verb_that_it_does_not_know_is_refused_in_words(self) -> None:
        with self._opened() as (plugin, resource, _):
            for control in (plugin.control, resource.control):
                assert _refusal_of(lambda control=control: control("no-such-verb", {}))  # type: ignore[misc]

    # -- starting and stopping ---------------------------------------------------------------------------------

    def test_open_starts_nothing(self) -> None:
        with self._opened() as (plugin, resource, spec):
            assert not self.runs(spec)
            assert resource.health().condition is not Condition.ONLINE
            assert not resource.health().running
            assert plugin.is_alive([spec.name])[spec.name].condition is not Condition.ONLINE

    def test_online_returns_when_it_runs_and_every_health_call_says_so(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            assert self.runs(spec)
            self._assert_health(plugin, resource, spec, Condition.ONLINE)

    def test_online_twice_is_online(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            resource.online(_ignore)
            assert self.runs(spec)
            self._assert_health(plugin, resource, spec, Condition.ONLINE)

    def test_offline_returns_when_nothing_runs(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            resource.offline(_ignore, self.stop_timeout_s)
            assert not self.runs(spec)
            self._assert_health(plugin, resource, spec, Condition.OFFLINE)

    def test_offline_twice_is_offline(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            resource.offline(_ignore, self.stop_timeout_s)
            resource.offline(_ignore, self.stop_timeout_s)
            self._assert_health(plugin, resource, spec, Condition.OFFLINE)

    def test_it_can_be_started_again_after_each_way_to_stop_it(self) -> None:
        with self._opened() as (plugin, resource, spec):
            stops: Sequence[Callable[[], None]] = (
                lambda: resource.offline(_ignore, self.stop_timeout_s),
                resource.terminate,
            )
            for stop in stops:
                resource.online(_ignore)
                stop()
                assert not self.runs(spec)
                resource.online(_ignore)
                assert self.runs(spec)
                self._assert_health(plugin, resource, spec, Condition.ONLINE)

    def test_terminate_works_from_every_state(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.terminate()  # never started
            resource.online(_ignore)
            resource.terminate()
            assert not self.runs(spec)
            resource.terminate()  # terminated
            resource.online(_ignore)
            resource.offline(_ignore, self.stop_timeout_s)
            resource.terminate()  # offline
            assert not self.runs(spec)
            self._assert_health(plugin, resource, spec, Condition.OFFLINE)

    def test_terminate_may_come_while_offline_waits(self) -> None:
        with self._opened() as (_, resource, spec):
            resource.online(_ignore)
            waiting = threading.Thread(target=lambda: resource.offline(_ignore, HANG_S), daemon=True)
            waiting.start()
            resource.terminate()
            assert not self.runs(spec)
            waiting.join(HANG_S)
            assert not waiting.is_alive(), "offline did not return after terminate had stopped everything"

    def test_after_a_terminate_that_came_while_it_started_nothing_runs(self) -> None:
        with self._opened() as (_, resource, spec):
            begun = threading.Event()

            def start() -> None:
                with suppress(CannotStart):
                    resource.online(lambda _word: begun.set())
                begun.set()

            starting = threading.Thread(target=start, daemon=True)
            starting.start()
            assert begun.wait(HANG_S)
            resource.terminate()
            starting.join(HANG_S)
            assert not starting.is_alive(), "online did not return after terminate"
            assert not self.runs(spec)

    def test_what_the_cluster_does_is_not_reported_as_a_failure(self) -> None:
        host = RecordingHost()
        with self._opened(host) as (plugin, resource, spec):
            for _ in range(2):
                resource.online(_ignore)
                resource.terminate()
            plugin.is_alive([spec.name])
            assert [health for _, health in host.health if health.condition is Condition.FAILED] == []

    # -- health ------------------------------------------------------------------------------------------------

    def test_health_is_given_for_what_was_asked_and_nothing_else(self) -> None:
        with self._opened() as (plugin, _, spec):
            for ask in (plugin.looks_alive, plugin.is_alive):
                assert dict(ask([])) == {}
                assert set(ask([spec.name, "no such resource"])) == {spec.name}

    def test_its_end_by_a_crash_is_failed_and_nothing_runs_any_more(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            if not self.kill_from_outside(spec):
                raise unittest.SkipTest("it cannot be ended from outside")
            health = self._health_that_is_not(Condition.ONLINE, plugin, spec)
            assert health.condition is Condition.FAILED
            assert not health.running
            assert not self.runs(spec)

    # -- the host dies, the thing lives ------------------------------------------------------------------------

    def test_a_new_host_finds_what_a_killed_one_has_left_running(self) -> None:
        with self._opened() as (_, resource, spec):
            resource.online(_ignore)
            new = self.make_type(RecordingHost())
            again = new.open(spec)
            assert self.runs(spec)
            self._assert_health(new, again, spec, Condition.ONLINE)
            again.terminate()
            assert not self.runs(spec)
            again.close()
            new.close()

    def test_close_does_not_touch_the_thing_itself(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            resource.close()
            assert self.runs(spec)
            again = plugin.open(spec)
            assert again.health().condition is Condition.ONLINE

    # -- finding and forgetting --------------------------------------------------------------------------------

    def test_discover_finds_what_runs(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            found = [found for found in plugin.discover() if _is_of(found, spec)]
            assert [one.running for one in found] == [True]

    def test_after_forget_nothing_is_left(self) -> None:
        with self._opened() as (plugin, resource, spec):
            resource.online(_ignore)
            resource.terminate()
            resource.forget()
            assert [found for found in plugin.discover() if _is_of(found, spec)] == []
            resource.forget()

    # -- what the tests are made of ----------------------------------------------------------------------------

    @contextmanager
    def _opened(self, host: RecordingHost | None = None) -> Iterator[tuple[ResourceType, Resource, Spec]]:
        plugin, spec = self.make_type(host or RecordingHost()), self.make_spec()
        resource = plugin.open(spec)
        try:
            yield plugin, resource, spec
        finally:
            last = plugin.open(spec)
            last.terminate()
            last.forget()
            last.close()
            plugin.close()

    def _assert_health(self, plugin: ResourceType, resource: Resource, spec: Spec, expected: Condition) -> None:
        said = {
            "health": resource.health(),
            "looks_alive": plugin.looks_alive([spec.name])[spec.name],
            "is_alive": plugin.is_alive([spec.name])[spec.name],
        }
        assert {call: health.condition for call, health in said.items()} == dict.fromkeys(said, expected), said
        assert {health.running for health in said.values()} == {expected is Condition.ONLINE}, said

    def _health_that_is_not(self, old: Condition, plugin: ResourceType, spec: Spec) -> Health:
        """Whatever it settles on: "unknown" is an honest answer for a moment."""
        ends_s = time.monotonic() + HANG_S
        while (health := plugin.is_alive([spec.name])[spec.name]).condition in (old, Condition.UNKNOWN):
            assert time.monotonic() < ends_s, f"it is still called {old.value}"
            time.sleep(0.01)
        return health


class InhabitedContract(PluginContract):
    """Besides, for a type in whose resources something lives that can be asked how it is (`Inhabited`)."""

    def test_an_inquiry_and_a_reset_start_nothing(self) -> None:
        with self._inhabited() as (resource, spec):
            assert resource.inquire(Inquiry(timeout_s=1.0)).answer is not Answer.YES
            for verb in (resource.reset, resource.go_on):
                with suppress(Refusal):
                    verb()
            assert not self.runs(spec)

    def test_an_inquiry_may_come_beside_everything_and_keeps_nothing_alive(self) -> None:
        with self._inhabited() as (resource, spec):
            resource.online(_ignore)
            asking = threading.Thread(target=resource.inquire, args=(Inquiry(timeout_s=1.0),), daemon=True)
            asking.start()
            assert self.runs(spec)
            resource.terminate()
            assert not self.runs(spec)
            asking.join(HANG_S)
            assert not asking.is_alive(), "an inquiry hangs"
            assert not self.runs(spec)

    def test_a_reset_leaves_what_runs_running_and_so_does_going_on(self) -> None:
        with self._inhabited() as (resource, spec):
            resource.online(_ignore)
            resource.reset()
            assert self.runs(spec)
            resource.go_on()
            assert self.runs(spec)
            assert resource.health().condition is Condition.ONLINE

    @contextmanager
    def _inhabited(self) -> Iterator[tuple["_InhabitedResource", Spec]]:
        with self._opened() as (plugin, resource, spec):
            assert INQUIRE in plugin.functions
            assert isinstance(resource, Inhabited), "its resources lack a method of `Inhabited`"
            yield cast("_InhabitedResource", resource), spec


class MovableContract(PluginContract):
    """Besides, for a type whose resources can be handed over as they run (`Movable`). The other node is another spec of
    the same thing: with another connection, directory or whatever tells the two apart."""

    def make_other(self, spec: Spec) -> tuple[Spec, Destination]:
        """The same thing on the other node, and how that node is named to the owner."""
        raise NotImplementedError

    def test_what_is_handed_over_stands_still_there_and_runs_nowhere_until_it_is_taken_up(self) -> None:
        with self._two() as (plugin, resource, other, spec, there, to):
            resource.online(_ignore)
            resource.hand_over(to, _ignore_transfer)
            assert not self.runs(spec)
            assert not self.runs(there)
            left = plugin.is_alive([spec.name])[spec.name]
            assert (left.condition, left.running, left.moved_away) == (Condition.OFFLINE, False, True)
            assert self._stands(other)
            other.take_up(_ignore)
            assert self.runs(there)
            assert not other.health().stands
            assert not self.runs(spec)

    def test_a_new_host_finds_what_stands_still_and_lets_it_stand(self) -> None:
        with self._two() as (_, resource, _, _, there, to):
            resource.online(_ignore)
            resource.hand_over(to, _ignore_transfer)
            again = self._open_movable(self.make_type(RecordingHost()), there)
            assert self._stands(again)
            assert not self.runs(there)
            again.close()

    def test_what_is_called_back_ends_as_it_ends_and_runs_in_one_place_at_most(self) -> None:
        with self._two() as (_, resource, other, spec, there, to):
            resource.online(_ignore)
            refused = ""
            threading.Thread(target=resource.call_back, daemon=True).start()
            try:
                resource.hand_over(to, _ignore_transfer)
            except Refusal as refusal:
                refused = str(refusal)
            assert self.runs(spec) == bool(refused)
            assert not self.runs(there)
            assert other.health().stands == (not refused)

    def test_what_stands_still_can_be_terminated_and_is_no_failure(self) -> None:
        with self._two() as (_, resource, other, _, there, to):
            resource.online(_ignore)
            resource.hand_over(to, _ignore_transfer)
            other.terminate()
            assert other.health().condition is Condition.OFFLINE
            assert not other.health().running
            assert not self.runs(there)

    def test_a_start_throws_away_what_stands_still(self) -> None:
        with self._two() as (_, resource, other, _, there, to):
            resource.online(_ignore)
            resource.hand_over(to, _ignore_transfer)
            other.online(_ignore)
            assert self.runs(there)
            assert not other.health().stands

    def test_nothing_is_taken_up_where_nothing_stands(self) -> None:
        with self._two() as (_, _, other, _, there, _):
            try:
                other.take_up(_ignore)
            except CannotStart:
                assert not self.runs(there)
            else:
                raise AssertionError("it took up what is not there")

    def test_what_is_made_to_stand_still_stands_also_for_the_next_host_until_it_is_taken_up(self) -> None:
        """For a type that names `STAND_STILL`; another refuses it as any word that it does not know."""
        with self._opened() as (plugin, _, spec):
            resource = self._open_movable(plugin, spec)
            resource.online(_ignore)
            if STAND_STILL not in plugin.functions:
                assert _refusal_of(lambda: resource.control(STAND_STILL, {}))
                return
            resource.control(STAND_STILL, {})
            assert self._stands(resource)
            assert not self.runs(spec)
            again = self._open_movable(self.make_type(RecordingHost()), spec)
            assert self._stands(again)
            again.control(STAND_STILL, {})
            again.take_up(_ignore)
            assert self.runs(spec)
            assert not again.health().stands
            again.terminate()
            assert _refusal_of(lambda: again.control(STAND_STILL, {}))
            again.close()

    @contextmanager
    def _two(self) -> Iterator[tuple[ResourceType, "_MovableResource", "_MovableResource", Spec, Spec, Destination]]:
        with self._opened() as (plugin, _, spec):
            there, to = self.make_other(spec)
            elsewhere = self.make_type(RecordingHost())
            other = self._open_movable(elsewhere, there)
            try:
                yield plugin, self._open_movable(plugin, spec), other, spec, there, to
            finally:
                other.terminate()
                other.forget()
                other.close()
                elsewhere.close()

    def _open_movable(self, plugin: ResourceType, spec: Spec) -> "_MovableResource":
        resource = plugin.open(spec)
        assert isinstance(resource, Movable), "its resources lack a method of `Movable`"
        return cast("_MovableResource", resource)

    def _stands(self, resource: Resource) -> bool:
        """Its host may see it a moment later."""
        ends_s = time.monotonic() + HANG_S
        while not (health := resource.health()).stands and time.monotonic() < ends_s:
            time.sleep(0.01)
        return health.stands and health.running and health.condition is Condition.ONLINE


class _InhabitedResource(Resource, Inhabited, Protocol):
    """Both."""


class _MovableResource(Resource, Movable, Protocol):
    pass


def _ignore_transfer(_transfer: Transfer) -> None:
    pass


def _ignore(_word: str) -> None:
    pass


def _refusal_of(call: Callable[[], object]) -> str:
    try:
        call()
    except Refusal as refusal:
        return str(refusal)
    raise AssertionError("it was carried out, not refused")


def _is_of(found: Found, spec: Spec) -> bool:
    return found.identity == (spec.identity or spec.name)
