"""Which resource types share a host process, and when is it started again?"""

from hypothesis import given
from hypothesis import strategies as st

from outlast.core.owner.hosting import LONGEST_PAUSE_S, SHARED, STEADY_S, Hosting, Start


def hosting() -> Hosting:
    """Its shared host has started at 0 with three types."""
    found = Hosting()
    found.started(SHARED, ("address", "share", "vm"), 0.0)
    return found


def alone() -> Hosting:
    """The shared host has ended by the fault of `vm`, which has one of its own since."""
    found = hosting()
    found.ended(SHARED, ["vm"], 0.0)
    found.started("vm", ("vm",), 0.0)
    return found


def test_all_types_begin_in_one_host() -> None:
    assert Hosting().first() == Start(SHARED, (), 0.0)
    assert hosting().slot_of("vm") == SHARED
    assert hosting().isolated() == {}


def test_a_host_that_dies_with_nobody_to_blame_is_replaced_at_once_as_it_was() -> None:
    assert hosting().ended(SHARED, (), 100.0) == [Start(SHARED, ("address", "share", "vm"), 0.0)]


def test_a_type_that_is_to_blame_gets_a_host_of_its_own_from_then_on() -> None:
    found = hosting()
    assert found.ended(SHARED, ["vm"], 100.0) == [Start("vm", ("vm",), 0.0), Start(SHARED, ("address", "share"), 0.0)]
    assert found.slot_of("vm") == "vm"
    assert found.slot_of("share") == SHARED
    assert found.isolated() == {"vm": "vm"}


def test_the_next_fault_of_an_isolated_type_hurts_only_itself() -> None:
    found = hosting()
    found.ended(SHARED, ["vm"], 100.0)
    found.started("vm", ("vm",), 100.0)
    assert found.ended("vm", ["vm"], 200.0) == [Start("vm", ("vm",), 0.0)]


def test_when_every_type_has_a_host_of_its_own_there_is_no_shared_one() -> None:
    found = Hosting()
    found.started(SHARED, ("vm",), 0.0)
    assert found.ended(SHARED, ["vm"], 100.0) == [Start("vm", ("vm",), 0.0)]


def test_a_host_that_ended_before_it_said_what_it_offers_is_tried_again() -> None:
    assert Hosting().ended(SHARED, (), 1.0) == [Start(SHARED, (), 0.0)]


def test_a_host_that_keeps_ending_soon_after_its_start_is_started_with_growing_pauses() -> None:
    found, now_s, pauses_s = alone(), 0.0, []
    for _ in range(9):
        now_s += 1.0
        (start,) = found.ended("vm", ["vm"], now_s)
        pauses_s.append(start.delay_s)
        now_s += start.delay_s
        found.started("vm", ("vm",), now_s)
    assert pauses_s == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_host_that_lived_for_long_has_proven_itself() -> None:
    found = alone()
    for now_s in (1.0, 2.0, 3.0):
        found.ended("vm", ["vm"], now_s)
    assert found.held_back("vm")
    found.started("vm", ("vm",), 10.0)
    (start,) = found.ended("vm", ["vm"], 10.0 + STEADY_S)
    assert start.delay_s == 0.0
    assert not found.held_back("vm")


def test_a_type_is_held_back_after_its_host_ended_four_times_in_a_row_and_the_others_are_not() -> None:
    found = alone()
    seen = []
    for now_s in (1.0, 2.0, 3.0, 4.0):
        seen.append(found.held_back("vm"))
        found.ended("vm", ["vm"], now_s)
    assert seen == [False, False, False, True], "the end of the shared host, which was its fault, counts"
    assert not found.held_back(SHARED)


def test_an_administrator_ends_that_and_the_next_end_is_the_first_again() -> None:
    found = alone()
    for now_s in (1.0, 2.0, 3.0, 4.0):
        found.ended("vm", ["vm"], now_s)
    found.release("vm")
    assert not found.held_back("vm")
    assert found.ended("vm", ["vm"], 5.0) == [Start("vm", ("vm",), 0.0)]


def test_those_that_shared_a_host_with_a_type_that_is_to_blame_are_not_held_back_for_it() -> None:
    found = hosting()
    for number, name in enumerate(("address", "share")):
        (start, *_) = found.ended(SHARED, [name], float(number))
        assert start == Start(name, (name,), 0.0)
    assert found.ended(SHARED, [], 3.0) == [Start(SHARED, ("vm",), 0.5)], "its own second end in a row"


def test_a_shared_host_that_keeps_ending_with_nobody_to_blame_is_divided() -> None:
    found = hosting()
    assert [len(found.ended(SHARED, (), now_s)) for now_s in (1.0, 2.0)] == [1, 1]
    assert found.ended(SHARED, (), 3.0) == [Start(name, (name,), 0.0) for name in ("address", "share", "vm")]


def test_a_host_that_an_administrator_had_replaced_has_not_failed() -> None:
    found = hosting()
    for now_s in range(9):
        (start,) = found.ended(SHARED, (), float(now_s), meant=True)
        assert start == Start(SHARED, ("address", "share", "vm"), 0.0)


def test_a_type_that_cannot_be_loaded_is_kept_from_the_others_before_any_host_has_started() -> None:
    found = Hosting()
    found.installed(("address", "vm"))
    assert found.beside(SHARED, "vm") == ("address",)
    assert found.ended(SHARED, ["vm"], 1.0) == [Start("vm", ("vm",), 0.0), Start(SHARED, ("address",), 0.0)]
    assert found.beside("vm", "vm") == ()


def test_a_type_that_was_installed_later_gets_a_host_of_its_own() -> None:
    found = hosting()
    assert found.adopt("vm") == []
    assert found.adopt("script") == [Start("script", ("script",), 0.0)]
    assert found.slot_of("script") == "script"


@given(st.lists(st.tuples(st.sets(st.sampled_from(["address", "share", "vm"])), st.floats(0.0, 200.0)), max_size=12))
def test_whatever_ends_every_known_type_has_exactly_one_host(ends: list[tuple[set[str], float]]) -> None:
    found, now_s = hosting(), 0.0
    hosts = {SHARED: {"address", "share", "vm"}}
    for blamed, later_s in ends:
        now_s += later_s
        slot = sorted(hosts)[int(later_s) % len(hosts)]
        for start in found.ended(slot, blamed & hosts.pop(slot), now_s):
            assert start.slot not in hosts
            assert 0.0 <= start.delay_s <= LONGEST_PAUSE_S
            hosts[start.slot] = set(start.types)
            found.started(start.slot, start.types, now_s)
        served = sorted(name for types in hosts.values() for name in types)
        assert served == ["address", "share", "vm"]
        assert all(name in hosts[found.slot_of(name)] for name in served)


def test_a_resource_can_have_a_host_of_its_own_which_ends_and_starts_without_the_others() -> None:
    found = hosting()
    (start,) = found.keep_alone("vm", "web1")
    assert (start.types, start.delay_s) == (("vm",), 0.0)
    assert found.slot_of("vm", "web1") == start.slot != found.slot_of("vm")
    found.started(start.slot, ("vm",), now=1.0)
    (again,) = found.ended(start.slot, ["vm"], now=100.0)
    assert (again.slot, again.types) == (start.slot, ("vm",))
    assert found.slot_of("vm") == SHARED, "its fault is no other one's"


def test_a_host_of_its_own_is_kept_once_and_not_started_again_when_it_is_needed_no_longer() -> None:
    found = hosting()
    (start,) = found.keep_alone("vm", "web1")
    assert found.keep_alone("vm", "web1") == []
    found.started(start.slot, ("vm",), now=1.0)
    found.leave_alone("vm", "web1")
    assert found.ended(start.slot, [], now=100.0) == []
    assert len(found.keep_alone("vm", "web1")) == 1
