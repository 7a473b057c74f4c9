"""Would a group run again by itself if its node died now?"""

from typing import Any

from build import failure, group, node, session, silence, view
from outlast.core.protection import protection, provable
from outlast.model.node import Offer

WEB = group("web")


def why(**changes: Any) -> str:
    return "; ".join(protection(WEB, view(WEB, **changes)).reasons)


def test_in_a_healthy_cluster_a_group_is_protected() -> None:
    found = protection(WEB, view(WEB))
    assert (found.protected, found.reasons) == (True, ())


def test_a_group_whose_owner_cannot_watch_over_it_is_not_protected() -> None:
    broken = session("n1", offers=[Offer("vm", problem="its files changed")])
    assert why(sessions=[broken, session("n2")]) == "n1 cannot watch over it: its plugin for vm: its files changed"


def test_a_group_that_no_other_node_could_take_is_not_protected_and_each_says_why() -> None:
    paused = [node("n1"), node("n2", paused=True), node("n3")]
    assert why(nodes=paused, silences=[silence("n3")]) == (
        "no other node could take it: n2: it is paused; n3: it is no member now"
    )


def test_what_all_other_nodes_have_in_common_is_said_once() -> None:
    paused = [node("n1"), node("n2", paused=True), node("n3", paused=True)]
    assert why(nodes=paused) == "no other node could take it: n2, n3: it is paused"


def test_a_group_whose_owner_is_silent_is_not_protected_before_its_death_is_proven() -> None:
    assert "not proven dead" in why(silences=[silence("n1")])


def test_on_a_single_node_nothing_is_protected() -> None:
    assert why(nodes=[node("n1")]) == "there is no other node"


def test_a_group_whose_owners_death_nobody_could_prove_is_not_protected() -> None:
    unfenced = [node("n1", fenced=False), node("n2")]
    assert "the death of n1 could not be proven" in why(nodes=unfenced)
    assert why(nodes=unfenced, sessions=[session("n1", watchdog_s=7.5), session("n2")]) == ""


def test_a_group_whose_failovers_are_spent_is_not_protected() -> None:
    spent = group("web", failures=(failure("web-1"), failure("web-2")))
    assert not protection(spent, view(spent)).protected


def test_a_group_without_an_owner_is_judged_by_the_nodes_that_could_take_it() -> None:
    homeless = group("web", on="")
    assert protection(homeless, view(homeless)).protected


def test_a_fence_device_or_a_declared_watchdog_makes_a_death_provable() -> None:
    assert provable("n1", view())
    assert not provable("n1", view(nodes=[node("n1", fenced=False)]))
    assert provable("n1", view(nodes=[node("n1", fenced=False)], sessions=[session("n1", watchdog_s=7.5)]))
