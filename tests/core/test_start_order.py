"""When a group waits for others before it is started, and when it does not: web starts after db, on n1."""

from typing import Any

import msgspec
import pytest

from build import group, incarnation, status
from outlast.core.owner.start_order import OPEN, Gate, SinceSeen, gate, has_started, is_left_off
from outlast.model.group import Group, Wanted
from outlast.model.policy import Priority, StartAfter, Until
from outlast.model.status import GroupStatus, ResourceStatus, State

DB = group("db", on="n2")


def web(*after: StartAfter, **more: Any) -> Group:
    return group("web", start_after=after or (StartAfter("db"),), start_limit_s=600.0, **more)


def seen(**ages: float) -> SinceSeen:
    return lambda one: ages.get(one.group)


def test_a_group_waits_until_the_other_one_is_online() -> None:
    assert gate(web(), {"db": DB}, seen(), 1.0) == Gate("waits for db to be online", 599.0)
    assert gate(web(), {"db": DB}, seen(db=0.0), 1.0) == OPEN


def test_and_then_for_as_long_as_it_is_to() -> None:
    later = web(StartAfter("db", delay_s=30.0))
    assert gate(later, {"db": DB}, seen(db=10.0), 1.0) == Gate("waits for db to be online for 30 s", 20.0)
    assert gate(later, {"db": DB}, seen(db=30.0), 1.0) == OPEN


def test_it_waits_for_all_of_them() -> None:
    both = web(StartAfter("db"), StartAfter("dns", Until.ANSWERS))
    groups = {"db": DB, "dns": group("dns")}
    assert gate(both, groups, seen(), 1.0).shut == "waits for db to be online and dns to answer"
    assert gate(both, groups, seen(db=1.0), 1.0).shut == "waits for dns to answer"


def test_it_waits_no_longer_than_its_limit_and_says_why_it_starts_all_the_same() -> None:
    found = gate(web(), {"db": DB}, seen(), 600.0)
    assert found.shut == ""
    assert found.late == "db to be online was waited for, for 600 s"


def test_nobody_waits_for_a_group_that_is_gone() -> None:
    assert gate(web(), {}, seen(), 1.0) == OPEN


def test_who_waits_for_what_is_off_on_purpose_is_told_so() -> None:
    off = msgspec.structs.replace(DB, wanted=Wanted.OFFLINE, wanted_by="administrator on n2")
    assert gate(web(), {"db": off}, seen(), 1.0).shut == (
        "waits for db to be online (it is wanted offline by administrator on n2)"
    )


NOW = incarnation("n2")


def report(*states: State, answers: bool = False) -> GroupStatus:
    resources = {f"db{number}": ResourceStatus(state, answers=answers) for number, state in enumerate(states)}
    return GroupStatus("db", "n2", NOW, DB.epoch, resources)


def several(*states: State) -> Group:
    return msgspec.structs.replace(DB, resources=tuple(f"db{number}" for number in range(len(states))))


@pytest.mark.parametrize(
    ("states", "started"),
    [
        ([State.ONLINE, State.ONLINE], True),
        ([State.ONLINE, State.OFFLINE], True),
        ([State.ONLINE, State.ONLINE_PENDING], False),
        ([State.ONLINE, State.FAILED], False),
        ([State.OFFLINE, State.OFFLINE], False),
        ([State.UNKNOWN, State.ONLINE], False),
    ],
)
def test_a_group_has_started_when_all_of_it_is_online_that_is_to_be(states: list[State], started: bool) -> None:
    assert has_started(several(*states), report(*states), NOW, Until.ONLINE) is started


def test_a_group_answers_when_everything_in_it_that_is_online_says_so() -> None:
    states = [State.ONLINE, State.ONLINE]
    assert not has_started(several(*states), report(*states), NOW, Until.ANSWERS)
    assert has_started(several(*states), report(*states, answers=True), NOW, Until.ANSWERS)


def test_only_the_present_word_of_the_present_owner_counts() -> None:
    online = status(DB, State.ONLINE)
    assert has_started(DB, online, NOW, Until.ONLINE)
    assert not has_started(DB, online, "", Until.ONLINE)
    assert not has_started(DB, online, incarnation("n2", life=2), Until.ONLINE)
    assert not has_started(DB, None, NOW, Until.ONLINE)


def by_hand(**more: Any) -> Group:
    return group("web", **{"priority": Priority.NO_AUTO_START, **more})


def test_what_does_not_start_by_itself_is_left_off_in_the_next_life_of_its_node() -> None:
    assert is_left_off(by_hand(), status(by_hand(), State.ONLINE), "n1")
    assert is_left_off(by_hand(), status(by_hand(), State.FAILED), "n1")


def test_a_word_that_was_not_carried_out_before_the_node_ended_still_stands() -> None:
    assert not is_left_off(by_hand(), status(by_hand(), State.OFFLINE), "n1")
    assert not is_left_off(by_hand(), status(by_hand(), State.ONLINE, epoch=2), "n1")
    assert not is_left_off(by_hand(), None, "n1")


def test_all_else_starts_in_the_next_life_of_its_node() -> None:
    assert not is_left_off(by_hand(priority=Priority.LOW), status(by_hand(), State.ONLINE), "n1")
    assert not is_left_off(by_hand(on="n2"), status(by_hand(on="n2"), State.ONLINE), "n1")
    assert not is_left_off(by_hand(wanted=Wanted.OFFLINE), status(by_hand(), State.ONLINE), "n1")
