"""Whatever asks for more memory is asked whether there is any, and whether the promise to survive lost nodes holds."""

from typing import Any

import pytest
from played import Refused, asked, group_of, play, played, resource_of

from outlast.model.group import Wanted
from outlast.sim.world import World

SETUP = "world memory=1000"
PROMISED = (
    "cluster survive_nodes=1 reserve=refuse",
    *(f"vm vm{number} memory=400 preferred=n{number}" for number in (1, 2, 3)),
    "vm vm4 memory=400 preferred=n1",
    "vm vm5 memory=400 preferred=n2 offline",
)
"""With vm5 the promise would be broken."""
PART = (
    "group web preferred=n1",
    "resource disk in=web memory=300",
    "resource cache in=web memory=400",
    "vm db memory=600 preferred=n1",
)
"""All of web and db do not fit on n1 together; nor does web start before cache is taken offline."""


def refusal(world: World, verb: str, /, node: str = "n1", **arguments: Any) -> str:
    with pytest.raises(Refused) as refused:
        asked(world, node, verb, **arguments)
    assert refused.value.kind == "impossible"
    return str(refused.value)


def part_of_web_off(world: World) -> None:
    """Then db fits beside the rest of it."""
    asked(world, "n1", "resource.offline", name="cache")
    play(world, "run 10")
    asked(world, "n1", "group.online", name="db")
    play(world, "run 10")
    assert (group_of(world, "web").owner, group_of(world, "db").owner) == ("n1", "n1")


PART_OFF = (SETUP, *(line + " offline" if line.startswith("vm db") else line for line in PART))


def test_the_only_resource_of_a_group_is_brought_online_as_its_group_is() -> None:
    with played(SETUP, *PROMISED, "start", "run 20") as world:
        words = refusal(world, "resource.online", name="vm5")
        assert "vm5 cannot be brought online: the promise to survive the loss of 1 node would be broken" in words
        assert group_of(world, "vm5").wanted is Wanted.OFFLINE


def test_the_only_resource_of_a_group_starts_where_there_is_room() -> None:
    vms = ("vm db memory=600 preferred=n1", "vm web memory=300 preferred=n1", "vm mail memory=300 possible=n1 offline")
    with played(SETUP, *vms, "start", "run 20") as world:
        asked(world, "n1", "resource.offline", name="web")
        play(world, "run 10")
        asked(world, "n1", "resource.online", name="mail")
        play(world, "run 10")
        assert group_of(world, "web").owner == "n1"
        asked(world, "n1", "resource.online", name="web")
        play(world, "run 0.5")
        assert not world.where("web") or world.where("web") != ["n1"]
        play(world, "run 20")
        assert world.where("web") in (["n2"], ["n3"])


def test_a_resource_for_which_its_groups_owner_has_no_room_is_refused_with_the_numbers_and_what_to_do() -> None:
    with played(*PART_OFF, "start", "run 20") as world:
        part_of_web_off(world)
        for verb, more in (("resource.online", {}), ("resource.would", {"verb": "online"})):
            words = refusal(world, verb, name="cache", **more)
            assert words == (
                "cache cannot be brought online: with it web needs 700 MiB of memory, and n1, which owns it, has 400 "
                "of 1000 for it; move it first to n2, which has room: `outlast group move web --to n2`"
            )
        assert resource_of(world, "cache").wanted is Wanted.OFFLINE
        asked(world, "n1", "group.move", name="web", to="n2")
        play(world, "run 20")
        asked(world, "n1", "resource.online", name="cache")
        play(world, "run 10")
        assert world.where("cache") == ["n2"]


def test_a_resource_of_a_group_that_no_node_could_hold_with_it_is_refused_with_each_nodes_reason() -> None:
    others = [f"vm big{number} memory=800 preferred=n{number}" for number in (2, 3)]
    with played(*PART_OFF, *others, "start", "run 20") as world:
        part_of_web_off(world)
        words = refusal(world, "resource.online", name="cache")
        assert "has 400 of 1000 for it; no other node has room: n2: it has 200 MiB of memory left of 1000" in words


def test_who_starts_a_vm_by_its_own_name_in_a_group_of_several_is_refused_just_so() -> None:
    with played(*PART_OFF, "start", "run 20") as world:
        part_of_web_off(world)
        words = refusal(world, "group.online", name="web", resource="cache")
        assert "with it web needs 700 MiB of memory, and n1, which owns it, has 400 of 1000 for it" in words
        assert resource_of(world, "cache").wanted is Wanted.OFFLINE


def test_a_group_that_is_off_starts_where_there_is_room_for_what_is_switched_on_in_it_too() -> None:
    with played(*PART_OFF, "start", "run 20") as world:
        part_of_web_off(world)
        asked(world, "n1", "group.offline", name="web")
        play(world, "run 10")
        asked(world, "n1", "group.online", name="web", resource="cache")
        play(world, "run 20")
        assert world.where("cache") in (["n2"], ["n3"])


def test_the_promise_counts_what_is_switched_on_in_a_group() -> None:
    vms = (
        "cluster survive_nodes=1 reserve=refuse",
        *(f"vm vm{number} memory=500 preferred=n{number}" for number in (2, 3)),
    )
    web = ("group web preferred=n1", "resource disk in=web memory=100", "resource cache in=web memory=600")
    with played(SETUP, "cluster survive_nodes=1 reserve=warn", *vms[1:], *web, "start", "run 20") as world:
        asked(world, "n1", "resource.offline", name="cache")
        asked(world, "n1", "cluster.set", values={"reserve": "refuse"})
        play(world, "run 10")
        for verb, more in (
            ("resource.online", {"name": "cache"}),
            ("group.online", {"name": "web", "resource": "cache"}),
        ):
            words = refusal(world, verb, **more)
            assert "cannot be brought online: the promise to survive the loss of 1 node would be broken" in words


def test_a_resource_is_not_said_to_need_more_memory_than_its_owner_has() -> None:
    with played(*PART_OFF, "start", "run 20") as world:
        part_of_web_off(world)
        words = refusal(world, "resource.set", name="disk", values={"memory_mib": "500"})
        assert (
            "disk cannot be given 500 MiB: with it web needs 500 MiB of memory, and n1, which owns it, has 400" in words
        )
        assert "move it first to n2, which has room: `outlast group move web --to n2`" in words
        assert resource_of(world, "disk").memory_mib == 300
        asked(world, "n1", "resource.set", name="disk", values={"memory_mib": "400"})
        asked(
            world, "n1", "resource.set", name="cache", values={"memory_mib": "900"}
        )  # it is off: asked when it is not


def test_more_memory_for_what_runs_is_refused_or_told_when_it_breaks_the_promise() -> None:
    apart = ("group web preferred=n1", "resource disk in=web memory=400")
    lines = (SETUP, "cluster survive_nodes=1 reserve=refuse", *(f"vm vm{n} memory=400 preferred=n{n}" for n in (2, 3)))
    with played(*lines, *apart, "start", "run 20") as world:
        words = refusal(world, "resource.set", name="disk", values={"memory_mib": "700"})
        assert "disk cannot be given 700 MiB: the promise to survive the loss of 1 node would be broken" in words
        asked(world, "n1", "cluster.set", values={"reserve": "warn"})
        row = asked(world, "n1", "resource.set", name="disk", values={"memory_mib": "700"})
        assert "the promise to survive the loss of 1 node would be broken" in row["warning"]


RULED = (SETUP, *(f"vm vm{number} memory=400 preferred=n{number}" for number in (1, 2, 3)))
"""Each node has 600 MiB left."""
LATE = [
    "late memory=400 preferred=n1 priority=no-auto-start",
    "small memory=200 preferred=n1",
    "also2 memory=100 preferred=n2",
    "also3 memory=100 preferred=n3",
]
"""There is room for all of n1 elsewhere but for late, which does not start by itself."""


@pytest.mark.parametrize(
    ("more", "verb", "arguments"),
    [
        (["vm4 memory=300 preferred=n1"], "rule.add", {"name": "one", "kind": "on", "groups": ["vm1", "vm4", "vm2"]}),
        (["big memory=600 preferred=n2"], "group.set", {"name": "vm1", "values": {"possible_owners": "n1,n2"}}),
        (LATE, "group.set", {"name": "late"}),
    ],
    ids=["rule", "possible_owners", "priority"],
)
def test_a_rule_or_a_setting_that_breaks_the_promise_is_told_or_refused(
    more: list[str], verb: str, arguments: Any
) -> None:
    if verb == "rule.add":
        arguments = {**arguments, "hard": True, "nodes": ["n1", "n2"]}
    elif "values" not in arguments:
        arguments = {**arguments, "values": {"priority": "medium"}}
    with played(
        *RULED, "cluster survive_nodes=1 reserve=refuse", *(f"vm {one}" for one in more), "start", "run 20"
    ) as world:
        assert not _broken(world)
        words = refusal(world, verb, **arguments)
        assert "the promise to survive the loss of 1 node would be broken" in words
        asked(world, "n1", "cluster.set", values={"reserve": "warn"})
        row = asked(world, "n1", verb, **arguments)
        told = [row["warning"]] if "warning" in row else row["warnings"]
        assert any("the promise to survive the loss of 1 node would be broken" in one for one in told)


def test_who_promises_what_does_not_hold_is_told_so_at_once() -> None:
    with played(*RULED, "vm vm4 memory=700 preferred=n1", "start", "run 20") as world:
        row = asked(world, "n1", "cluster.set", values={"survive_nodes": "1"})
        assert any(words.startswith("the promise to survive the loss of 1 node is broken") for words in row["warnings"])
        foretold = asked(world, "n1", "cluster.would_set", values={"survive_nodes": "2"})
        assert any(words.startswith("the promise to survive the loss of 2 nodes is broken") for words in foretold)


def _broken(world: World) -> list[str]:
    return [alarm for alarm in asked(world, "n1", "status")["alarms"] if "promise" in alarm]
