"""Which node may take a group, and which is the best."""

from typing import Any

import pytest

from build import NODES, group, node, observed, resource, session, silence, view
from outlast.core.placement import candidates, loads, members, type_problem, why_not
from outlast.model.group import Wanted
from outlast.model.node import Offer

WEB = group("web", on="")


def test_every_healthy_member_may_take_a_group_the_one_with_the_least_first_then_by_name() -> None:
    found = candidates(WEB, view(WEB), {"n1": 2, "n2": 1})
    assert found.nodes == ("n3", "n2", "n1")
    assert found.refused == {}


def test_preferred_owners_come_first_in_their_order_whatever_they_have() -> None:
    web = group("web", on="", preferred_owners=("n3", "n2"))
    assert candidates(web, view(web), {"n3": 9}).nodes == ("n3", "n2", "n1")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sessions": [session("n1")]}, "it is no member now"),
        ({"silences": [silence("n2")]}, "it is no member now"),
        ({"observed": observed(silent_s={"n2": 5.0})}, "it is no member now"),
        ({"nodes": [node("n1"), node("n2", paused=True)]}, "it is paused"),
        ({"resources": {}}, "resource web is gone from the database"),
        ({"sessions": [session("n2", offers=[])]}, "it has no plugin for vm"),
        (
            {"sessions": [session("n2", offers=[Offer("vm", problem="cannot load: SyntaxError")])]},
            "its plugin for vm: cannot load: SyntaxError",
        ),
    ],
)
def test_a_node_that_could_not_bring_it_online_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    assert why_not(WEB, "n2", view(WEB, **changes)) == why


def test_only_possible_owners_may_take_it() -> None:
    web = group("web", on="", possible_owners=("n1",))
    found = candidates(web, view(web), {})
    assert found.nodes == ("n1",)
    assert found.refused == dict.fromkeys(("n2", "n3"), "it is no possible owner of the group")


def test_a_paused_node_gets_nothing_new_and_is_good_enough_for_what_it_has() -> None:
    seen = view(WEB, nodes=[node("n1"), node("n2", paused=True)])
    assert why_not(WEB, "n2", seen) == "it is paused"
    assert why_not(WEB, "n2", seen, here="n2") == ""


def test_a_session_of_a_node_that_was_evicted_makes_no_member() -> None:
    assert set(members(view(sessions=[session(name) for name in (*NODES, "n9")]))) == set(NODES)


def test_all_types_of_a_group_are_needed() -> None:
    both = group("both", on="", resources=("web", "address"))
    seen = view(both, resources=[resource("web", group="both"), resource("address", type="ip", group="both")])
    assert why_not(both, "n1", seen) == "it has no plugin for ip"


def test_another_types_problem_does_not_matter() -> None:
    offers = [Offer("ip", problem="cannot load"), Offer("vm")]
    assert type_problem(session("n1", offers=offers), "vm") == ""


def test_a_nodes_load_is_what_it_owns_that_is_wanted_online() -> None:
    groups = [group("a", on="n1"), group("b", on="n1", wanted=Wanted.OFFLINE), group("c", on="n2"), group("d", on="")]
    assert loads(view(*groups)) == {"n1": 1, "n2": 1}
