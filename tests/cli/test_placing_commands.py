"""Rules, and what would happen if nodes were lost: what people and scripts see."""

import json

import msgspec

from command_line import Outlast
from fake_service import FakeService, Result
from outlast.model.answers import ClusterSettings
from outlast.model.foresight import Forecast, NodeAfter, Restart, RuleChanged, RuleRow

pytest_plugins = ("cli_fixtures",)

APART = RuleRow("apart", "different", "node", ("db1", "db2"), (), True, True, ())
LICENCE = RuleRow("licence", "on", "node", ("db1",), ("n1", "n2"), False, True, ("db1 is on n3",))
OFF = RuleRow("racks", "same", "rack", ("a", "b"), (), False, False, ())
WEB = Restart("web", ("web",), "medium", 512, "n2", "n3", "n3: the only node that can take it")
BIG = Restart("big", ("big",), "low", 4096, "n2", "", "it would wait for a node that can take it")
NODES = (NodeAfter("n1", 2, 2, 8192, 100), NodeAfter("n3", 1, 2, 0, 0))


def test_rules_are_listed_with_what_breaks_them(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["rule.list"] = Result([APART, LICENCE, OFF])
    assert outlast("rule", "list").lines() == [
        "rule     kind       groups    nodes   how          state     why",
        "apart    different  db1, db2          always       kept",
        "licence  on         db1       n1, n2  if possible  broken    db1 is on n3",
        "racks    same rack  a, b              if possible  disabled",
    ]


def test_a_rule_is_added_as_it_was_said(fake: FakeService, outlast: Outlast) -> None:
    row = msgspec.structs.replace(LICENCE, broken=())
    fake.answers["rule.add"] = Result(RuleChanged(row, True, ("n3 has no rack set",)))
    ended = outlast("rule", "add", "licence", "not-on", "db1", "--nodes", "n1,n2", "--hard")
    assert ended.lines() == ["rule licence is added: db1 on n1 or n2, if possible", "n3 has no rack set"]
    assert fake.arguments("rule.add") == {
        "name": "licence",
        "kind": "not on",
        "groups": ["db1"],
        "nodes": ["n1", "n2"],
        "domain": "node",
        "hard": True,
        "enabled": True,
        "what_if": False,
    }


def test_a_kind_that_does_not_exist_is_wrong_usage(fake: FakeService, outlast: Outlast) -> None:
    ended = outlast("rule", "add", "x", "near", "a", "b")
    assert ended.code == 2
    assert 'there is no kind of rule "near"; there are: same, different, on, not-on' in ended.err


def test_what_if_says_that_nothing_was_done(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["rule.disable"] = Result(RuleChanged(APART, False, ()))
    assert outlast("rule", "disable", "apart", "--what-if").lines() == [
        "rule apart would be disabled: db1, db2 each on another node, always"
    ]


def test_a_lost_node_is_told_with_what_would_not_run_first(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["what_if.node_down"] = Result(Forecast(("n2",), (BIG, WEB), NODES, ("a note",)))
    assert outlast("what-if", "node-down", "n2").lines() == [
        "If n2 were lost now, 1 of 2 groups would run again elsewhere, and 1 would not.",
        "a note",
        "",
        "Would not run",
        "group  priority  memory    why",
        "big    low       4096 MiB  it would wait for a node that can take it",
        "",
        "Would run again",
        "group  goes to  memory   why",
        "web    n3       512 MiB  n3: the only node that can take it",
        "",
        "The nodes afterwards",
        "node  groups  memory left",
        "n1    2       100 of 8192 MiB",
        "n3    2 (+1)  not known",
    ]


def test_many_groups_are_summed_up_node_by_node(fake: FakeService, outlast: Outlast) -> None:
    many = tuple(msgspec.structs.replace(WEB, group=f"vm{number}", to=f"n{number % 2 * 2 + 1}") for number in range(40))
    fake.answers["what_if.node_down"] = Result(Forecast(("n2",), many, NODES, ()))
    shown = outlast("what-if", "node-down", "n2").lines()
    assert "n1       20" in shown
    assert "n3       20" in shown
    assert not any("vm7" in line for line in shown)
    assert any("vm7 " in line for line in outlast("what-if", "node-down", "n2", "--all").lines())


def test_nothing_that_would_be_down_is_said_in_one_line(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["what_if.node_down"] = Result(Forecast(("n2", "n3"), (), NODES, ()))
    assert outlast("what-if", "node-down", "n2", "n3").lines() == [
        "If n2 and n3 were lost now, nothing that should run would be down."
    ]


def test_when_nothing_would_run_again_that_is_said_too(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["what_if.node_down"] = Result(Forecast(("n2",), (BIG,), NODES, ()))
    assert outlast("what-if", "node-down", "n2").lines()[0] == "If n2 were lost now, 1 group would not run again."


def test_scripts_get_the_whole_forecast(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["what_if.node_down"] = Result(Forecast(("n2",), (WEB,), NODES, ()))
    document = json.loads(outlast("what-if", "node-down", "n2", "--json").out)
    assert document["restarts"][0] == {
        "group": "web",
        "resources": ["web"],
        "priority": "medium",
        "memory_mib": 512,
        "owner": "n2",
        "to": "n3",
        "why": "n3: the only node that can take it",
    }


def test_what_is_to_be_said_of_what_was_set_for_the_cluster_stands_below_it(
    fake: FakeService, outlast: Outlast
) -> None:
    broken = "the promise to survive the loss of 1 node is broken: if n1 was lost, no room is left for web"
    moves = "balancing may move 0 of 1 group; 1 stays where it is: web: it is locked: no"
    fake.answers["cluster.set"] = Result(ClusterSettings(warnings=(broken,), notes=(moves,)))
    assert outlast("cluster", "set", "survive_nodes=1", "balance=continuous").lines() == [
        "set for the whole cluster: balance=continuous, survive_nodes=1",
        f"warning: {broken}",
        moves,
    ]
    told = json.loads(outlast("--json", "cluster", "set", "survive_nodes=1").out)
    assert (told["survive_nodes"], told["warnings"], told["notes"]) == (0, [broken], [moves])
