"""Nodes in maintenance, as the running service does it: drained, shut down, resumed, released; and the storm guard."""

import msgspec
import pytest
from played import events, group_of, incarnation_of, play, played, reported_state

from outlast.model import keys
from outlast.model.answers import NodeProgress
from outlast.model.group import AWAY
from outlast.model.node import Node
from outlast.model.status import State
from outlast.sim.world import World

TWO = ("vm web1 preferred=n1", "vm web2 preferred=n1", "start", "run 10")


def node_of(world: World, name: str) -> Node:
    (entry,) = world.database.entries(keys.NODES + name)
    return msgspec.json.decode(entry.value, type=Node)


def where(world: World, *names: str) -> list[str]:
    return [node for name in names for node in world.where(name)]


def test_a_drained_node_gets_empty_and_takes_nothing_until_it_is_resumed() -> None:
    with played("world", *TWO) as world:
        play(world, "admin n2 node.drain name=n1", "run 20")
        assert "n1" not in where(world, "web1", "web2")
        assert len(where(world, "web1", "web2")) == 2
        assert events(world, "node-changed") == ["n1 is drained: an administrator on n2"]
        play(world, "admin n2 node.resume name=n1", "run 60")
        assert "n1" not in where(world, "web1", "web2"), "they stay where they went"
        assert group_of(world, "web1").return_to == ""


def test_what_left_a_drained_node_is_called_back_when_that_is_asked_for() -> None:
    with played("world", *TWO) as world:
        play(world, "admin n2 node.drain name=n1", "run 20")
        world.administer("n2", "node.resume", {"name": "n1", "failback": True})
        play(world, "run 30")
        assert where(world, "web1", "web2") == ["n1", "n1"]
        assert not node_of(world, "n1").calls_back


def test_by_force_what_no_other_node_can_take_is_off_and_comes_back_when_its_node_is_resumed() -> None:
    with played("world", "vm web1 possible=n1", "start", "run 10") as world:
        play(world, "admin n2 node.drain name=n1", "run 20")
        assert where(world, "web1") == ["n1"], "without force it runs on"
        world.administer("n2", "node.drain", {"name": "n1", "force": True})
        play(world, "run 20")
        assert where(world, "web1") == []
        assert (group_of(world, "web1").move_to, group_of(world, "web1").wanted.value) == (AWAY, "online")
        play(world, "admin n2 node.resume name=n1", "run 20")
        assert where(world, "web1") == ["n1"]
        assert group_of(world, "web1").return_to == ""


def test_a_machine_that_is_shut_down_is_drained_leaves_in_order_and_takes_groups_again_after_the_boot() -> None:
    with played("world", *TWO) as world:
        play(world, "admin n1 node.leaving", "run 20")
        assert "n1" not in where(world, "web1", "web2")
        assert node_of(world, "n1").leaving == incarnation_of(world, "n1")
        play(world, "power off n1", "run 40", "power on n1", "run 60")
        play(world, "admin n2 group.move name=web1 to=n1", "run 20")
        assert where(world, "web1") == ["n1"]


def test_a_node_that_was_drained_before_its_machine_was_shut_down_stays_drained_after_the_boot() -> None:
    with played("world", *TWO) as world:
        play(world, "admin n2 node.drain name=n1", "run 20", "admin n1 node.leaving", "run 5")
        play(world, "power off n1", "run 40", "power on n1", "run 60", "admin n2 group.move name=web1 to=n1", "run 20")
        assert "n1" not in where(world, "web1")


def test_nothing_is_drained_while_nothing_is_moved() -> None:
    with played("world", *TWO) as world:
        world.administer("n1", "cluster.set", {"values": {"armed": "no"}})
        play(world, "run 2", "admin n2 node.drain name=n1", "admin n1 node.leaving", "run 5")
        assert not node_of(world, "n1").draining
        assert node_of(world, "n1").leaving == ""


def test_what_a_dead_node_ran_returns_to_it_if_it_is_to() -> None:
    with played("world", *TWO) as world:
        world.administer("n2", "group.set", {"name": "web1", "values": {"failback": "now"}})
        play(world, "run 2", "power off n1", "run 40")
        assert group_of(world, "web1").return_to == "n1"
        assert group_of(world, "web2").return_to == ""
        play(world, "power on n1", "run 120")
        assert where(world, "web1") == ["n1"]
        assert where(world, "web2") != ["n1"]


def test_a_node_that_is_lost_again_and_again_is_quarantined_and_can_be_released() -> None:
    with played("world", "vm web1 preferred=n2", "start", "run 10") as world:
        for _ in range(3):
            play(world, "power off n3", "run 20", "power on n3", "run 40")
        assert node_of(world, "n3").quarantined == "it was lost 3 times within 1 h"
        assert any(words.startswith("n3 is quarantined for 2 h") for words in events(world, "node-changed"))
        play(world, "admin n1 group.move name=web1 to=n3", "run 10")
        assert where(world, "web1") == ["n2"]
        play(world, "admin n1 node.release name=n3", "run 2", "admin n1 group.move name=web1 to=n3", "run 10")
        assert where(world, "web1") == ["n3"]


def test_the_storm_guard_stops_after_so_many_nodes_until_it_is_released() -> None:
    with played("world nodes=4", "vm web2 preferred=n2", "vm web3 preferred=n3", "start", "run 10") as world:
        world.administer("n1", "cluster.set", {"values": {"most_fenced": 1}})
        play(world, "run 2", "power off n2", "run 30", "power off n3", "run 30")
        assert where(world, "web2") != []
        assert where(world, "web3") == [], "n3 is not fenced"
        spared = [words for words in events(world, "node-changed") if words.startswith("n3 is not fenced")]
        assert len(spared) == 1
        play(world, "admin n1 cluster.release", "run 30")
        assert where(world, "web3") != []


@pytest.mark.parametrize("nodes", [3, 5])
def test_a_small_cluster_goes_on_down_to_its_last_node(nodes: int) -> None:
    with played(f"world nodes={nodes}", "vm web1", "start", "run 10") as world:
        for number in range(nodes, 1, -1):
            play(world, f"power off n{number}", "run 30")
        assert where(world, "web1") == ["n1"]


def test_a_loss_is_counted_once_with_the_silence_and_not_when_a_node_leaves_in_order() -> None:
    with played("world", *TWO) as world:
        life = incarnation_of(world, "n3")
        play(world, "power off n3", "run 20")
        assert [mark.id for mark in node_of(world, "n3").losses] == [f"lost {life}"]


def test_where_a_node_stands_is_said_by_command() -> None:
    with played("world", *TWO) as world:
        world.administer("n1", "node.set", {"name": "n2", "values": {"rack": "r1", "site": "north"}})
        world.administer("n1", "node.set", {"name": "n2", "values": {"colour": "red"}})
        play(world, "run 2")
        assert (node_of(world, "n2").rack, node_of(world, "n2").site) == ("r1", "north")
        assert events(world, "node-changed") == ["n2: rack is r1, site is north: an administrator on n1"]


def test_how_far_it_is_is_told_until_all_has_gone_and_until_all_is_back_and_runs() -> None:
    with played("world", *TWO) as world:
        play(world, "admin n2 node.drain name=n1", "run 1")
        assert told(world).state == "draining"
        assert [(row.group, row.to) for row in told(world).left] == [("web1", "n2"), ("web2", "n3")]
        play(world, "run 10")
        assert (told(world).state, told(world).done) == ("drained", True)
        world.administer("n2", "node.resume", {"name": "n1", "failback": True})
        play(world, "run 1")
        assert [row.group for row in told(world).left] == ["web1", "web2"]
        while not told(world).done:
            play(world, "run 0.2")
        assert where(world, "web1", "web2") == ["n1", "n1"]
        assert {reported_state(world, name) for name in ("web1", "web2")} == {State.ONLINE}


def told(world: World) -> NodeProgress:
    """What `outlast node drain n1` and `resume --failback` wait for."""
    service = world.services["n2"]
    found: list[NodeProgress] = []

    async def ask() -> None:
        async for kind, value in service.node.command("node.wait", {"name": "n1", "timeout_s": 0}):
            if kind == "item":
                found.append(msgspec.convert(value, NodeProgress))

    service.process.context.run(world.loop.create_task, ask())
    play(world, "run 0.1")
    return found[-1]
