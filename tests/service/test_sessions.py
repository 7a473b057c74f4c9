"""When does a node's session go on, and when does another life of the node begin?"""

import pytest
from played import beat_of, events, group_of, incarnation_of, play, played, session_of

from outlast.core.membership.permit import PermitRecord
from outlast.core.membership.timing import timing
from outlast.model import keys
from outlast.model.group import Wanted
from outlast.model.node import Silence
from outlast.service.store import put
from outlast.sim.world import World

TWO_VMS = ("vm web1 preferred=n1", "vm web2 preferred=n2", "start", "run 10")
NOBODY_PROMISES = tuple(f"cut {one} {other} service" for one, other in (("n1", "n2"), ("n2", "n3"), ("n3", "n1")))


def test_a_lost_acknowledgement_costs_a_node_neither_its_session_nor_its_vms() -> None:
    with played("world", *TWO_VMS) as world:
        before = incarnation_of(world, "n1")
        play(world, "database unhear n1", "run 20")
        assert incarnation_of(world, "n1") == before
        assert events(world, "permit") == []
        assert world.where("web1") == ["n1"]


def test_a_permit_counts_from_the_sending_of_the_record_that_is_in_the_database_not_from_a_later_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step_s = 0.005
    with played("world", *TWO_VMS) as world:
        machine = world.machines["n1"]
        permits: list[tuple[int, float]] = []
        write_permit = machine.write_permit

        def noted(permit: PermitRecord) -> None:
            permits.append((beat_of(world, "n1"), permit.until_s))
            write_permit(permit)

        monkeypatch.setattr(machine, "write_permit", noted)
        committed_by_s: dict[int, float] = {}
        play(world, "database unhear n1")
        for _ in range(800):
            play(world, f"run {step_s}")
            committed_by_s.setdefault(beat_of(world, "n1"), machine.clock.now())
        assert len(permits) > 2
        for beat, until_s in permits:
            assert until_s <= committed_by_s[beat] + timing(5.0).permit_s


def test_a_service_that_is_back_before_its_permit_ends_goes_on_with_its_session() -> None:
    with played("world", *TWO_VMS) as world:
        before = incarnation_of(world, "n1")
        play(world, "kill service n1 restart=1", "run 20")
        assert incarnation_of(world, "n1") == before
        assert world.where("web1") == ["n1"]
        assert len(events(world, "node-joined")) == 3


def test_a_service_that_is_back_later_begins_another_life_and_what_its_hosts_stopped_is_nobodys_intent() -> None:
    with played("world nodes=1", "vm web1", "start", "run 10") as world:
        before = incarnation_of(world, "n1")
        play(world, "kill service n1 restart=8", "run 30")
        assert incarnation_of(world, "n1") != before
        assert group_of(world, "web1").wanted is Wanted.ONLINE
        assert world.where("web1") == ["n1"]


def test_a_session_whose_permit_has_passed_is_over_although_nobody_declared_it_silent() -> None:
    with played("world", *TWO_VMS) as world:
        before = {name: incarnation_of(world, name) for name in ("n1", "n2", "n3")}
        play(world, *NOBODY_PROMISES, "database cut all", "run 6", "database mend all", "run 30")
        assert all(incarnation_of(world, name) != old for name, old in before.items())
        assert world.where("web1") == ["n1"]


def test_what_an_outage_of_the_database_ended_is_no_failure_of_the_groups() -> None:
    with played("world", *TWO_VMS) as world:
        for _ in range(4):
            play(world, *NOBODY_PROMISES, "database cut all", "run 7", "database mend all", "run 30")
        assert group_of(world, "web1").failures == ()
        assert world.where("web1") == ["n1"]


@pytest.mark.parametrize("phase_s", [0.0, 0.2, 0.4, 0.6, 0.8])
def test_an_outage_of_half_a_node_timeout_is_not_noticed_by_any_vm(phase_s: float) -> None:
    with played("world", *TWO_VMS) as world:
        before = incarnation_of(world, "n1")
        play(world, f"run {phase_s}", "database cut all", "run 2.5", "database mend all", "run 20")
        assert incarnation_of(world, "n1") == before
        assert events(world, "permit") == []


def test_a_service_that_was_frozen_beyond_its_permit_does_not_renew_what_has_ended() -> None:
    with played("world nodes=1", "vm web1", "start", "run 10") as world:
        before = incarnation_of(world, "n1")
        play(world, "freeze service n1", "run 8", "thaw service n1", "run 30")
        assert incarnation_of(world, "n1") != before
        assert group_of(world, "web1").wanted is Wanted.ONLINE
        assert world.where("web1") == ["n1"]


def test_a_node_whose_resource_hosts_do_not_start_is_no_member_before_it_knows_what_runs() -> None:
    with played(
        "world unfenced", *TWO_VMS, "kill service n1 restart=never", "run 1", "kill host n1", "hosts hang n1", "run 20"
    ) as world:
        before = incarnation_of(world, "n1")
        play(world, "service start n1", "run 40")
        assert incarnation_of(world, "n1") == before
        assert world.where("web1") == ["n1"]
        play(world, "hosts start n1", "run 60")
        assert incarnation_of(world, "n1") != before


def test_a_watchdog_that_is_gone_proves_nothing_any_more_and_ends_nothing() -> None:
    with played("world watchdogs", *TWO_VMS) as world:
        before = session_of(world, "n1")
        assert before is not None
        assert before.watchdog_s == pytest.approx(7.0)
        world.watchdogs["n1"].disarm()
        world.watchdogs["n1"].gone = True
        play(world, "run 10")
        after = session_of(world, "n1")
        assert after is not None
        assert (after.incarnation, after.watchdog_s) == (before.incarnation, 0.0)
        play(world, "kill service n1 restart=1", "run 10")
        assert incarnation_of(world, "n1") == before.incarnation
        assert world.where("web1") == ["n1"]


def declared_silent(world: World, name: str) -> None:
    """As another coordinator would, that did not see its records."""
    silence = Silence(name, incarnation_of(world, name), "declared in this test")
    write = put(keys.SILENCES + name, silence)
    world.loop.call_soon(lambda: world.database.commit([], [write]))
    play(world, "run 0.01")


def test_a_node_that_was_declared_silent_cannot_renew_and_begins_another_life_with_nothing_running() -> None:
    with played("world unfenced", *TWO_VMS) as world:
        before = incarnation_of(world, "n2")
        declared_silent(world, "n2")
        play(world, "run 5")
        assert incarnation_of(world, "n2") != before
        assert any("declared silent" in words and "stopped web2" in words for words in events(world, "permit"))
        assert world.database.entries(keys.SILENCES) == ()


def test_a_service_that_is_back_at_once_but_was_declared_silent_does_not_go_on_with_its_session() -> None:
    with played("world unfenced", *TWO_VMS) as world:
        before = incarnation_of(world, "n2")
        play(world, "kill service n2 restart=1")
        declared_silent(world, "n2")
        play(world, "run 15")
        assert incarnation_of(world, "n2") != before


def test_a_node_that_leaves_in_order_leaves_no_session_behind_whatever_was_under_way() -> None:
    for pause_s in (0.0, 0.3, 0.6, 0.9, 1.2, 1.5):
        with played("world", *TWO_VMS, "database slow n3 way=0.4", f"run {5 + pause_s}") as world:
            service = world.services["n3"]
            service.process.context.run(world.loop.create_task, service.node.leave())
            play(world, "run 15")
            assert session_of(world, "n3") is None
            assert events(world, "node-silent") == []


def test_a_node_starts_nothing_before_its_session_is_open() -> None:
    with played("world nodes=1", "vm web1", "start", "run 10") as world:
        play(world, "kill service n1 restart=10", "database slow n1 way=0.4", "run 40")
        assert world.where("web1") == ["n1"]
        assert events(world, "failed") == []
