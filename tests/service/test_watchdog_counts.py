"""A node's watchdog counts while something runs there, and nothing runs beyond what the cluster was told of it."""

from dataclasses import dataclass

import pytest
from played import events, incarnation_of, play, played, session_of

from outlast.model.node import Session
from outlast.ports.environment import Clock
from outlast.service.watchdog import Arming
from outlast.sim.world import World


def declared(world: World, node: str) -> Session:
    session = session_of(world, node)
    assert session is not None
    return session


def unload(world: World) -> None:
    """The driver of n1's device."""
    world.watchdogs["n1"].disarm()
    world.watchdogs["n1"].gone = True


def test_a_watchdog_counts_only_while_something_runs_and_is_declared_all_the_time() -> None:
    with played("world watchdogs", "start", "run 5") as world:
        assert not world.watchdogs["n1"].armed
        assert declared(world, "n1").watchdog_s == pytest.approx(7.0)
        play(world, "vm web1 preferred=n1", "run 10")
        assert world.where("web1") == ["n1"]
        assert world.watchdogs["n1"].armed
        assert not world.watchdogs["n2"].armed
        play(world, "admin n2 group.offline name=web1", "run 20")
        assert world.where("web1") == []
        assert not world.watchdogs["n1"].armed
        assert declared(world, "n1").watchdog_s == pytest.approx(7.0)


def test_a_service_that_goes_on_with_its_session_lets_no_watchdog_end_before_it_knows_what_runs() -> None:
    story = ("vm web1 preferred=n1", "start", "run 10", "plugin damage n1", "kill service n1 restart=1", "run 8")
    with played("world watchdogs", *story) as world:
        assert world.where("web1") == ["n1"]
        assert declared(world, "n1").watchdog_s > 0
        assert world.watchdogs["n1"].armed


@dataclass
class Stopped:
    """A clock in a process that stood still just before each look."""

    clock: Clock
    for_s: float

    def now(self) -> float:
        return self.clock.now() + self.for_s

    def wall(self) -> float:
        return self.clock.wall()


def test_who_stands_still_between_an_answer_and_the_feeding_feeds_no_more_when_the_permit_is_over() -> None:
    """Else it would end after the moment from which on everybody takes it for dead: its power is cut in time."""
    with played("world watchdogs unfenced", "vm web1 preferred=n1", "start", "run 10") as world:
        arming = world.services["n1"].node.watchdog
        arming._clock = Stopped(arming._clock, for_s=3.0)
        play(world, "run 8")
        assert world.machines["n1"].on, "it was fed in time"
        arming._clock = Stopped(arming._clock, for_s=6.1 - 3.0)
        play(world, "run 7.5")
        assert not world.machines["n1"].on


@pytest.mark.parametrize(("for_s", "feeds"), [(0.5, True), (6.1, False)])
def test_who_stands_still_before_it_goes_on_with_a_session_feeds_only_while_its_permit_lasts(
    for_s: float, feeds: bool
) -> None:
    with played("world watchdogs", "vm web1 preferred=n1", "start", "run 10") as world:
        node = world.services["n1"].node
        until_s = node.membership._env.hosts.permit.until_s()
        arming = Arming(world.watchdogs["n1"], Stopped(node.watchdog._clock, for_s=for_s))
        due_s = world.watchdogs["n1"]._due_s
        play(world, "run 0.01")
        arming.prepare(7.0, running=True, until_s=until_s)
        assert (arming.claim_s == 7.0) == (world.watchdogs["n1"]._due_s > due_s) == feeds


def test_an_idle_node_whose_service_freezes_keeps_its_power() -> None:
    with played("world watchdogs", "start", "run 5", "freeze n1", "run 30", "thaw n1", "run 20") as world:
        assert world.machines["n1"].on
        assert incarnation_of(world, "n1")


def test_nothing_starts_unwatched_while_the_cluster_still_believes_in_the_watchdog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with played("world watchdogs", "start", "run 5") as world:
        machine = world.machines["n1"]
        start_vm, told = machine.start_vm, []

        def noted(name: str, by: str) -> None:
            told.append(declared(world, "n1").watchdog_s)
            start_vm(name, by)

        monkeypatch.setattr(machine, "start_vm", noted)
        unload(world)
        play(world, "database slow n1 way=0.3", "vm web1 preferred=n1", "run 20")
        assert world.where("web1") == ["n1"]
        assert told == [0.0]
        assert declared(world, "n1").watchdog_problem == "no such device"


def test_a_watchdog_that_is_back_is_declared_again_once_it_counts() -> None:
    with played("world watchdogs", "vm web1 preferred=n1", "start", "run 10") as world:
        unload(world)
        play(world, "run 5")
        assert declared(world, "n1").watchdog_s == 0.0
        world.watchdogs["n1"].gone = False
        play(world, "run 60")
        assert world.watchdogs["n1"].armed
        assert declared(world, "n1").watchdog_s == pytest.approx(7.0)
        assert events(world, "permit") == []
