"""What is changed of a definition at the owner's console is written down, once, and where it must not be it is said."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from played import Refused, asked, events, play, played, resource_of

from outlast.model import keys
from outlast.model.event import Event
from outlast.model.group import Definition, Resource
from outlast.model.health import Features, Redefinition
from outlast.ports.database import Put
from outlast.sim import records
from outlast.sim.world import World

WORLD = "world nodes=3 memory=4096"
VM = "vm web1 memory=1024 preferred=n1"


@contextmanager
def running() -> Iterator[World]:
    with played(WORLD, VM, "start", "run 20") as world:
        yield world


def definition_of(world: World) -> str:
    (found,) = world.database.entries(keys.DEFINITIONS + "web1")
    return msgspec.json.decode(found.value, type=Definition).text


def reported(world: World, node: str, change: Redefinition) -> None:
    """As that node's plugin would have told it."""
    world.services[node].node.resources.redefined.put_nowait(("web1", change))
    play(world, "run 2")


def change(now: Features, *, was: Features | None = None, problem: str = "") -> Redefinition:
    return Redefinition("vm web1 uuid=x edited", was or Features(1024, 1, ("/srv/a",)), now, problem)


def test_the_definition_and_the_sizes_are_those_of_the_console_within_a_moment() -> None:
    with running() as world:
        play(world, "console edit web1 memory=2048", "run 0.5")
        assert definition_of(world).endswith(" memory=2048")
        assert resource_of(world, "web1").memory_mib == 2048
        assert events(world, "definition") == ["web1 was changed at the console of n1: memory 1024 -> 2048 MiB"]


def test_the_next_start_on_the_same_node_is_one_of_the_new_definition() -> None:
    with running() as world:
        play(world, "console edit web1 memory=2048", "run 2", "kill vm web1", "run 20")
        assert world.where("web1") == ["n1"] or world.where("web1") == ["n2"]
        for node in world.where("web1"):
            local = world.services[node].node.resources.locals["web1"]
            assert not local.is_outdated


def test_a_node_that_is_not_the_owner_changes_nothing() -> None:
    with running() as world:
        before = definition_of(world)
        reported(world, "n2", change(Features(9)))
        assert (definition_of(world), events(world, "definition")) == (before, [])


def test_what_is_found_on_a_node_that_has_just_become_the_owner_is_not_followed() -> None:
    with running() as world:
        play(world, "console edit web1 n2 memory=2048", "admin n1 group.move name=web1 to=n2", "run 20")
        assert world.where("web1") == ["n2"]
        assert resource_of(world, "web1").memory_mib == 1024


def test_while_the_records_are_held_nothing_is_written_and_afterwards_it_is() -> None:
    with running() as world:
        records.change_cluster(world, hold="restored from a backup")
        play(world, "console edit web1 memory=2048", "run 5")
        assert resource_of(world, "web1").memory_mib == 1024
        records.change_cluster(world, hold="")
        play(world, "run 5")
        assert resource_of(world, "web1").memory_mib == 2048


def test_what_must_not_be_followed_is_told_and_changes_nothing() -> None:
    with running() as world:
        before = definition_of(world)
        reported(world, "n1", change(Features(9), problem='it was renamed to "web2"'))
        assert definition_of(world) == before
        words = 'web1 was changed at the console of n1, which is not followed: it was renamed to "web2"'
        assert events(world, "definition") == [words]


def test_another_disk_makes_it_unknown_who_could_run_it_and_another_size_does_not() -> None:
    with running() as world:
        record: Resource = msgspec.structs.replace(resource_of(world, "web1"), seen_by=("n1", "n2"))
        world.write(Put(keys.RESOURCES + "web1", msgspec.json.encode(record)))
        reported(world, "n1", change(Features(512, 1, ("/srv/a",))))
        assert resource_of(world, "web1").seen_by == ("n1", "n2")
        reported(world, "n1", msgspec.structs.replace(change(Features(512, 1, ("/srv/b",))), definition="vm web1 b"))
        assert resource_of(world, "web1").seen_by == ("n1",)
        assert "outlast vm check web1" in events(world, "definition")[-1]
        (row,) = (vm for vm in asked(world, "n2", "vm.list") if vm["name"] == "web1")
        assert any("whether it sees the disks of web1" in reason for reason in row["at_risk_because"])


def test_a_host_device_is_written_down_and_it_is_told_that_it_keeps_the_vm_from_going_live() -> None:
    with played(f"{WORLD} live", VM, "start", "run 20") as world:
        device, size = "the USB device 046d:c52b", Features(1024, 1, ("/srv/a",))
        now = msgspec.structs.replace(size, cpu="host-passthrough", host_devices=(device,))
        assert asked(world, "n1", "vm.show", name="web1")["live"] == {"n2": "", "n3": ""}
        reported(world, "n1", change(now))
        record = resource_of(world, "web1")
        assert (record.cpu, record.host_devices) == ("host-passthrough", (device,))
        assert f"a host device added: {device}" in events(world, "definition")[-1]
        why = f"it has {device} of n1, and that cannot go along"
        assert asked(world, "n1", "vm.show", name="web1")["live"] == {"n2": why, "n3": why}
        with pytest.raises(Refused, match=f"web1 cannot be migrated live to n2: {why}"):
            asked(world, "n1", "group.move", name="web1", to="n2", stop="live")
        assert asked(world, "n1", "group.move", name="web1", to="n2")["move_to"] == "n2"
        play(world, "run 20")
        assert world.where("web1") == ["n2"]
        assert "web1 is to move from n1 to n2: an administrator on n1" in events(world, "intent")


def test_a_size_that_an_administrator_gave_it_stays_when_something_else_is_changed() -> None:
    with running() as world:
        reported(world, "n1", change(Features(64, 4, ("/srv/a",)), was=Features(64, 1, ("/srv/a",))))
        assert (resource_of(world, "web1").memory_mib, resource_of(world, "web1").vcpus) == (1024, 4)


def test_it_is_said_when_its_owner_has_no_room_for_its_new_size() -> None:
    with running() as world:
        play(world, "console edit web1 memory=9000", "run 2")
        assert "n1 has no room for it" in events(world, "definition")[0]
        assert resource_of(world, "web1").memory_mib == 9000


def test_it_is_said_when_its_new_size_breaks_the_promise_to_survive_lost_nodes() -> None:
    with played(WORLD, VM, "vm web2 memory=3500", "vm web3 memory=3500", "start", "run 20") as world:
        records.change_cluster(world, survive_nodes=1)
        play(world, "console edit web1 memory=2048", "run 2")
        assert "the promise to survive the loss of 1 node would be broken" in events(world, "definition")[0]


def test_two_changes_while_the_database_is_away_are_told_as_one() -> None:
    with running() as world:
        play(world, "database cut n1", "console edit web1 memory=2048", "run 0.3", "console edit web1 memory=3000")
        play(world, "run 0.5", "database mend n1", "run 10")
        assert events(world, "definition") == ["web1 was changed at the console of n1: memory 1024 -> 3000 MiB"]
        assert resource_of(world, "web1").memory_mib == 3000


def test_an_event_of_it_is_of_its_group_and_node() -> None:
    with running() as world:
        play(world, "console edit web1 memory=2048", "run 2")
        found = [msgspec.json.decode(entry.value, type=Event) for entry in world.database.entries(keys.EVENTS)]
        (event,) = (one for one in found if one.kind == "definition")
        assert (event.group, event.about) == ("web1", "n1")
