"""May one of two voters go on alone? Only when the other one is confirmed off, and nobody else can have a vote."""

from typing import Any

import msgspec
import pytest

from outlast.core.quorum.last_one import (
    LESS_VALUABLE_WAITS_S,
    FenceOther,
    GoAlone,
    Idle,
    LastOneView,
    Patience,
    Step,
    last_one,
)
from outlast.core.quorum.leaderless import Look
from outlast.model.roll import Stage

LOST = Look(at_s=100.0, voters=("n1", "n2"), i_vote=True, term=7, index=900, leaderless_since_s=94.0, me="n1")
CONFIRMED = "fence_lab confirmed: it is off"


def decided(**changes: Any) -> Step:
    """n1's view: for six seconds nothing of n2, which has a fence device and the same number of VMs."""
    view = LastOneView("n1", LOST, session_until_loss=True, unheard_s=6.0, my_vms=1, others_vms=1, fence_devices=True)
    return last_one(msgspec.structs.replace(view, **changes))


def look(**changes: Any) -> Look:
    return msgspec.structs.replace(LOST, **changes)


def test_the_other_one_is_fenced_when_it_has_been_silent_on_all_links_for_the_node_timeout() -> None:
    assert isinstance(decided(), FenceOther)
    assert decided(unheard_s=4.0) == Patience("n2 has been silent for 4.0 s on all links; it is fenced after 5 s", 1.0)
    assert isinstance(decided(look=look(leaderless_since_s=97.0)), Patience)


def test_it_goes_on_alone_only_when_the_other_one_is_confirmed_off() -> None:
    assert decided(confirmed_off=CONFIRMED) == GoAlone("n2", f"n2 is off: {CONFIRMED}")
    assert not isinstance(decided(unheard_s=1e9), GoAlone)


@pytest.mark.parametrize("stage", [Stage.STARTED, Stage.RUNS])
def test_a_device_that_says_off_of_a_member_that_answers_lies(stage: Stage) -> None:
    assert isinstance(decided(confirmed_off=CONFIRMED, other_stage=stage, unheard_s=0.0), Idle)


def test_nobody_is_fenced_while_the_cluster_is_not_armed() -> None:
    step = decided(armed=False, unheard_s=1e9)
    assert isinstance(step, Idle)
    assert "not armed" in step.why


def test_the_other_one_may_have_booted_again_since_it_was_confirmed_off() -> None:
    assert isinstance(decided(confirmed_off=CONFIRMED, other_stage=Stage.WAITS, unheard_s=0.0), GoAlone)


@pytest.mark.parametrize("stage", [Stage.WAITS, Stage.STARTED, Stage.RUNS, Stage.ABSENT])
def test_who_answers_is_not_fenced(stage: Stage) -> None:
    assert isinstance(decided(other_stage=stage, unheard_s=0.0), Idle)


def test_one_whose_data_is_gone_by_its_own_word_need_not_be_fenced() -> None:
    assert isinstance(decided(other_stage=Stage.EMPTY, unheard_s=0.0), GoAlone)


def test_a_node_without_a_session_until_the_loss_never_goes_on_alone() -> None:
    for more in ({}, {"confirmed_off": CONFIRMED}, {"other_stage": Stage.EMPTY}):
        assert isinstance(decided(session_until_loss=False, **more), Idle)


def test_it_is_said_whether_there_was_no_session_or_only_no_time() -> None:
    none, young = decided(session_until_loss=False), decided(session_until_loss=False, had_session=True)
    assert isinstance(none, Idle)
    assert isinstance(young, Idle)
    assert "no valid session" in none.why
    assert "n2 had been the only other voter for a moment only" in young.why


@pytest.mark.parametrize(
    "seen",
    [
        None,
        look(leaderless_since_s=None),
        look(voters=("n1", "n2", "n3")),
        look(voters=("n1",)),
        look(learners=("n3",)),
        look(learners=("",)),
        look(i_vote=False, voters=("n2", "n3")),
    ],
)
def test_only_one_of_exactly_two_voters_that_sees_no_leader_goes_on_alone(seen: Look | None) -> None:
    assert isinstance(decided(look=seen, confirmed_off=CONFIRMED, other_stage=Stage.EMPTY), Idle)


def test_a_witness_cannot_be_fenced() -> None:
    assert isinstance(decided(other_is_witness=True, confirmed_off=CONFIRMED), Idle)


def test_without_a_fence_device_an_administrator_decides() -> None:
    step = decided(fence_devices=False)
    assert isinstance(step, Idle)
    assert "administrator" in step.why


def test_the_less_valuable_one_waits_so_that_two_living_halves_do_not_fence_each_other_at_once() -> None:
    patience = decided(my_vms=0)
    assert isinstance(patience, Patience)
    assert patience.wake_in_s == LESS_VALUABLE_WAITS_S - 1.0
    assert isinstance(
        decided(my_vms=0, unheard_s=5.0 + LESS_VALUABLE_WAITS_S, look=look(leaderless_since_s=1.0)), FenceOther
    )


@pytest.mark.parametrize("vms", [(0, 0), (1, 1), (0, 3), (3, 0)])
def test_never_do_both_halves_fence_at_once(vms: tuple[int, int]) -> None:
    mine, others = vms
    n1 = decided(my_vms=mine, others_vms=others)
    n2 = decided(me="n2", look=look(me="n2"), my_vms=others, others_vms=mine)
    assert {type(n1), type(n2)} == {FenceOther, Patience}
