"""Whatever dies, comes back or is cut off, in whatever order: nothing is ever committed without what was before."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from majorities import World

NODES = st.integers(2, 5)
SEEDS = st.integers(0, 10_000)
NODE_NAMES = ["n1", "n2", "n3", "n4", "n5"]
names = st.sampled_from([*NODE_NAMES, "w1"])
deeds = st.one_of(
    st.tuples(st.just("off"), names),
    st.tuples(st.just("on"), names),
    st.tuples(st.just("cut"), names, names),
    st.tuples(st.just("heal")),
    st.tuples(st.just("look"), names),
    st.tuples(st.just("leave"), st.sampled_from(NODE_NAMES)),
    st.tuples(st.just("come back"), st.sampled_from(NODE_NAMES)),
    st.tuples(st.just("force"), st.sampled_from(NODE_NAMES)),  # a witness takes no commands
    st.tuples(st.just("round")),
    st.tuples(st.just("rounds")),
)


DEEDS: dict[str, Callable[..., None]] = {
    "off": World.power_off,
    "on": World.power_on,
    "heal": World.heal,
    "leave": World.leave,
    "come back": World.come_back,
    "look": World.round,
    "force": World.force_quorum,
    "round": World.round,
}


def play(world: World, deed: tuple[str, ...]) -> None:
    what, *who = deed
    if any(name not in world.machines for name in who):
        return
    match what:
        case "cut" if who[0] != who[1]:
            world.cut(who[0], who[1])
        case "rounds":
            for _ in range(4):
                world.round()
        case _ if what in DEEDS:
            DEEDS[what](world, *who)


@settings(max_examples=300, deadline=None)
@given(NODES, st.booleans(), SEEDS, st.lists(deeds, max_size=40))
def test_two_groups_never_both_go_on_and_nothing_committed_is_lost(
    nodes: int, witness: bool, seed: int, story: list[tuple[str, ...]]
) -> None:
    world = World(nodes, seed, witness=witness)
    for deed in story:
        play(world, deed)


@settings(max_examples=60, deadline=None)
@given(NODES, st.booleans(), SEEDS, st.randoms(use_true_random=False))
def test_a_cluster_that_loses_its_nodes_one_after_the_other_goes_on_to_the_last(
    nodes: int, witness: bool, seed: int, order: object
) -> None:
    world = World(nodes, seed, witness=witness)
    alive = [f"n{number}" for number in range(1, nodes + 1)]
    order.shuffle(alive)  # type: ignore[attr-defined]
    while len(alive) > 1:
        world.power_off(alive.pop())
        for _ in range(12):
            world.round()
        for name in alive:
            assert world.leader_for(world.machines[name]) is not None, f"{name} stopped when {alive} were left"
    last = world.machines[alive[0]]
    assert last.config.voters == {last.id}


@settings(max_examples=60, deadline=None)
@given(NODES, st.booleans(), SEEDS, st.lists(deeds, max_size=20))
def test_when_all_are_back_and_hear_each_other_they_all_vote_again(
    nodes: int, witness: bool, seed: int, story: list[tuple[str, ...]]
) -> None:
    world = World(nodes, seed, witness=witness)
    for deed in story:
        play(world, deed)
    world.heal()
    for name in world.machines:
        world.power_on(name)
        world.come_back(name)
    for _ in range(40):
        world.round()
    with_data = [machine for machine in world.machines.values() if machine.log]
    assert all(world.leader_for(machine) for machine in with_data)
    voting = sum(machine.id in with_data[0].config.voters for machine in with_data if not machine.witness)
    # Of four nodes three vote, if one of them has to join again.
    assert voting >= (nodes - 1 if nodes == 4 else nodes)


def test_those_left_behind_by_a_forced_quorum_form_no_cluster_of_their_own() -> None:
    world = World(3, seed=1)
    for name in ("n2", "n3"):
        world.power_off(name)
    world.force_quorum("n1")
    world.round()
    world.power_off("n1")
    for name in ("n2", "n3"):
        world.power_on(name)
    for _ in range(4):
        world.round()
    assert not any(world.leader_for(world.machines[name]) for name in ("n2", "n3"))


def test_who_lost_power_cannot_force_a_quorum_that_another_one_has_gone_on_from() -> None:
    world = World(2, seed=1)
    world.power_off("n1")
    for _ in range(6):
        world.round()
    world.power_off("n2")
    world.power_on("n1")
    world.force_quorum("n1")
    for _ in range(4):
        world.round()
    assert world.leader_for(world.machines["n1"]) is None


def left_and_cut_off() -> World:
    """n3 left in order, its machine and its member run on, and nobody hears it: so its vote is taken."""
    world = World(3, seed=1)
    world.leave("n3")
    for name in ("n1", "n2"):
        world.cut("n3", name)
    for _ in range(6):
        world.round()
    assert world.machines["n1"].config.voters == {world.machines[name].id for name in ("n1", "n2")}
    return world


def test_who_left_in_order_and_comes_back_cut_off_forms_no_cluster_without_those_who_know() -> None:
    world = left_and_cut_off()
    world.come_back("n3")
    world.power_off("n1")  # and the last two are fewer by one at the same moment
    for _ in range(6):
        world.round()
    assert world.leader_for(world.machines["n3"]) is None
    assert world.machines["n2"].config.voters == {world.machines["n2"].id}


def test_who_left_in_order_cannot_force_a_quorum_while_others_would_start_without_it() -> None:
    world = left_and_cut_off()
    world.come_back("n3")
    for name in ("n1", "n2"):
        world.power_off(name)
    world.force_quorum("n3")  # the administrator's word is true: both are off
    world.round()
    for name in ("n1", "n2"):
        world.power_on(name)
    for _ in range(4):
        world.round()
    assert world.leader_for(world.machines["n3"]) is None
    assert world.leader_for(world.machines["n1"]) is not None
