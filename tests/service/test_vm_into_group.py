"""A VM joins a group that is there. The group has an address on n1."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from played import Refused, asked, events, group_of, play, played, resource_of

from outlast.model.group import Wanted
from outlast.model.health import Json
from outlast.sim.world import World


def refusal(world: World, verb: str, /, **arguments: Json) -> str:
    with pytest.raises(Refused) as refused:
        asked(world, "n1", verb, **arguments)
    return str(refused.value)


@contextmanager
def shop(*more: str) -> Iterator[World]:
    """web1 runs on n1, and nobody looks after it."""
    lines = (
        "world",
        "group shop preferred=n1",
        "resource ip in=shop",
        *more,
        "vm web1 preferred=n1",
        "start",
        "run 10",
    )
    with played(*lines) as world:
        asked(world, "n1", "vm.unprotect", name="web1")
        play(world, "run 5")
        yield world


def test_what_runs_joins_without_being_touched_and_fails_over_with_its_group() -> None:
    with shop() as world:
        began = world.machines["n1"].copies["web1"]
        asked(world, "n1", "vm.protect", name="web1", group="shop", depends_on="ip")
        play(world, "run 5")
        assert group_of(world, "shop").resources == ("ip", "web1")
        assert resource_of(world, "web1").depends_on == "ip"
        assert world.machines["n1"].copies["web1"] is began
        play(world, "power off n1", "run 20")
        assert group_of(world, "shop").owner != "n1"
        assert world.where("web1") == [group_of(world, "shop").owner] == world.where("ip")


def test_two_vms_live_in_one_group_and_start_in_order() -> None:
    with shop("vm db1 preferred=n1") as world:
        asked(world, "n1", "vm.unprotect", name="db1")
        play(world, "run 5")
        asked(world, "n1", "vm.protect", name="db1", group="shop")
        asked(world, "n1", "vm.protect", name="web1", group="shop", depends_on="db1")
        play(world, "run 5")
        asked(world, "n1", "group.move", name="shop", to="n2")
        play(world, "run 20")
        assert world.where("db1") == world.where("web1") == ["n2"]
        started = [line for line in world.story.take() if "runs on n2" in str(line)]
        assert [name for line in started for name in ("db1", "web1") if f" {name} runs" in str(line)] == ["db1", "web1"]


def test_what_runs_elsewhere_than_its_group_is_refused_and_left_as_it_is() -> None:
    with shop() as world:
        asked(world, "n1", "group.move", name="shop", to="n2")
        play(world, "run 10")
        words = refusal(world, "vm.protect", name="web1", group="shop")
        assert "it runs on n1, and shop is on n2" in words
        assert "outlast group move shop --to n1" in words
        assert world.where("web1") == ["n1"]


def test_what_runs_is_not_taken_into_a_group_that_would_shut_it_down() -> None:
    with shop() as world:
        asked(world, "n1", "group.offline", name="shop")
        play(world, "run 10")
        assert "shop is wanted offline" in refusal(world, "vm.protect", name="web1", group="shop")


def test_owners_and_failovers_are_the_groups_and_what_is_needed_must_be_there() -> None:
    with shop() as world:
        owners = refusal(world, "vm.protect", name="web1", group="shop", preferred_owners=["n2"])
        assert "those of the group it joins" in owners
        assert "shop" in refusal(world, "vm.protect", name="web1", group="shop", depends_on="disk")
        assert "depends on nothing" in refusal(world, "vm.protect", name="web1", depends_on="ip")
        assert 'there is no group "shopp"' in refusal(world, "vm.protect", name="web1", group="shopp")
        assert not [words for words in events(world, "group-changed") if "as a resource of" in words]


def test_what_is_off_is_left_off_when_asked_to_be() -> None:
    with shop() as world:
        play(world, "console stop web1", "run 5")
        asked(world, "n1", "vm.protect", name="web1", group="shop", start=False)
        play(world, "run 10")
        assert resource_of(world, "web1").wanted is Wanted.OFFLINE
        assert world.where("web1") == []
