"""Who starts first on a node that has many groups to start, and how many start at once?"""

import msgspec
from played import events, play, played

from outlast.model import keys
from outlast.model.status import GroupStatus, State
from outlast.sim.world import World

MIXED = [
    f"vm {priority}{number} priority={priority} preferred=n2 boot=2"
    for number in (1, 2, 3)
    for priority in ("low", "medium", "high")
]
"""In an order that is not the one in which they are to start."""


def begun(world: World, *names: str) -> list[str]:
    return [name for name in names if world.where(name)]


def told(world: World, name: str) -> tuple[State, str]:
    reports = {entry.key: entry.value for entry in world.database.entries(keys.STATUS)}
    (status,) = msgspec.json.decode(reports[keys.STATUS + name], type=GroupStatus).resources.values()
    return status.state, status.why


def order_of_starts(world: World, seconds: float) -> list[set[str]]:
    """Who runs at last, in the order in which they came, those of one moment together."""
    found: list[set[str]] = []
    for _ in range(int(seconds / 0.05)):
        play(world, "run 0.05")
        here = {name for name in world.vms if world.where(name)} - set().union(*found)
        found += [here] if here else []
    return found


def test_after_a_common_boot_the_more_urgent_ones_start_first_on_each_node() -> None:
    with played("world", *MIXED) as world:
        play(world, "start", "run 20", "power off n1", "power off n2", "power off n3", "run 1")
        play(world, "power on n1", "power on n2", "power on n3")
        starts = order_of_starts(world, 60)
        ranks = [name.rstrip("123") for names in starts for name in sorted(names)]
        assert sorted(ranks) == sorted(name.split()[1].rstrip("123") for name in MIXED)
        for node in ("n1", "n2", "n3"):
            here = [name.rstrip("123") for names in starts for name in sorted(names) if world.where(name) == [node]]
            assert here == sorted(here, key=["high", "medium", "low"].index)


def test_when_a_node_is_lost_no_less_urgent_group_starts_before_the_more_urgent_ones_are_up() -> None:
    lines = [line.replace("preferred=n2", "preferred=n2,n1") for line in MIXED]
    with played("world", *lines, "start", "run 20", "power off n2") as world:
        starts = order_of_starts(world, 30)
        assert [{name.rstrip("123") for name in names} for names in starts] == [{"high"}, {"medium"}, {"low"}]


def test_what_waits_for_its_turn_says_so_and_for_whom() -> None:
    lines = [line.replace("boot=2", "boot=5") for line in MIXED]
    with played("world", *lines, "start", "run 5") as world:
        assert told(world, "low1") == (
            State.ONLINE_PENDING,
            "waits for its turn: high1, high2, high3 and 3 more start first, with a higher priority",
        )
        assert told(world, "high1") == (State.ONLINE_PENDING, "")
        play(world, "run 20")
        assert told(world, "low1")[0] is State.ONLINE
        assert len([words for words in events(world, "online-pending") if words.startswith("low1 ")]) == 1


def test_no_more_than_so_many_start_at_once() -> None:
    vms = [f"vm vm{number} preferred=n2 boot=3" for number in range(1, 6)]
    with played("world", "cluster parallel_starts=2", *vms, "start") as world:
        starts = order_of_starts(world, 20)
        assert [len(names) for names in starts] == [2, 2, 1]


def test_a_start_that_fails_or_hangs_holds_the_others_up_for_a_while_at_most() -> None:
    lines = ("vm bad preferred=n2 priority=high possible=n2", "vm good preferred=n2 priority=low")
    with played("world", *lines, "trouble bad hung=online", "start", "run 20") as world:
        assert begun(world, "bad", "good") == []
        play(world, "run 20")
        assert begun(world, "bad", "good") == ["good"]
        play(world, "trouble bad")
    with played("world", *lines, "trouble bad failing_starts=50", "start", "run 10") as world:
        assert begun(world, "bad", "good") == ["good"]


def test_one_vm_that_fails_over_alone_is_started_in_the_moment_in_which_its_new_owner_hears_of_it() -> None:
    """While others of that node run, whatever their priority."""
    vms = ["vm web priority=low preferred=n1,n2", *(f"vm vm{number} priority=high preferred=n2" for number in range(8))]
    with played("world", *vms, "start", "run 20", "kill vm web", "run 0.3") as world:
        assert world.where("web")


def test_who_runs_already_is_not_waited_for_because_its_resource_host_is_replaced() -> None:
    lines = ("vm up priority=high preferred=n2", "vm web priority=low preferred=n2 offline")
    with played("world", *lines, "start", "run 20", "freeze host n2", "run 1") as world:
        play(world, "kill host n2", "admin n1 group.online name=web", "run 6")
        assert begun(world, "up", "web") == ["up", "web"]


def test_who_starts_after_a_less_urgent_group_does_not_hold_it_up() -> None:
    lines = ("vm base priority=low preferred=n2", "vm app priority=high preferred=n2 after=base")
    with played("world", *lines, "start", "run 12") as world:
        assert begun(world, "base", "app") == ["base", "app"]


def test_when_the_cluster_is_armed_again_the_more_urgent_ones_start_first_whoever_is_looked_at_first() -> None:
    """Seed 3005518: what was not started for that had lost its place in the queue."""
    lines = ("vm a priority=low preferred=n2 boot=2", "vm z priority=high preferred=n1 boot=2")
    with played("world", *lines, "cluster parallel_starts=1", "start", "run 10") as world:
        play(world, "admin n1 group.move name=z to=n2", "run 20")  # so that n2 knows it later than a
        play(world, *(f"admin n1 group.offline name={name}" for name in "az"), "run 20")
        play(world, "admin n1 cluster.set values.armed=no", "run 1")
        play(world, *(f"admin n1 group.online name={name}" for name in "az"), "run 5")
        assert begun(world, "a", "z") == []
        play(world, "admin n1 cluster.set values.armed=yes", "run 1")
        assert begun(world, "a", "z") == ["z"]
