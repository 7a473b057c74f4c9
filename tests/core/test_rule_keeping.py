"""Which rules are broken now, and what is done about it?"""

from typing import Any

import msgspec
import pytest

from build import group, node, resource, status, view
from outlast.core.coordinator.round import Round
from outlast.core.coordinator.rule_keeping import alarms, broken_by, keep_rules
from outlast.core.placement.placed import Placed
from outlast.model.group import Group
from outlast.model.plan import WishMove
from outlast.model.policy import Priority
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.settings import Settings
from outlast.model.status import State

A, B = group("a", on="n1"), group("b", on="n1")
APART = Rule("apart", RuleKind.DIFFERENT, ("a", "b"), hard=True)
TOGETHER = Rule("together", RuleKind.SAME, ("a", "b"), hard=True)


def moves(*groups: Group, rules: tuple[Rule, ...] = (APART,), **changes: Any) -> list[tuple[str, str]]:
    round = Round(view(*groups, rules=rules, **changes))
    keep_rules(round)
    wished = [action for action in round.plan().actions if isinstance(action, WishMove)]
    return [(action.group, action.to) for action in wished]


def test_one_of_those_that_break_a_hard_rule_moves_to_where_it_is_kept() -> None:
    assert moves(A, B) == [("b", "n2")]


def test_the_least_important_one_moves() -> None:
    low = msgspec.structs.replace(A, priority=Priority.LOW)
    assert moves(low, B) == [("a", "n2")]


def test_while_one_of_a_rule_moves_the_others_wait_for_what_comes_of_it() -> None:
    c = group("c", on="n1")
    rule = msgspec.structs.replace(APART, groups=("a", "b", "c"))
    assert moves(A, B, c, rules=(rule,)) == [("c", "n2")]
    moving = msgspec.structs.replace(c, move_to="n2")
    assert moves(A, B, moving, rules=(rule,)) == []


def test_what_keeps_its_rules_is_not_moved() -> None:
    assert moves(A, group("b", on="n2")) == []
    assert moves(A, B, rules=(TOGETHER,)) == []


def test_those_that_must_be_together_come_together() -> None:
    assert moves(A, group("b", on="n2"), rules=(TOGETHER,)) == [("b", "n1")]


@pytest.mark.parametrize("change", [{"hard": False}, {"enabled": False}], ids=str)
def test_soft_and_disabled_rules_move_nobody(change: dict[str, bool]) -> None:
    assert moves(A, B, rules=(msgspec.structs.replace(APART, **change),)) == []


def test_what_can_keep_the_rule_nowhere_runs_on() -> None:
    nodes = [node("n1"), node("n2", paused=True), node("n3", paused=True)]
    assert moves(A, B, nodes=nodes) == []


@pytest.mark.parametrize("change", [{"locked": "for the audit"}, {"maintenance": "at work"}], ids=str)
def test_a_lock_and_maintenance_are_respected_and_the_other_one_moves(change: dict[str, str]) -> None:
    assert moves(A, msgspec.structs.replace(B, **change)) == [("a", "n2")]


def test_a_resource_in_maintenance_keeps_its_group_where_it_is() -> None:
    resources = [resource("a"), resource("b", maintenance="at work")]
    assert moves(A, B, resources=resources) == [("a", "n2")]


@pytest.mark.parametrize("state", [State.ONLINE_PENDING, State.UNKNOWN, State.FAILED, State.OFFLINE])
def test_only_what_runs_well_is_moved_for_a_rule(state: State) -> None:
    statuses = [status(A, state), status(B, state)]
    assert moves(A, B, statuses=statuses) == []


def test_no_more_moves_at_once_than_were_allowed() -> None:
    groups = [group(name, on="n1") for name in "abcdef"]
    rules = tuple(Rule(f"r{one}{two}", RuleKind.DIFFERENT, (one, two), hard=True) for one, two in ("ab", "cd", "ef"))
    assert len(moves(*groups, rules=rules, settings=Settings(parallel_moves=2))) == 2
    assert len(moves(*groups, rules=rules, settings=Settings(parallel_moves=9))) == 3


def test_a_node_that_gives_everything_away_is_left_to_the_drain() -> None:
    nodes = [node("n1", paused=True, draining=True), node("n2"), node("n3")]
    off_n1 = Rule("off", RuleKind.NOT_ON, ("a",), ("n1",), hard=True)
    assert moves(A, rules=(off_n1,), nodes=nodes) == []


def test_a_broken_rule_says_by_whom() -> None:
    assert broken_by(APART, Placed(view(A, B))) == ("a and b are both on n1",)
    assert broken_by(TOGETHER, Placed(view(A, group("b", on="n2")))) == ("a on n1, b on n2",)
    assert broken_by(Rule("on", RuleKind.ON, ("a",), ("n2",)), Placed(view(A))) == ("a is on n1",)
    assert broken_by(Rule("off", RuleKind.NOT_ON, ("a",), ("n1",)), Placed(view(A))) == ("a is on n1",)
    racks = [node("n1", rack="r1"), node("n2", rack="r1"), node("n3", rack="r2")]
    rack_apart = msgspec.structs.replace(APART, domain=Domain.RACK)
    assert broken_by(rack_apart, Placed(view(A, group("b", on="n2"), nodes=racks))) == ("a and b are both in rack r1",)


def test_a_rule_that_is_kept_is_broken_by_nobody() -> None:
    assert broken_by(APART, Placed(view(A, group("b", on="n2")))) == ()
    assert broken_by(TOGETHER, Placed(view(A, B))) == ()
    assert broken_by(Rule("on", RuleKind.ON, ("a",), ("n1",)), Placed(view(A))) == ()


def test_hard_rules_that_are_broken_or_can_never_be_kept_are_alarms_and_soft_ones_are_not() -> None:
    assert alarms(Placed(view(A, B, rules=[APART]))) == ["The rule apart is broken: a and b are both on n1"]
    assert alarms(Placed(view(A, B, rules=[msgspec.structs.replace(APART, hard=False)]))) == []
    left = view(A, group("b", on=""), rules=[APART], nodes=[node("n1")])
    (words,) = alarms(Placed(left))
    assert words.startswith("Rules that can never be kept: rule apart keeps a and b on 2 different nodes, and there is")


def test_who_is_in_two_rules_waits_for_what_comes_of_either() -> None:
    c = group("c", on="n2")
    pinned = Rule("pinned", RuleKind.ON, ("a", "c"), nodes=("n1", "n2"), hard=True)
    for rules in ((APART, pinned), (pinned, APART)):
        assert len(moves(A, B, c, rules=rules)) == 1
