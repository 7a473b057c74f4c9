"""What do groups need, and what do nodes have left of it?"""

import msgspec
import pytest

from build import group, resource, session
from outlast.core.placement.capacity import Need, Used, need
from outlast.model.group import Wanted


def test_a_group_needs_what_its_resources_need_together_but_for_those_that_are_wanted_off() -> None:
    disk, vm = resource("disk", memory_mib=16, vcpus=1), resource("vm", memory_mib=512, vcpus=2)
    off = msgspec.structs.replace(resource("old", memory_mib=4096, vcpus=8), wanted=Wanted.OFFLINE)
    known = {one.name: one for one in (disk, vm, off)}
    assert need(group("web", resources=("disk", "vm", "old")), known) == Need(528, 3)
    assert need(group("web", resources=("old",)), known) == Need()
    assert need(group("web", resources=("vm", "gone")), known) == Need(512, 2)


def test_memory_is_a_limit_and_the_words_say_how_much_is_left() -> None:
    used = Used(session("n1", memory_mib=1024))
    used.add(Need(1000))
    assert used.lacks(Need(24)) == ""
    assert used.lacks(Need(25)) == "it has 24 MiB of memory left of 1024, and 25 are needed"


def test_a_node_that_was_given_more_than_it_has_takes_nothing_but_what_needs_no_memory() -> None:
    used = Used(session("n1", memory_mib=1024))
    used.add(Need(2048))
    assert used.lacks(Need(1)) == "it has 0 MiB of memory left of 1024, and 1 are needed"
    assert used.lacks(Need(0, 4)) == ""


def test_processors_are_no_limit() -> None:
    used = Used(session("n1", memory_mib=1024, cpus=2))
    assert used.lacks(Need(1, 64)) == ""


@pytest.mark.parametrize("unknown", [session("n1"), None], ids=["a session that does not say", "no session"])
def test_what_is_not_known_limits_nothing(unknown: None) -> None:
    used = Used(unknown)
    used.add(Need(10**9, 10**6))
    assert used.lacks(Need(10**9)) == ""
    assert used.free_mib is None
    assert used.load() == 0.0


def test_memory_and_processors_weigh_the_same() -> None:
    used = Used(session("n1", memory_mib=1000, cpus=10))
    used.add(Need(500, 2))
    assert used.load() == pytest.approx((0.5 + 0.2) / 2)
    assert used.load(Need(100, 1)) == pytest.approx((0.6 + 0.3) / 2)


def test_what_is_given_back_is_there_again() -> None:
    used = Used(session("n1", memory_mib=1000, cpus=10))
    used.add(Need(500, 2))
    used.add(Need(500, 2), -1)
    assert (used.groups, used.memory_mib, used.cpus, used.free_mib) == (0, 0, 0, 1000)
