"""Who may join with a token, which joins are cleared away, and when a certificate is renewed."""

from typing import Any

import msgspec
import pytest

from outlast.core.joining.joining import abandoned, due_for_renewal, finished, need_not_vote, refusal, wrong_name
from outlast.model.enrolment import Enrol
from outlast.model.member import Join, Part
from outlast.model.node import Node, Session

WANT = Enrol("secret", "n2", "10.0.0.12", "machine-2", "")
GIVEN = Join(given_at_s=1000.0, lifetime_s=600.0)
BOUND = msgspec.structs.replace(GIVEN, machine="machine-2", name="n2", began_at_s=1100.0)


def refused(want: Enrol = WANT, *, key: str = "k", now_s: float = 1200.0, **known: Any) -> str:
    joins = known.get("joins", {"k": GIVEN})
    return refusal(want, key, joins, known.get("nodes", {}), known.get("sessions", {}), known.get("members", ()), now_s)


def session(machine: str) -> Session:
    return Session("n2", "life", 1, machine=machine)


def test_a_new_machine_with_a_new_token_may_join() -> None:
    assert refused() == ""


def test_a_token_that_nobody_gave_out_is_refused() -> None:
    assert "not known" in refused(key="other")


def test_a_token_expires() -> None:
    assert refused(now_s=1599.0) == ""
    assert "expired" in refused(now_s=1600.0)


def test_a_clock_that_was_set_back_gives_a_token_no_more_time() -> None:
    assert "expired" in refused(now_s=900.0)


def test_a_token_is_for_the_first_machine_that_uses_it() -> None:
    other = msgspec.structs.replace(WANT, machine="machine-3", name="n3")
    assert "another machine" in refused(other, joins={"k": BOUND})


def test_the_same_machine_may_try_again_with_its_token_also_when_it_took_long() -> None:
    assert refused(joins={"k": BOUND}, now_s=5000.0) == ""


def test_the_same_machine_may_try_again_although_its_node_is_known_already() -> None:
    assert refused(joins={"k": BOUND}, nodes={"n2": Node("n2")}, members={"n2"}) == ""


def test_a_token_for_a_witness_makes_no_node() -> None:
    assert "for a witness" in refused(joins={"k": msgspec.structs.replace(GIVEN, part=Part.WITNESS)})


def test_a_name_that_the_cluster_knows_is_refused_and_evicting_is_named() -> None:
    assert "outlast node evict n2" in refused(nodes={"n2": Node("n2")}, sessions={"n2": session("machine-9")})
    assert "outlast node evict n2" in refused(members={"n2"})


def test_a_node_that_joins_twice_is_told_that_it_is_one_already() -> None:
    assert "already, as" in refused(nodes={"n2": Node("n2")}, sessions={"n2": session("machine-2")})


def test_two_machines_cannot_join_as_one_name_at_once() -> None:
    assert "just joining" in refused(joins={"k": GIVEN, "other": BOUND})


@pytest.mark.parametrize("name", ["", "-n1", "n1-", "N1", "n 1", "n1.example.org", "ä", "n" * 64])
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    assert "cannot be a node's name" in wrong_name(name)


@pytest.mark.parametrize("name", ["n1", "1", "kvm-host-17", "n" * 63])
def test_a_host_name_is_a_nodes_name(name: str) -> None:
    assert wrong_name(name) == ""


def test_a_join_is_finished_when_its_machine_has_a_session() -> None:
    assert finished(BOUND, {"n2": session("machine-2")})
    assert not finished(BOUND, {"n2": session("machine-9")})
    assert not finished(BOUND, {})
    assert not finished(GIVEN, {"n2": session("machine-2")})


def test_a_join_that_did_not_end_within_ten_minutes_is_abandoned() -> None:
    assert not abandoned(BOUND, {}, 1700.0)
    assert abandoned(BOUND, {}, 1701.0)
    assert not abandoned(BOUND, {"n2": session("machine-2")}, 1701.0)


def test_a_token_that_nobody_used_is_abandoned_when_it_has_expired() -> None:
    assert not abandoned(GIVEN, {}, 1599.0)
    assert abandoned(GIVEN, {}, 1600.0)


def test_a_certificate_is_renewed_when_less_than_a_third_of_its_life_is_left() -> None:
    assert not due_for_renewal(300.0, 101.0)
    assert due_for_renewal(300.0, 99.0)
    assert due_for_renewal(300.0, -5.0)


@pytest.mark.parametrize("nodes", [0, 1, 2, 4, 6])
def test_a_node_that_makes_the_voters_odd_or_two_votes(nodes: int) -> None:
    assert need_not_vote(Part.NODE, nodes, 0, 7) == ""


@pytest.mark.parametrize("nodes", [3, 5])
def test_a_node_that_would_make_the_voters_even_waits_for_the_next_one(nodes: int) -> None:
    assert "no more of them" in need_not_vote(Part.NODE, nodes, 0, 7)


def test_a_node_that_makes_the_voting_nodes_even_votes_when_a_witness_stands_in() -> None:
    assert need_not_vote(Part.NODE, 3, 1, 7) == ""


def test_more_than_seven_need_not_vote() -> None:
    assert "slower" in need_not_vote(Part.NODE, 7, 0, 7)


def test_a_witness_votes_only_beside_an_even_number_of_nodes() -> None:
    assert need_not_vote(Part.WITNESS, 2, 1, 7) == ""
    assert "even" in need_not_vote(Part.WITNESS, 3, 1, 7)
