"""Which hard rules can never be kept, whatever runs where?"""

from typing import Any

import pytest

from build import group, node, view
from outlast.core.placement.contradictions import contradictions, new_contradictions, unknown_domains
from outlast.model.rule import Domain, Rule, RuleKind

GROUPS = tuple(group(name) for name in "abcd")
RACKS = [node("n1", rack="r1"), node("n2", rack="r1"), node("n3", rack="r2")]


def rule(name: str, kind: RuleKind, *groups: str, hard: bool = True, **more: Any) -> Rule:
    return Rule(name, kind, groups, hard=hard, **more)


def told(*rules: Rule, **changes: Any) -> list[str]:
    return contradictions(view(*GROUPS, **changes), rules)


def test_rules_that_can_be_kept_are_no_contradiction() -> None:
    assert (
        told(
            rule("apart", RuleKind.DIFFERENT, "a", "b", "c"),
            rule("same", RuleKind.SAME, "a", "d"),
            rule("on", RuleKind.ON, "a", nodes=("n1", "n2")),
            rule("off", RuleKind.NOT_ON, "b", nodes=("n1",)),
        )
        == []
    )


def test_what_must_be_together_cannot_be_kept_apart_and_all_rules_are_named() -> None:
    assert told(
        rule("x", RuleKind.SAME, "a", "b"), rule("y", RuleKind.SAME, "b", "c"), rule("z", RuleKind.DIFFERENT, "a", "c")
    ) == ["rule z keeps a and c apart, and rules x and y keep them together"]


def test_who_is_on_one_node_is_in_one_rack_but_not_the_other_way_round() -> None:
    same_node, apart_racks = (
        rule("same", RuleKind.SAME, "a", "b"),
        rule("apart", RuleKind.DIFFERENT, "a", "b", domain=Domain.RACK),
    )
    assert told(same_node, apart_racks, nodes=RACKS) == [
        "rule apart keeps a and b apart, and rule same keeps them together"
    ]
    same_rack, apart_nodes = (
        rule("same", RuleKind.SAME, "a", "b", domain=Domain.RACK),
        rule("apart", RuleKind.DIFFERENT, "a", "b"),
    )
    assert told(same_rack, apart_nodes, nodes=RACKS) == []


def test_more_groups_than_nodes_cannot_be_kept_apart() -> None:
    assert told(rule("apart", RuleKind.DIFFERENT, "a", "b", "c", "d")) == [
        "rule apart keeps a, b, c and d on 4 different nodes, and there are only 3 where they may run"
    ]


def test_racks_are_counted_as_they_are_known() -> None:
    assert told(rule("apart", RuleKind.DIFFERENT, "a", "b", "c", domain=Domain.RACK), nodes=RACKS) == [
        "rule apart keeps a, b and c on 3 different racks, and there are only 2 where they may run"
    ]


def test_only_the_nodes_where_groups_may_run_count() -> None:
    pinned = (group("a", possible_owners=("n1",)), group("b", possible_owners=("n1",)), group("c"))
    found = contradictions(view(*pinned), [rule("apart", RuleKind.DIFFERENT, "a", "b", "c")])
    assert found == ["rule apart keeps a and b on 2 different nodes, and there is only 1 where they may run"]


def test_a_group_that_may_run_nowhere_is_told_with_all_that_keeps_it_from_it() -> None:
    a = group("a", possible_owners=("n1",))
    found = contradictions(view(a), [rule("off", RuleKind.NOT_ON, "a", nodes=("n1",))])
    assert found == ["a could run nowhere: its possible owners are n1, and rule off keeps it off n1"]
    assert told(rule("on", RuleKind.ON, "a", nodes=("n1",)), rule("off", RuleKind.NOT_ON, "a", nodes=("n1",))) == [
        "a could run nowhere: rule on keeps it on n1, and rule off keeps it off n1"
    ]


def test_those_that_must_be_together_need_a_node_that_may_have_all() -> None:
    assert told(
        rule("on1", RuleKind.ON, "a", nodes=("n1",)),
        rule("on2", RuleKind.ON, "b", nodes=("n2", "n3")),
        rule("same", RuleKind.SAME, "a", "b"),
    ) == ["rule same keeps a and b together, and no node may have all: a may run on n1; b may run on n2, n3"]


@pytest.mark.parametrize("change", [{"hard": False}, {"enabled": False}], ids=str)
def test_soft_and_disabled_rules_contradict_nothing(change: dict[str, bool]) -> None:
    assert told(rule("apart", RuleKind.DIFFERENT, "a", "b"), rule("same", RuleKind.SAME, "a", "b", **change)) == []


def test_only_what_is_new_with_a_rule_is_held_against_it() -> None:
    old = (rule("apart", RuleKind.DIFFERENT, "a", "b"), rule("same", RuleKind.SAME, "a", "b"))
    seen = view(*GROUPS, rules=old)
    assert new_contradictions(rule("fine", RuleKind.DIFFERENT, "c", "d"), seen) == ()
    assert new_contradictions(rule("on", RuleKind.ON, "c", nodes=()), seen) != ()


def test_nodes_without_a_rack_are_told_for_rules_about_racks() -> None:
    nodes = {"n1": node("n1", rack="r1"), "n2": node("n2")}
    assert unknown_domains(rule("apart", RuleKind.DIFFERENT, "a", "b", domain=Domain.RACK), nodes) == ("n2",)
    assert unknown_domains(rule("apart", RuleKind.DIFFERENT, "a", "b", domain=Domain.SITE), nodes) == ("n1", "n2")
    assert unknown_domains(rule("apart", RuleKind.DIFFERENT, "a", "b"), nodes) == ()
