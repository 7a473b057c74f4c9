"""Which nodes see a VM's disks is asked again by itself, and what is found counts at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from played import Refused, asked, events, group_of, play, played, resource_of

from outlast.core.owner.lookout import AGAIN_S, INTERVAL_S, SOON_S
from outlast.model import keys
from outlast.sim.world import World

NOT_SEEN = "it does not see the disk /srv/web1.img of web1"


@contextmanager
def protected(*lines: str, world: str = "world") -> Iterator[World]:
    """web1 was protected on n1 by command, so all were asked; then the lines."""
    with played(world, "vm web1 preferred=n1", "start", "run 10") as found:
        asked(found, "n1", "vm.unprotect", name="web1")
        asked(found, "n1", "vm.protect", name="web1", preferred_owners=["n1"])
        play(found, "run 5", *lines)
        yield found


def shield(world: World) -> tuple[str, list[str], list[str]]:
    """Level, reasons, notes."""
    row = asked(world, "n3", "group.show", name="web1")
    return row["protection"], list(row["not_protected_because"]), list(row["protection_notes"])


def written(world: World) -> int:
    """How often anything but session records and the coordinator's was written."""
    quiet = (keys.SESSIONS, keys.COORDINATOR)
    entries = world.database.entries(keys.CONTROL)
    return max(entry.revision for entry in entries if not entry.key.startswith(quiet))


# -- a check by command -----------------------------------------------------------------------------------------------


def test_a_check_that_finds_no_node_that_could_run_it_leaves_nothing_of_the_old_answer() -> None:
    with protected("image hide web1 n2", "image hide web1 n3") as world:
        found = asked(world, "n1", "vm.check", name="web1")
        assert found["nodes"]["n2"] == ("the disk vda is not there: /srv/web1.img",)
        assert shield(world)[:2] == ("not protected", ["disk not shared: n2, n3 do not see /srv/web1.img"])
        play(world, "image hide web1 n1")
        asked(world, "n1", "vm.check", name="web1")
        resource = resource_of(world, "web1")
        assert (resource.seen_by, list(resource.blind_on)) == ((), ["n1", "n2", "n3"])


def test_the_same_path_with_another_disk_is_not_the_same_disk() -> None:
    with protected("image swap web1 n3") as world:
        found = asked(world, "n1", "vm.check", name="web1")
        assert found["nodes"] == {
            "n1": (),
            "n2": (),
            "n3": ("it does not see the disk /srv/web1.img of n1; put it on storage that all nodes share",),
        }
        assert shield(world) == ("protected", [], [f"could not go to n3: {NOT_SEEN}"])


def test_who_was_not_answered_by_is_as_before() -> None:
    with protected("libvirt silent n2", "plugin hang n2 control") as world:
        assert "n2" not in resource_of(world, "web1").blind_on
        assert "did not answer" in asked(world, "n1", "vm.check", name="web1")["nodes"]["n2"][0]
        assert resource_of(world, "web1").seen_by == ("n1", "n2", "n3")


def test_a_move_to_a_node_that_does_not_see_the_disk_is_refused_with_the_reason() -> None:
    with protected("image hide web1 n2") as world:
        asked(world, "n1", "vm.check", name="web1")
        with pytest.raises(Refused, match="does not see the disk"):
            asked(world, "n1", "group.move", name="web1", to="n2")


# -- by itself --------------------------------------------------------------------------------------------------------


def test_a_disk_that_a_node_sees_no_more_is_found_out_by_itself_and_told_once() -> None:
    with protected("image hide web1 n2", f"run {INTERVAL_S + 20}") as world:
        assert shield(world) == ("protected", [], [f"could not go to n2: {NOT_SEEN}"])
        play(world, "image show web1 n2", f"run {INTERVAL_S + 20}")
        assert shield(world) == ("protected", [], [])
        told = [words for words in events(world, "group-changed") if "disks and all" in words]
        assert told == [
            "web1 could run on n1, n3, disks and all; not on n2: the disk vda is not there: /srv/web1.img",
            "web1 could run on n1, n2, n3, disks and all",
        ]


def test_what_has_not_changed_is_not_written() -> None:
    with protected(f"run {INTERVAL_S}") as world:
        before = written(world)
        play(world, f"run {2 * INTERVAL_S}")
        assert written(world) == before


def test_a_node_that_joins_is_asked_soon_and_nobody_else_need_do_anything() -> None:
    with played("world", "vm web1 preferred=n1", "start n1", "start n2", "run 20") as world:
        asked(world, "n1", "vm.unprotect", name="web1")
        asked(world, "n1", "vm.protect", name="web1")
        assert resource_of(world, "web1").seen_by == ("n1", "n2")
        play(world, "start n3", f"run {SOON_S + 20}")
        assert resource_of(world, "web1").seen_by == ("n1", "n2", "n3")


def test_a_vm_of_which_nothing_is_known_is_asked_about_soon() -> None:
    with played("world", "vm web1", "start", f"run {SOON_S + 20}") as world:
        assert resource_of(world, "web1").seen_by == ("n1", "n2", "n3")


def test_after_a_start_that_failed_of_a_missing_disk_all_know_it() -> None:
    with protected("image hide web1 n2") as world:
        asked(world, "n1", "group.set", name="web1", values={"preferred_owners": ["n1", "n2"]})
        play(world, "kill vm web1", "run 20")
        assert group_of(world, "web1").owner == "n3"
        assert [failure.node for failure in group_of(world, "web1").failures] == ["n1", "n2"]
        play(world, f"run {SOON_S + 10}")
        assert list(resource_of(world, "web1").blind_on) == ["n2"]


def test_what_no_living_node_can_see_waits_and_starts_soon_after_one_sees_it_again() -> None:
    with protected("image hide web1 n2", "image hide web1 n3") as world:
        asked(world, "n1", "vm.check", name="web1")
        play(world, "power off n1", "run 40")
        assert world.where("web1") == []
        row = asked(world, "n2", "group.show", name="web1")
        assert f"not n2: {NOT_SEEN}" in row["why"]
        play(world, "image show web1 n3", f"run {AGAIN_S + 15}")
        assert world.where("web1") == ["n3"]
        assert len(group_of(world, "web1").failures) == 0


def test_also_when_the_links_between_the_services_do_not_work() -> None:
    with protected("image hide web1 n2", "image hide web1 n3") as world:
        asked(world, "n1", "vm.check", name="web1")
        play(world, "cut n2 n3 service", "power off n1", "run 60", "image show web1 n2", "image show web1 n3")
        play(world, f"run {AGAIN_S + 20}")
        assert len(world.where("web1")) == 1


def test_storage_that_hangs_costs_no_host_its_life() -> None:
    with protected("plugin hang n2 control") as world:
        hosts = world.services["n2"].node.hosts.processes()
        play(world, f"run {INTERVAL_S + 60}")
        assert world.services["n2"].node.hosts.processes() == hosts
        assert resource_of(world, "web1").seen_by == ("n1", "n2", "n3")
