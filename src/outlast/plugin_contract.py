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

from outlast.plugin import (
    API_VERSION,
    CannotStart,
    Condition,
    Found,
    Health,
    Refusal,
    Resource,
    ResourceName,
    ResourceType,
    Spec,
    TypeHost,
)

HANG_S = 60.0
"""Longer than anything here takes; a test that waits longer has found a call that hangs."""


class RecordingHost:
    """A TypeHost that keeps what was reported."""

    def __init__(self) -> None:
        self.health: list[tuple[ResourceName, Health]] = []
        self.found: list[Found] = []
        self.news = threading.Condition()

    def report(self, resource: ResourceName, health: Health) -> None:
        with self.news:
            self.health.append((resource, health))
            self.news.notify_all()

    def appeared(self, found: Found) -> None:
        with self.news:
            self.found.append(found)
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
