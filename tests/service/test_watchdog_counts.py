"""A node's watchdog counts while something runs there, and nothing runs beyond what the cluster was told of it."""

import pytest
from played import events, incarnation_of, play, played, session_of

from outlast.model.node import Session
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
