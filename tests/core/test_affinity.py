"""Which rules would a group break on a node?"""

from typing import Any

from build import group, node, view
from outlast.core.placement.affinity import domains
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates
from outlast.model.group import Group
from outlast.model.rule import Domain, Rule, RuleKind

A, B, C = (group(name, on="") for name in "abc")
RACKS = [node("n1", rack="r1"), node("n2", rack="r1"), node("n3", rack="r2")]


def placed(*groups: Group, rule: Rule, **changes: Any) -> Placed:
    return Placed(view(*groups, rules=[rule], **changes))


def apart(*groups: str, hard: bool = True, **more: Any) -> Rule:
    return Rule("apart", RuleKind.DIFFERENT, groups, hard=hard, **more)


def together(*groups: str, hard: bool = True, **more: Any) -> Rule:
    return Rule("together", RuleKind.SAME, groups, hard=hard, **more)


def test_a_hard_rule_keeps_groups_apart_and_says_from_whom() -> None:
    seen = placed(A, group("b", on="n2"), rule=apart("a", "b"))
    found = candidates(A, seen)
    assert found.nodes == ("n1", "n3")
    assert found.refused == {"n2": "rule apart keeps it apart from b (on n2)"}


def test_a_group_is_never_in_its_own_way() -> None:
    here = group("a", on="n2")
    assert placed(here, B, rule=apart("a", "b")).judge(here).forbids("n2") == ""


def test_who_is_wanted_off_and_runs_nowhere_is_in_nobodys_way() -> None:
    seen = placed(A, B, rule=apart("a", "b"))
    assert candidates(A, seen).refused == {}


def test_a_moving_group_is_in_the_way_where_it_is_and_where_it_goes() -> None:
    seen = placed(A, group("b", on="n2", move_to="n3"), rule=apart("a", "b"))
    assert candidates(A, seen).nodes == ("n1",)


def test_a_hard_rule_keeps_groups_together() -> None:
    seen = placed(A, group("b", on="n2"), rule=together("a", "b"))
    found = candidates(A, seen)
    assert found.nodes == ("n2",)
    assert found.refused["n1"] == "rule together keeps it together with b (on n2)"


def test_who_is_together_with_a_moving_group_follows_it() -> None:
    seen = placed(A, group("b", on="n2", move_to="n3"), rule=together("a", "b"))
    assert candidates(A, seen).nodes == ("n3",)


def test_nobody_is_kept_on_a_draining_node_by_whom_it_must_be_together_with() -> None:
    nodes = [node("n1"), node("n2", paused=True, draining=True), node("n3")]
    a = group("a", on="n2")
    seen = placed(a, group("b", on="n2"), rule=together("a", "b"), nodes=nodes)
    assert candidates(a, seen).nodes == ("n1", "n3")
    seen.put(a, "n3", coming_from="n2")
    assert candidates(group("b", on="n2"), seen).nodes == ("n3",)


def test_the_first_of_those_that_must_be_together_chooses_freely() -> None:
    assert candidates(A, placed(A, B, rule=together("a", "b"))).refused == {}


def test_a_rule_about_nodes_holds_its_groups_on_them_or_off_them() -> None:
    on = placed(A, B, rule=Rule("licence", RuleKind.ON, ("a",), ("n1", "n3"), hard=True))
    assert candidates(A, on).refused == {"n2": "rule licence keeps it on n1 or n3"}
    assert candidates(B, on).refused == {}
    off = placed(A, rule=Rule("licence", RuleKind.NOT_ON, ("a",), ("n1",), hard=True))
    assert candidates(A, off).refused == {"n1": "rule licence keeps it off n1"}


def test_a_soft_rule_only_makes_a_node_worse() -> None:
    seen = placed(A, group("b", on="n1"), group("c", on="n2"), group("d", on="n2"), rule=apart("a", "b", hard=False))
    found = candidates(A, seen)
    assert found.nodes == ("n3", "n2", "n1")
    assert found.refused == {}
    assert seen.judge(A).words("n1") == ("rule apart keeps it apart from b (on n1) (if possible)",)


def test_preferred_owners_come_before_soft_rules() -> None:
    a = group("a", on="", preferred_owners=("n1",))
    assert candidates(a, placed(a, group("b", on="n1"), rule=apart("a", "b", hard=False))).nodes[0] == "n1"


def test_a_disabled_rule_says_nothing() -> None:
    seen = placed(A, group("b", on="n2"), rule=apart("a", "b", enabled=False))
    assert candidates(A, seen).refused == {}


def test_racks_are_what_fails_together() -> None:
    seen = placed(A, group("b", on="n1"), rule=apart("a", "b", domain=Domain.RACK), nodes=RACKS)
    found = candidates(A, seen)
    assert found.nodes == ("n3",)
    assert found.refused["n2"] == "rule apart keeps it apart from b (on n1, rack r1)"
    same = placed(A, group("b", on="n1"), rule=together("a", "b", domain=Domain.RACK), nodes=RACKS)
    assert set(candidates(A, same).nodes) == {"n1", "n2"}


def test_racks_of_one_name_in_two_sites_are_two_racks() -> None:
    found = domains(Domain.RACK, {"n1": node("n1", rack="r1", site="a"), "n2": node("n2", rack="r1", site="b")})
    assert found["n1"] != found["n2"]


def test_a_node_of_which_the_rack_is_not_known_fails_alone() -> None:
    found = domains(Domain.RACK, {name: node(name) for name in ("n1", "n2")})
    assert found == {"n1": "n1", "n2": "n2"}
    assert domains(Domain.SITE, {"n1": node("n1", site="a"), "n2": node("n2")}) == {"n1": "a/", "n2": "n2"}
