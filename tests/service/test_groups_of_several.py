"""How does an owner bring a group of several resources online and offline, and what becomes of it when one fails?

A disk, an address and a VM that needs both; n1 is where they are to run first.
"""

from collections.abc import Callable

import msgspec
import pytest
from played import events, group_of, play, played

from outlast.core.group.group_state import combined
from outlast.model import keys
from outlast.model.group import Resource, Wanted
from outlast.model.policy import Priority, RestartAction
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.service.store import put
from outlast.sim import records
from outlast.sim.world import World

THREE = (
    "world",
    "group web preferred=n1",
    "resource disk in=web",
    "resource ip in=web",
    "resource vm in=web needs=disk&ip",
    "start",
    "run 10",
)


def status_of(world: World, group: str) -> GroupStatus:
    found = records.read(world, keys.STATUS + group, GroupStatus)
    assert found is not None
    return found


def state_of(world: World, group: str) -> State:
    return combined(status_of(world, group).resources).state


def told(world: World, resource: str, group: str = "web") -> ResourceStatus:
    return status_of(world, group).resources[resource]


def change(world: World, key: str, record: msgspec.Struct) -> None:
    world.loop.call_soon(lambda: world.database.commit([], [put(key, record)]))


def change_resource(world: World, name: str, **changes: object) -> None:
    record = records.read(world, keys.RESOURCES + name, Resource)
    assert record is not None
    wanted = changes.get("wanted")
    if isinstance(wanted, Wanted):
        world.checks.wish_resource(name, wanted)
    change(world, keys.RESOURCES + name, msgspec.structs.replace(record, **changes))


def change_group(world: World, name: str, **changes: object) -> None:
    change(world, keys.GROUPS + name, msgspec.structs.replace(group_of(world, name), **changes))


def change_cluster(world: World, **changes: object) -> None:
    record = records.read(world, keys.CLUSTER, Settings)
    assert record is not None
    change(world, keys.CLUSTER, msgspec.structs.replace(record, **changes))


def watched(world: World, seconds: float, look: Callable[[], None]) -> None:
    """Look again and again at what must hold all the while."""
    for _ in range(int(seconds / 0.05)):
        play(world, "run 0.05")
        look()


def running(world: World) -> list[str]:
    return [name for name in ("disk", "ip", "vm") if world.where(name)]


def test_a_group_comes_online_in_order_and_goes_offline_in_reverse() -> None:
    seen: list[list[str]] = []
    with played(*THREE[:-2]) as world:

        def look() -> None:
            if not seen or seen[-1] != running(world):
                seen.append(running(world))
            if world.where("vm"):
                assert len(running(world)) == 3

        play(world, "start")
        watched(world, 15, look)
        assert seen[0] == []
        assert seen[-1] == ["disk", "ip", "vm"]
        assert state_of(world, "web") is State.ONLINE
        play(world, "admin n2 group.offline name=web")
        watched(world, 15, look)
        assert running(world) == []
        assert seen.index(["disk", "ip"], seen.index(["disk", "ip", "vm"])) > 0
        assert state_of(world, "web") is State.OFFLINE


def test_a_group_is_never_told_as_off_while_it_is_on_its_way() -> None:
    """Between the first resource and the last one nobody may take it away."""
    with played(*THREE) as world:
        play(world, "admin n2 group.offline name=web", "run 20")
        play(world, "admin n2 group.online name=web", "run 0.5")

        def look() -> None:
            assert told(world, "vm").state is not State.OFFLINE

        watched(world, 10, look)
        assert running(world) == ["disk", "ip", "vm"]


def test_what_is_switched_off_on_purpose_leaves_the_rest_online_and_the_group_partially() -> None:
    with played(*THREE) as world:
        play(world, "console stop vm", "run 10")
        assert running(world) == ["disk", "ip"]
        assert state_of(world, "web") is State.PARTIAL
        assert group_of(world, "web").wanted is Wanted.ONLINE
        record = records.read(world, keys.RESOURCES + "vm", Resource)
        assert record is not None
        assert record.wanted is Wanted.OFFLINE
        assert "vm of web is wanted offline" in events(world, "intent")[-1]
        play(world, "console start vm n1", "run 10")
        assert state_of(world, "web") is State.ONLINE


def test_what_needs_a_resource_that_is_taken_offline_goes_first() -> None:
    with played(*THREE) as world:
        change_resource(world, "disk", wanted=Wanted.OFFLINE)

        def look() -> None:
            assert world.where("disk") or not world.where("vm")

        watched(world, 15, look)
        assert running(world) == ["ip"]
        assert told(world, "vm") == ResourceStatus(State.OFFLINE, "disk, which it needs, is wanted offline")
        change_resource(world, "disk", wanted=Wanted.ONLINE)
        watched(world, 15, look)
        assert running(world) == ["disk", "ip", "vm"]


def test_a_resource_that_is_restarted_where_it_is_takes_those_along_that_need_it_and_they_come_back() -> None:
    restarts = [line.replace("resource ip", "resource ip restarts=2 delay=1") for line in THREE]
    with played(*restarts) as world:
        play(world, "kill vm ip")

        def look() -> None:
            assert told(world, "ip").state is not State.FAILED
            assert told(world, "vm").state not in (State.FAILED, State.OFFLINE)

        watched(world, 15, look)
        assert running(world) == ["disk", "ip", "vm"]
        assert group_of(world, "web").epoch == 1
        assert any("is restarted here (1 of 2)" in words for words in events(world, "restarted"))


def test_when_its_restarts_are_spent_the_group_fails_over() -> None:
    restarts = [line.replace("resource ip", "resource ip restarts=2 delay=1") for line in THREE]
    with played(*restarts) as world:
        for _ in range(3):
            play(world, "kill vm ip", "run 12")
        play(world, "run 20")
        assert group_of(world, "web").owner != "n1"
        assert running(world) == ["disk", "ip", "vm"]


def test_a_group_is_given_to_another_node_only_when_nothing_of_it_runs_any_more() -> None:
    with played(*THREE) as world:
        play(world, "kill vm disk")

        def look() -> None:
            owners = {tuple(world.where(name)) for name in running(world)}
            assert len(owners) <= 1, owners
            if group_of(world, "web").epoch == 1:
                assert all(world.where(name) in ([], ["n1"]) for name in running(world))

        watched(world, 30, look)
        assert group_of(world, "web").owner != "n1"
        assert running(world) == ["disk", "ip", "vm"]


def test_what_stays_failed_by_policy_takes_only_those_along_that_need_it() -> None:
    with played(*THREE) as world:
        change_resource(world, "ip", restart_action=RestartAction.NOTHING)
        play(world, "run 1", "kill vm ip", "run 30")
        assert running(world) == ["disk"]
        assert (group_of(world, "web").owner, group_of(world, "web").epoch) == ("n1", 1)
        assert told(world, "ip").state is State.FAILED
        assert told(world, "vm") == ResourceStatus(State.OFFLINE, "ip, which it needs, failed")


def test_one_whose_group_is_not_to_move_is_tried_once_more_after_long() -> None:
    lines = [line.replace("resource ip", "resource ip restarts=1 delay=1 period=30") for line in THREE]
    with played(*(line.replace("preferred=n1", "preferred=n1 retry=60") for line in lines)) as world:
        change_resource(world, "ip", restart_action=RestartAction.RESTART)
        play(world, "run 1", "trouble ip failing_starts=2", "kill vm ip", "run 20")
        assert told(world, "ip").state is State.FAILED
        play(world, "run 70")
        assert running(world) == ["disk", "ip", "vm"]
        assert group_of(world, "web").epoch == 1


def test_what_is_in_maintenance_is_neither_healed_nor_taken_for_an_intent() -> None:
    with played(*THREE) as world:
        change_resource(world, "ip", maintenance="the cable is being replaced")
        play(world, "run 1", "kill vm ip", "run 20")
        assert running(world) == ["disk", "vm"]
        assert "the cable is being replaced" in told(world, "ip").why
        play(world, "console start ip n1", "run 10", "console stop ip", "run 10")
        assert running(world) == ["disk", "vm"]
        world.checks.wish("web", Wanted.ONLINE)  # the end of the maintenance is a word, too
        record = records.read(world, keys.RESOURCES + "ip", Resource)
        assert record is not None
        assert record.wanted is Wanted.ONLINE
        change_resource(world, "ip", maintenance="")
        play(world, "run 20")
        assert running(world) == ["disk", "ip", "vm"]


def test_what_is_off_in_maintenance_is_still_looked_at_so_that_its_report_stays_true() -> None:
    with played(*THREE) as world:
        change_resource(world, "vm", maintenance="it is being mended")
        play(world, "run 1", "console stop vm", "run 5")
        assert told(world, "vm").state is State.OFFLINE
        play(world, "reports lost n1", "console start vm n1", "run 15")
        assert told(world, "vm").state is State.ONLINE


def test_while_the_cluster_is_not_armed_nothing_is_restarted_and_then_it_is() -> None:
    with played(*THREE) as world:
        change_cluster(world, armed=False)
        play(world, "run 1", "kill vm ip", "run 30")
        assert "ip" not in running(world)
        assert group_of(world, "web").owner == "n1"
        change_cluster(world, armed=True)
        play(world, "run 30")
        assert running(world) == ["disk", "ip", "vm"]


def test_a_group_starts_after_another_one() -> None:
    lines = ("world", "vm db preferred=n2 boot=8", "vm web preferred=n1 after=db+2", "start")
    with played(*lines) as world:
        seen: list[float] = []

        def look() -> None:
            if told(world, "db", "db").state is State.ONLINE:
                seen.append(world.now)
            if world.where("web"):
                assert seen
                assert world.now - seen[0] >= 2.0

        play(world, "run 4")
        assert told(world, "web", "web") == ResourceStatus(State.OFFLINE, "waits for db to be online")
        watched(world, 20, look)
        assert world.where("web") == ["n1"]


def test_a_group_that_fails_over_does_not_wait_again_for_what_has_been_online_for_long() -> None:
    lines = ("world", "vm db preferred=n2", "vm web preferred=n1 after=db+20", "start", "run 60")
    with played(*lines) as world:
        play(world, "kill vm web", "run 5")
        assert world.where("web") in (["n2"], ["n3"])


def test_what_started_after_another_group_runs_on_when_that_one_goes_offline() -> None:
    lines = ("world", "vm db preferred=n2", "vm web preferred=n1 after=db", "start", "run 20")
    with played(*lines) as world:
        play(world, "admin n1 group.offline name=db", "run 20", "kill service n1 restart=1", "run 20")
        assert world.where("web") == ["n1"]


def test_nobody_waits_for_another_group_beyond_the_limit() -> None:
    lines = ("world", "vm db preferred=n2 offline", "vm web preferred=n1 after=db limit=20", "start", "run 15")
    with played(*lines) as world:
        assert world.where("web") == []
        assert "wanted offline" in told(world, "web", "web").why
        play(world, "run 20")
        assert world.where("web") == ["n1"]


def test_what_does_not_start_by_itself_stays_off_after_its_nodes_end_until_somebody_says_so() -> None:
    lines = ("world nodes=1", "vm web priority=no-auto-start", "vm db", "start", "run 15")
    with played(*lines) as world:
        assert world.where("web") == ["n1"]
        world.checks.wish("web", Wanted.OFFLINE)  # by what was set of it
        play(world, "power reset n1", "run 60")
        assert world.where("db") == ["n1"]
        assert world.where("web") == []
        assert group_of(world, "web").wanted is Wanted.OFFLINE
        assert group_of(world, "web").priority is Priority.NO_AUTO_START
        assert "n1 begins another life" in group_of(world, "web").wanted_by
        play(world, "admin n1 group.online name=web", "run 10")
        assert world.where("web") == ["n1"]


def test_a_service_that_restarts_touches_nothing_of_a_group_of_several() -> None:
    with played(*THREE) as world:
        before = {name: world.machines["n1"].copies[name].since_s for name in running(world)}
        play(world, "kill service n1 restart=0.5", "run 20", "kill host n1", "run 20")
        assert {name: world.machines["n1"].copies[name].since_s for name in running(world)} == before


def test_a_resource_with_a_host_of_its_own_survives_the_end_of_the_others() -> None:
    lines = [line.replace("resource ip", "resource ip separate") for line in THREE]
    with played(*lines) as world:
        assert running(world) == ["disk", "ip", "vm"]
        hosts = world.services["n1"].node.hosts.processes()
        assert "sim of ip" in hosts
        play(world, "kill host n1", "run 10")
        assert running(world) == ["disk", "ip", "vm"]
        assert state_of(world, "web") is State.ONLINE
        play(world, "admin n2 group.move name=web to=n3", "run 30")
        assert "sim of ip" not in world.services["n1"].node.hosts.processes()
        assert "sim of ip" in world.services["n3"].node.hosts.processes()


def test_a_resource_gets_a_host_of_its_own_while_it_runs() -> None:
    with played(*THREE) as world:
        since_s = world.machines["n1"].copies["ip"].since_s
        change_resource(world, "ip", separate_host=True)
        play(world, "run 10")
        assert "sim of ip" in world.services["n1"].node.hosts.processes()
        assert world.machines["n1"].copies["ip"].since_s == since_s
        assert state_of(world, "web") is State.ONLINE
        change_resource(world, "ip", separate_host=False)
        play(world, "run 10")
        assert "sim of ip" not in world.services["n1"].node.hosts.processes()
        play(world, "kill vm ip", "run 30")
        assert running(world) == ["disk", "ip", "vm"]


def test_a_resource_stays_in_its_host_until_the_one_of_its_own_is_ready() -> None:
    """Else nobody but the service would stop it when the run permit ends."""
    with played(*THREE) as world:
        play(world, "hosts die n1")
        change_resource(world, "ip", separate_host=True)

        def look() -> None:
            assert told(world, "ip").state is State.ONLINE
            assert world.services["n1"].node.resources.locals["ip"].opened

        watched(world, 15, look)
        play(world, "hosts start n1", "run 40")
        assert "sim of ip" in world.services["n1"].node.hosts.processes()
        assert world.services["n1"].node.resources.locals["ip"].formerly is None
        assert running(world) == ["disk", "ip", "vm"]


def test_what_is_about_to_be_told_of_one_group_binds_while_the_report_of_another_is_under_way() -> None:
    """The last of many groups is wanted online by a word that changes neither its group nor its report, in the moment
    in which its node tells, slowly, that nothing of it runs."""
    names = [f"vm{number}" for number in range(100)]
    last = names[-1]
    with played("world nodes=2", *(f"vm {name} possible=n1" for name in names), "start", "run 20") as world:
        change_resource(world, last, wanted=Wanted.OFFLINE)
        play(
            world,
            *(f"admin n2 group.offline name={name}" for name in names[:-1]),
            "run 20",
            "database slow n1 way=0.5",
            "run 5",
        )
        assert world.where(last) == []
        for name in names:
            change_group(world, name, epoch=group_of(world, name).epoch + 1)
        play(world, "run 0.6")
        change_resource(world, last, wanted=Wanted.ONLINE)

        def look() -> None:
            if world.where(last):
                present = status_of(world, last)
                fresh = present.epoch == group_of(world, last).epoch
                assert not (fresh and present.resources[last].state in (State.OFFLINE, State.FAILED))

        watched(world, 15, look)
        assert world.where(last) == ["n1"]


@pytest.mark.parametrize("way_s", [0.05, 0.5])
def test_whatever_an_owner_tells_nothing_runs_of_what_it_calls_off(way_s: float) -> None:
    lines = [line.replace("resource ip", "resource ip restarts=1 delay=1") for line in THREE]
    with played(*lines, f"database slow n1 way={way_s}") as world:

        def look() -> None:
            status, group = status_of(world, "web"), group_of(world, "web")
            if (status.epoch, status.node) != (group.epoch, group.owner):
                return
            off = all(one.state in (State.OFFLINE, State.FAILED) for one in status.resources.values())
            assert not (off and running(world)), status

        for line in (
            "kill vm ip",
            "console stop vm",
            "admin n2 group.offline name=web",
            "admin n2 group.online name=web",
            "kill vm disk",
            "kill service n1 restart=0.5",
            "console start vm n1",
            "admin n2 group.move name=web to=n3",
            "kill host n3",
        ):
            play(world, line)
            watched(world, 8, look)
