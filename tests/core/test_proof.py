"""What proves a death: nothing but a confirmed fence, the watchdog's time, and an administrator's word."""

import pytest

from build import confirmed, incarnation, node, observed, session, silence, view
from outlast.core.fence.proof import pursue
from outlast.core.membership.timing import watchdog_proof_s
from outlast.model.node import Proof, ProofKind
from outlast.model.plan import Fence, RecordProof
from outlast.model.view import ClusterView, FenceReport

UNFENCED = [node("n1"), node("n2", fenced=False)]


def aged(age_s: float) -> ClusterView:
    return view(nodes=UNFENCED, observed=observed(silence_age_s={"n2": age_s}))


def test_the_word_of_a_fence_device_that_a_node_is_off_is_proof() -> None:
    seen = view(observed=observed(fence_reports={"n2": confirmed("n2")}))
    actions, waits, _ = pursue(silence("n2"), seen)
    proof = Proof(ProofKind.FENCE, "fence_lab confirmed: it is off", ("fence_lab",))
    assert (actions, waits) == ([RecordProof("n2", incarnation("n2"), proof)], "")


def test_who_has_just_got_the_database_back_fences_nobody_who_may_be_coming_back_as_well() -> None:
    actions, waits, wake_in_s = pursue(silence("n2"), view(observed=observed(settling_s={"n2": 3.0})))
    assert (actions, wake_in_s) == ([], 3.0)
    assert "it is fenced in 3.0 s" in waits


def test_a_confirmation_for_an_earlier_life_of_the_node_proves_nothing() -> None:
    seen = view(observed=observed(fence_reports={"n2": confirmed("n2", life=1)}))
    actions, _, _ = pursue(silence("n2", life=2), seen)
    assert actions == [Fence("n2", incarnation("n2", life=2))]


def test_a_fence_device_that_failed_proves_nothing_and_its_words_are_shown() -> None:
    report = FenceReport(incarnation("n2"), attempts=3, errors={"fence_lab": "no contact with the BMC"})
    actions, waits, _ = pursue(silence("n2"), view(observed=observed(fence_reports={"n2": report})))
    assert actions == [Fence("n2", incarnation("n2"))]
    assert "(last answer: fence_lab: no contact with the BMC)" in waits


def test_without_a_fence_device_and_a_watchdog_only_an_administrators_word_is_left() -> None:
    actions, waits, wake_in_s = pursue(silence("n2"), aged(1e9))
    assert (actions, wake_in_s) == ([], None)
    assert "`outlast node confirm-down n2`" in waits


def test_an_armed_watchdog_proves_the_death_when_its_time_has_certainly_passed_and_not_before() -> None:
    armed = silence("n2", watchdog_s=7.5)
    needed_s = watchdog_proof_s(7.5)
    actions, waits, wake_in_s = pursue(armed, aged(needed_s - 0.5))
    assert actions == []
    assert wake_in_s == pytest.approx(0.5)
    assert "its watchdog to have cut its power (in 0.5 s)" in waits
    (recorded,), _, _ = pursue(armed, aged(needed_s))
    assert isinstance(recorded, RecordProof)
    assert recorded.proof.kind is ProofKind.WATCHDOG


def test_a_watchdog_counts_as_long_as_its_node_had_declared_whatever_the_cluster_is_set_to_now() -> None:
    actions, _, _ = pursue(silence("n2", watchdog_s=90.0), aged(60.0))
    assert actions == []


def test_a_watchdogs_word_does_not_count_for_a_coordinator_that_its_node_did_not_know_of() -> None:
    """Nobody asked that coordinator to wait: the node may have run on with the consent of all whom it knew of."""
    armed, passed = silence("n2", watchdog_s=7.5), observed(silence_age_s={"n2": 1e6})
    stranger = session("n2", watchdog_s=7.5, peers=("n3",))
    for n2 in (stranger, session("n2", life=2, watchdog_s=7.5)):
        others = [session("n1"), n2, session("n3")]
        actions, waits, _ = pursue(armed, view(nodes=UNFENCED, sessions=others, observed=passed))
        assert actions == []
        assert "a coordinator that n2 knew of" in waits
    knew = [session("n1"), session("n2", watchdog_s=7.5, peers=("n3", "n1")), session("n3")]
    (recorded,), _, _ = pursue(armed, view(nodes=UNFENCED, sessions=knew, observed=passed))
    assert isinstance(recorded, RecordProof)


def test_whom_this_node_promised_to_wait_for_it_neither_fences_nor_calls_dead() -> None:
    for reports in ({}, {"n2": confirmed("n2")}):
        seen = observed(promised_s={"n2": 3.0}, silence_age_s={"n2": 1e6}, fence_reports=reports)
        actions, waits, wake_in_s = pursue(silence("n2", watchdog_s=7.5), view(observed=seen))
        assert actions == []
        assert waits == "n1 promised to decide nothing against n2 for 3.0 s more"
        assert wake_in_s == 3.0


def test_a_silence_whose_age_is_not_known_is_new() -> None:
    actions, _, _ = pursue(silence("n2", watchdog_s=7.5), view(nodes=UNFENCED))
    assert actions == []


def test_fence_device_and_watchdog_are_waited_for_side_by_side() -> None:
    actions, waits, wake_in_s = pursue(silence("n2", watchdog_s=7.5), view())
    assert actions == [Fence("n2", incarnation("n2"))]
    assert waits.count(", or ") == 2
    assert wake_in_s == pytest.approx(watchdog_proof_s(7.5))


def test_a_node_that_is_gone_from_the_database_cannot_be_fenced() -> None:
    actions, waits, _ = pursue(silence("n9"), view())
    assert actions == []
    assert "your word" in waits
