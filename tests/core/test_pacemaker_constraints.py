"""Pacemaker's constraints: owners by score, starts in order, rules for who is with whom."""

import pytest

from outlast.core.importing.cib import primitives, root_of
from outlast.core.importing.pacemaker_constraints import Order, Together, Where, colocations, locations, orders
from outlast.model.imported import Level

NAMES = {"a": "A", "b": "B", "c": "C"}


def cib(constraints: str, *, resources: str = "", config: str = "") -> str:
    vms = resources or "".join(f'<primitive id="{one}" class="ocf" type="x"/>' for one in (*NAMES, "ip"))
    pairs = f"<crm_config><cluster_property_set>{config}</cluster_property_set></crm_config>"
    node = "".join(f'<node uname="n{number}"/>' for number in (1, 2, 3))
    body = f"<nodes>{node}</nodes><resources>{vms}</resources><constraints>{constraints}</constraints>"
    return f"<cib><configuration>{pairs}{body}</configuration></cib>"


def where(constraints: str, config: str = "") -> Where:
    return locations(root_of(cib(constraints, config=config)), ("a",))["a"]


def order(constraints: str, resources: str = "") -> dict[str, Order]:
    root = root_of(cib(constraints, resources=resources))
    return orders(root, primitives(root), NAMES)


def together(constraints: str, resources: str = "") -> Together:
    root = root_of(cib(constraints, resources=resources))
    return colocations(root, primitives(root), NAMES)


def at(node: str, points: str) -> str:
    return f'<rsc_location id="l-{node}" rsc="a" node="{node}" score="{points}"/>'


def test_a_ban_leaves_the_other_nodes_as_possible_owners() -> None:
    assert where(at("n2", "-INFINITY")).possible == ("n1", "n3")
    assert where(at("n2", "5")).possible == ()


def test_the_highest_score_is_preferred_most() -> None:
    found = where(at("n2", "50") + at("n1", "100") + at("n3", "INFINITY"))
    assert (found.preferred, found.best) == (("n3", "n1", "n2"), 1_000_000)


def test_scores_of_one_node_add_up_and_a_ban_wins() -> None:
    assert where(at("n1", "100") + at("n1", "-INFINITY")).preferred == ()
    assert where(at("n1", "100") + at("n1", "-100")).preferred == ()


def test_a_half_dislike_has_no_counterpart() -> None:
    assert where(at("n1", "-5")).findings[0].level is Level.LOST


def test_a_cluster_that_asks_for_each_node_has_only_those() -> None:
    off = '<nvpair name="symmetric-cluster" value="false"/>'
    assert where(at("n1", "10") + at("n2", "0"), off).possible == ("n1", "n2")


def test_a_rule_about_a_node_s_name_is_understood_and_others_are_reported() -> None:
    rule = '<rsc_location id="r" rsc="a"><rule score="-INFINITY"><expression {}/></rule></rsc_location>'
    named = where(rule.format('attribute="#uname" operation="eq" value="n1"'))
    assert named.possible == ("n2", "n3")
    other = where(rule.format('attribute="pingd" operation="lt" value="1"'))
    assert (other.possible, other.findings[0].level) == ((), Level.LOST)
    assert "pingd lt 1" in other.findings[0].words


def test_a_constraint_may_name_several_by_a_pattern_or_a_set() -> None:
    assert where('<rsc_location id="p" rsc-pattern="^a$" node="n1" score="5"/>').preferred == ("n1",)
    refs = '<resource_set><resource_ref id="b"/><resource_ref id="a"/></resource_set>'
    assert where(f'<rsc_location id="s" node="n1" score="5">{refs}</rsc_location>').preferred == ("n1",)


def test_who_comes_second_starts_after_the_first() -> None:
    found = order('<rsc_order id="o" first="a" then="b"/>')
    assert found["b"].start_after == ("A",)
    assert found["b"].findings[0].level is Level.CHANGED
    assert order('<rsc_order id="o" first="a" then="b" kind="Optional"/>')["b"].findings[0].level is Level.KEPT


@pytest.mark.parametrize(
    "constraint",
    [
        '<rsc_order id="o" first="ip" then="b"/>',
        '<rsc_order id="o" first="a" then="b" kind="Serialize"/>',
        '<rsc_order id="o" first="a" first-action="promote" then="b"/>',
    ],
)
def test_an_order_that_has_no_counterpart_is_lost_and_said(constraint: str) -> None:
    found = order(constraint)["b"]
    assert (found.start_after, found.findings[0].level) == ((), Level.LOST)


def test_sets_follow_each_other_and_so_do_their_members() -> None:
    first = '<resource_set><resource_ref id="a"/><resource_ref id="b"/></resource_set>'
    second = '<resource_set><resource_ref id="c"/></resource_set>'
    found = order(f'<rsc_order id="o">{first}{second}</rsc_order>')
    assert (found["b"].start_after, found["c"].start_after) == (("A",), ("A", "B"))
    loose = first.replace("<resource_set>", '<resource_set sequential="false">')
    assert "b" not in order(f'<rsc_order id="o">{loose}{second}</rsc_order>')


def test_members_of_a_group_start_in_order_and_stay_together() -> None:
    members = '<group id="g"><primitive id="a" class="x"/><primitive id="b" class="x"/></group>'
    assert order("", members)["b"].start_after == ("A",)
    assert together("", members).commands == ("outlast rule add group-g same A B --hard",)


def test_colocations_become_rules_to_type() -> None:
    apart = together('<rsc_colocation id="apart" rsc="a" with-rsc="b" score="-INFINITY"/>')
    assert apart.commands == ("outlast rule add apart different A B --hard",)
    soft = together('<rsc_colocation id="1 soft!" rsc="a" with-rsc="b" score="10"/>')
    assert soft.commands == ("outlast rule add 1-soft- same A B",)


def test_to_be_near_what_is_not_taken_in_is_lost() -> None:
    found = together('<rsc_colocation id="x" rsc="a" with-rsc="ip" score="INFINITY"/>')
    assert (found.commands, found.findings[0].level) == ((), Level.LOST)
