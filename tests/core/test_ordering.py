"""How the resources of one group hold each other up on their owner: a disk, an address, a VM that needs both."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.core.owner.ordering import ALONE, Place, Stand, places
from outlast.core.owner.resource import S, runs_nothing
from outlast.model.group import Resource, Wanted

NEEDS = {"disk": "", "ip": "", "vm": "disk and ip", "note": "vm"}
OFF, ON = Wanted.OFFLINE, Wanted.ONLINE


def stand(name: str, state: S, *, needs: str | None = None, wanted: Wanted = ON, **more: Any) -> Stand:
    needed = NEEDS.get(name, "") if needs is None else needs
    return Stand(Resource(name, "dummy", "web", depends_on=needed, wanted=wanted), state, **more)


def group(default: S, *others: Stand, stopping: bool = False) -> dict[str, Place]:
    stands = {name: stand(name, default) for name in NEEDS} | {one.resource.name: one for one in others}
    return dict(places(list(stands.values()), stopping=stopping))


def may_start(found: dict[str, Place]) -> list[str]:
    return [name for name, place in found.items() if not (place.barred or place.waits)]


def test_a_resource_that_is_alone_waits_for_nobody() -> None:
    assert places([stand("disk", S.OFFLINE)]) == {"disk": ALONE}
    assert places([stand("disk", S.ONLINE)], stopping=True) == {"disk": ALONE}


def test_one_that_is_wanted_offline_is_barred_also_when_it_is_alone() -> None:
    found = places([stand("disk", S.ONLINE, wanted=OFF)])["disk"]
    assert found.barred == "it is wanted offline"
    assert found.by_word


def test_online_in_order_and_in_parallel_where_nothing_is_in_the_way() -> None:
    off = S.OFFLINE
    assert may_start(group(off)) == ["disk", "ip"]
    assert may_start(group(off, stand("disk", S.ONLINE))) == ["disk", "ip"]
    assert may_start(group(off, stand("disk", S.ONLINE), stand("ip", S.ONLINE_PENDING))) == ["disk", "ip"]
    assert "vm" in may_start(group(off, stand("disk", S.ONLINE), stand("ip", S.ONLINE)))


def test_who_waits_says_for_what() -> None:
    found = group(S.OFFLINE, stand("disk", S.ONLINE))
    assert found["vm"].waits == "ip to be online"
    assert found["note"].waits == "vm to be online"


def test_offline_in_reverse() -> None:
    def free(*others: Stand) -> list[str]:
        return [name for name, place in group(S.ONLINE, *others, stopping=True).items() if not place.held]

    assert free() == ["note"]
    assert free(stand("note", S.OFFLINE_PENDING)) == ["note"]
    assert free(stand("note", S.OFFLINE)) == ["vm", "note"]
    assert free(stand("note", S.OFFLINE), stand("vm", S.OFFLINE)) == ["disk", "ip", "vm", "note"]


def test_who_holds_up_the_stop_is_named() -> None:
    found = group(S.ONLINE, stand("note", S.OFFLINE), stopping=True)
    assert found["disk"].held == "vm needs it and may still run"


@pytest.mark.parametrize("state", [state for state in S if not runs_nothing(state)])
def test_nothing_is_stopped_under_what_may_still_run(state: S) -> None:
    found = group(S.OFFLINE, stand("disk", S.ONLINE), stand("vm", state), stopping=True)
    assert found["disk"].held


def test_what_lost_what_it_needs_goes_offline_and_waits_for_its_return() -> None:
    found = group(S.ONLINE, stand("ip", S.ONLINE_PENDING))
    assert found["vm"].waits == "ip to be online"
    assert found["note"].waits == "vm to be online"
    assert found["disk"].barred == found["disk"].waits == ""


def test_what_failed_is_not_tried_again_before_those_are_offline_that_needed_it() -> None:
    failed = stand("ip", S.FAILED)
    assert group(S.ONLINE, failed)["ip"].waits == "vm to be offline"
    assert group(S.ONLINE, failed, stand("vm", S.OFFLINE_PENDING))["ip"].waits == "vm to be offline"
    done = group(S.ONLINE, failed, stand("vm", S.OFFLINE), stand("note", S.OFFLINE))
    assert done["ip"].waits == ""


def test_what_needs_a_resource_that_failed_for_good_is_barred_and_the_rest_runs_on() -> None:
    found = group(S.ONLINE, stand("ip", S.FAILED, lost=True))
    assert found["vm"].barred == "ip, which it needs, failed"
    assert found["note"].barred == "vm, which it needs, is offline"
    assert found["disk"].barred == found["disk"].waits == ""


def test_what_needs_a_resource_that_is_off_on_purpose_is_barred_too() -> None:
    found = group(S.ONLINE, stand("ip", S.ONLINE, wanted=OFF))
    assert found["ip"].by_word
    assert found["ip"].held == "vm needs it and may still run"
    assert found["vm"].barred == "ip, which it needs, is wanted offline"
    assert not found["vm"].by_word


def test_one_of_two_is_enough_where_either_is_needed() -> None:
    either = stand("vm", S.ONLINE, needs="disk or ip")
    found = group(S.ONLINE, either, stand("ip", S.FAILED, lost=True))
    assert found["vm"].barred == found["vm"].waits == ""
    both_gone = group(S.ONLINE, either, stand("ip", S.FAILED, lost=True), stand("disk", S.FAILED, lost=True))
    assert both_gone["vm"].barred == "it needs disk or ip"
    one_comes = group(S.ONLINE, either, stand("ip", S.FAILED, lost=True), stand("disk", S.ONLINE_PENDING))
    assert one_comes["vm"].waits == "disk or ip to be online"


@pytest.mark.parametrize("state", [S.DETACHED, S.OPENING, S.UNCERTAIN])
def test_while_nobody_can_tell_what_others_need_is_as_it_was_nothing_is_stopped_and_nothing_is_started(
    state: S,
) -> None:
    """Rule 7: a resource host that died is no reason to touch what runs."""
    found = group(S.ONLINE, stand("disk", state))
    assert found["vm"].barred == found["vm"].waits == ""
    off = group(S.OFFLINE, stand("ip", S.ONLINE), stand("disk", state))
    assert off["vm"].waits == "disk to be online"


def test_what_is_in_maintenance_takes_nobody_along() -> None:
    found = group(S.ONLINE, stand("disk", S.FAILED, lost=True, maintained=True))
    assert found["vm"].barred == found["vm"].waits == ""
    off = group(S.OFFLINE, stand("ip", S.ONLINE), stand("disk", S.OFFLINE, maintained=True))
    assert off["vm"].waits == "disk to be online"


def test_what_needs_a_name_that_is_not_there_is_barred_with_that_name() -> None:
    found = places([stand("vm", S.OFFLINE, needs="ghost"), stand("disk", S.OFFLINE)])
    assert found["vm"].barred == "it needs ghost"


_stands = st.tuples(
    *(
        st.builds(
            stand,
            st.just(name),
            st.sampled_from(S),
            wanted=st.sampled_from(Wanted),
            lost=st.booleans(),
            maintained=st.booleans(),
            needs=st.sampled_from(["", needs]) if needs != "disk and ip" else st.sampled_from([needs, "disk or ip"]),
        )
        for name, needs in NEEDS.items()
    )
)


@given(_stands)
def test_whatever_the_others_are_nothing_starts_without_what_it_needs_being_online(stands: tuple[Stand, ...]) -> None:
    online = {one.resource.name for one in stands if one.state is S.ONLINE}
    for one in stands:
        place = places(stands)[one.resource.name]
        if runs_nothing(one.state) and not place.barred and not place.waits:
            needed = one.resource.depends_on
            assert all(name in online for name in needed.split(" and ")) if " or " not in needed and needed else True
            assert online & {"disk", "ip"} if " or " in needed else True


@given(_stands, st.booleans())
def test_whatever_the_others_are_something_can_always_be_stopped_until_nothing_runs(
    stands: tuple[Stand, ...], stopping: bool
) -> None:
    running = [one for one in stands if not runs_nothing(one.state)]
    found = places(stands, stopping=stopping)
    if stopping and running:
        assert any(not found[one.resource.name].held for one in running)
