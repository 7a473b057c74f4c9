"""Which node may take a group, and which is the best."""

from typing import Any

import pytest

from build import NODES, group, node, observed, resource, session, silence, view
from outlast.core.placement.placement import Placed, candidates, in_order, loads, members, told, type_problem, why_not
from outlast.model.group import Wanted
from outlast.model.node import Offer
from outlast.model.policy import Priority
from outlast.model.rule import Rule, RuleKind

WEB = group("web", on="")


def test_every_healthy_member_may_take_a_group_the_one_with_the_least_first_then_by_name() -> None:
    found = candidates(WEB, Placed(view(WEB, *(group(name, on=name[:2]) for name in ("n1a", "n1b", "n2a")))))
    assert found.nodes == ("n3", "n2", "n1")
    assert found.refused == {}


def test_preferred_owners_come_first_in_their_order_whatever_they_have() -> None:
    web = group("web", on="", preferred_owners=("n3", "n2"))
    others = [group(f"other{number}", on="n3") for number in range(9)]
    assert candidates(web, Placed(view(web, *others))).nodes == ("n3", "n2", "n1")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sessions": [session("n1")]}, "it is no member now"),
        ({"silences": [silence("n2")]}, "it is no member now"),
        ({"observed": observed(silent_s={"n2": 5.0})}, "it is no member now"),
        ({"nodes": [node("n1"), node("n2", paused=True)]}, "it is paused"),
        ({"nodes": [node("n1"), node("n2", quarantined="lost 3 times")]}, "it is quarantined: lost 3 times"),
        ({"resources": {}}, "resource web is gone from the database"),
        ({"sessions": [session("n2", offers=[])]}, "it has no plugin for vm"),
        (
            {"sessions": [session("n2", offers=[Offer("vm", problem="cannot load: SyntaxError")])]},
            "its plugin for vm: cannot load: SyntaxError",
        ),
    ],
)
def test_a_node_that_could_not_bring_it_online_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    assert why_not(WEB, "n2", Placed(view(WEB, **changes))) == why


def test_only_possible_owners_may_take_it() -> None:
    web = group("web", on="", possible_owners=("n1",))
    found = candidates(web, Placed(view(web)))
    assert found.nodes == ("n1",)
    assert found.refused == dict.fromkeys(("n2", "n3"), "it is no possible owner of the group")


def test_a_paused_node_gets_nothing_new_and_is_good_enough_for_what_it_has() -> None:
    seen = Placed(view(WEB, nodes=[node("n1"), node("n2", paused=True)]))
    assert why_not(WEB, "n2", seen) == "it is paused"
    assert why_not(WEB, "n2", seen, here="n2") == ""


def test_a_session_of_a_node_that_was_evicted_makes_no_member() -> None:
    assert set(members(view(sessions=[session(name) for name in (*NODES, "n9")]))) == set(NODES)


def test_all_types_of_a_group_are_needed() -> None:
    both = group("both", on="", resources=("web", "address"))
    seen = view(both, resources=[resource("web", group="both"), resource("address", type="ip", group="both")])
    assert why_not(both, "n1", Placed(seen)) == "it has no plugin for ip"


def test_another_types_problem_does_not_matter() -> None:
    offers = [Offer("ip", problem="cannot load"), Offer("vm")]
    assert type_problem(session("n1", offers=offers), "vm") == ""


def test_a_nodes_load_is_what_it_owns_that_is_wanted_online() -> None:
    groups = [group("a", on="n1"), group("b", on="n1", wanted=Wanted.OFFLINE), group("c", on="n2"), group("d", on="")]
    assert loads(view(*groups)) == {"n1": 1, "n2": 1}


def test_few_refusals_are_told_node_by_node_and_many_by_their_reason() -> None:
    assert told({"n2": "it is paused", "n1": "it is paused"}) == ("not n1: it is paused", "not n2: it is paused")
    many = {f"n{number}": "it is paused" for number in range(1, 9)} | {"n9": "it has no plugin for vm"}
    assert told(many) == ("not n1, n2, n3, n4, n5 and 3 more: it is paused", "not n9: it has no plugin for vm")


def test_of_many_different_reasons_the_first_few_are_told_and_the_rest_is_counted() -> None:
    words = told({f"n{number}": f"reason {number}" for number in range(1, 9)})
    assert words[0] == "not n1: reason 1"
    assert words[-1] == "nor 3 more nodes, for such reasons"
    assert len(words) == 6


def test_what_must_be_together_goes_where_there_is_room_for_all_of_it() -> None:
    a, b, c = group("a", on=""), group("b", on=""), group("c", on="n1")
    rule = Rule("together", RuleKind.SAME, ("a", "b"), hard=True)
    sizes = [resource("a", memory_mib=300), resource("b", memory_mib=500), resource("c", memory_mib=300)]
    rooms = [session("n1", memory_mib=1000), session("n2", memory_mib=600)]
    seen = view(a, b, c, rules=[rule], resources=sizes, sessions=rooms, nodes=[node("n1"), node("n2")])
    assert candidates(a, Placed(seen)).nodes == ("n2", "n1"), "neither could take both"
    larger = [session("n1", memory_mib=1100), session("n2", memory_mib=600)]
    roomy = Placed(view(a, b, c, rules=[rule], resources=sizes, sessions=larger, nodes=[node("n1"), node("n2")]))
    assert candidates(a, roomy).nodes == ("n1", "n2")


def test_the_least_loaded_is_judged_by_memory_and_processors_where_all_say_what_they_have() -> None:
    others = [group("big", on="n1"), group("s1", on="n2"), group("s2", on="n2"), group("s3", on="n3")]
    sizes = [resource("web"), resource("big", memory_mib=8000)]
    sizes += [resource(name, memory_mib=1000) for name in ("s1", "s2", "s3")]
    rooms = [session(name, memory_mib=10_000, cpus=8) for name in NODES]
    seen = view(WEB, *others, resources=sizes, sessions=rooms)
    assert candidates(WEB, Placed(seen)).nodes == ("n3", "n2", "n1")


def test_when_one_node_does_not_say_what_it_has_groups_are_counted() -> None:
    others = [group("big", on="n1"), group("s1", on="n2"), group("s2", on="n2"), group("s3", on="n3")]
    sizes = [resource("web"), resource("big", memory_mib=8000)]
    sizes += [resource(name, memory_mib=1000) for name in ("s1", "s2", "s3")]
    rooms = [session("n1", memory_mib=10_000), session("n2", memory_mib=10_000), session("n3")]
    seen = view(WEB, *others, resources=sizes, sessions=rooms)
    assert candidates(WEB, Placed(seen)).nodes == ("n1", "n3", "n2")


def test_high_priority_is_looked_at_first_and_the_larger_before_the_smaller() -> None:
    groups = [
        group("a", on=""),
        group("b", on="", priority=Priority.LOW),
        group("c", on="", priority=Priority.HIGH),
        group("d", on=""),
    ]
    sizes = [resource(name, memory_mib=size) for name, size in (("a", 100), ("b", 900), ("c", 100), ("d", 200))]
    assert [one.name for one in in_order(view(*groups, resources=sizes))] == ["c", "d", "a", "b"]


def test_who_has_fewer_possible_owners_is_placed_before_who_may_go_anywhere() -> None:
    free, pinned = group("free", on=""), group("pinned", on="", possible_owners=("n1",))
    sizes = [resource("free", memory_mib=900), resource("pinned", memory_mib=100)]
    assert [one.name for one in in_order(view(free, pinned, resources=sizes))] == ["pinned", "free"]


def test_a_preferred_owner_without_room_for_what_must_be_with_a_group_is_not_worth_leaving_that_down() -> None:
    a, b, c = group("a", on="", preferred_owners=("n1",)), group("b", on=""), group("c", on="n1")
    rule = Rule("together", RuleKind.SAME, ("a", "b"), hard=True)
    sizes = [resource("a", memory_mib=300), resource("b", memory_mib=500), resource("c", memory_mib=300)]
    rooms = [session("n1", memory_mib=1000), session("n2", memory_mib=900)]
    seen = view(a, b, c, rules=[rule], resources=sizes, sessions=rooms, nodes=[node("n1"), node("n2")])
    assert candidates(a, Placed(seen)).nodes == ("n2", "n1")
