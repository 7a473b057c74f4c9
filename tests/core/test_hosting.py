"""Which resource types share a host process, and when is it started again?"""

from hypothesis import given
from hypothesis import strategies as st

from outlast.core.hosting import LONGEST_PAUSE_S, SHARED, STEADY_S, Hosting, Start


def hosting() -> Hosting:
    """Its shared host has started at 0 with three types."""
    found = Hosting()
    found.started(SHARED, ("address", "share", "vm"), 0.0)
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
    found, now_s, pauses_s = hosting(), 0.0, []
    for _ in range(10):
        now_s += 1.0
        (start,) = found.ended(SHARED, (), now_s)
        pauses_s.append(start.delay_s)
        now_s += start.delay_s
        found.started(SHARED, ("vm",), now_s)
    assert pauses_s == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_host_that_lived_for_long_has_proven_itself() -> None:
    found = hosting()
    for now_s in (1.0, 2.0, 3.0):
        found.ended(SHARED, (), now_s)
    found.started(SHARED, ("vm",), 10.0)
    (start,) = found.ended(SHARED, (), 10.0 + STEADY_S)
    assert start.delay_s == 0.0


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
