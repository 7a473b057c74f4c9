"""Nodes in maintenance on the command line: what is asked for, how long is waited, and what is told at the end."""

import json

import healthy
import pytest

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.model.answers import Leaving, LeftRow, NodeProgress, Outlook

pytest_plugins = ("cli_fixtures",)

LEFT = LeftRow("web", "online", "waits for a node that can take it, since n1 is drained", "")
GOING = LeftRow("db", "offline pending", "", "n2")
BUSY = NodeProgress("n1", "draining", "n1 is drained: 2 to go (db, web)", (GOING, LEFT), (), done=False)
STUCK = NodeProgress("n1", "draining", "n1 is drained: 1 to go (web)", (LEFT,), (), done=False)
EMPTY = NodeProgress("n1", "drained", "n1 is drained, and nothing runs there", (), (), done=True)


def test_a_drain_waits_until_the_node_is_empty(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.drain": Result("n1 is drained"), "node.wait": Stream([BUSY, EMPTY])}
    ended = outlast("node", "drain", "n1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("n1 is empty after ")
    assert fake.arguments("node.drain") == {"name": "n1", "force": False}


def test_what_is_down_because_of_a_forced_drain_is_told(fake: FakeService, outlast: Outlast) -> None:
    end = NodeProgress("n1", "drained", "", (), ("web",), done=True)
    fake.answers |= {"node.drain": Result("n1 is drained"), "node.wait": Stream([end])}
    ended = outlast("node", "drain", "n1", "--force")
    assert "Down until another node can take it, or n1 is resumed: web" in ended.out
    assert fake.arguments("node.drain") == {"name": "n1", "force": True}


def test_what_is_about_to_start_elsewhere_or_failed_is_not_said_to_wait_for_a_node(
    fake: FakeService, outlast: Outlast
) -> None:
    failed = LeftRow("db", "failed", "QEMU ended with signal 9", "")
    end = NodeProgress("n1", "drained", "", (), (), done=True, coming=("web",), kept=(failed,))
    fake.answers |= {"node.drain": Result("n1 is drained"), "node.wait": Stream([end])}
    out = outlast("node", "drain", "n1", "--force").out
    assert "About to start on another node: web\n" in out
    assert "Down: db (QEMU ended with signal 9)\n" in out
    assert "Down until" not in out


def test_a_drain_that_takes_too_long_says_what_is_left_and_goes_on(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.drain": Result("n1 is drained"), "node.wait": Stream([BUSY])}
    ended = outlast("node", "drain", "n1", "--wait", "0.01")
    assert ended.code == 3
    assert "2 to go: db to n2; web (waits for a node that can take it" in ended.err
    assert "The cluster goes on with it" in ended.err


def test_a_drain_of_which_nothing_moves_any_more_is_not_waited_for_for_ever(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers |= {"node.drain": Result("n1 is drained"), "node.wait": Stream([STUCK])}
    ended = outlast("node", "drain", "n1")
    assert ended.code == 3
    assert "`outlast node drain n1 --force` takes offline what can go nowhere" in ended.err
    assert fake.verbs().count("node.wait") == 2


def test_wait_0_does_not_wait(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.drain": Result("n1 is drained: what runs there is moved")}
    ended = outlast("node", "drain", "n1", "--wait", "0")
    assert (ended.code, ended.out) == (0, "n1 is drained: what runs there is moved\n")


def test_what_a_drain_would_do_is_told_and_nothing_is_asked_for(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.outlook"] = Result([Outlook("db", "n2", ""), Outlook("web", "", "n2: it is paused")])
    out = outlast("node", "drain", "n1", "--what-if").out
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["db", "n2"], ["web", "stays"]]
    assert "n2: it is paused" in out
    assert fake.verbs() == ["node.outlook"]


def test_resume_waits_only_for_what_it_calls_back(fake: FakeService, outlast: Outlast) -> None:
    back = NodeProgress("n1", "up", "", (), (), done=True)
    fake.answers |= {"node.resume": Result("n1 takes groups again"), "node.wait": Stream([back])}
    assert outlast("node", "resume", "n1").out == "n1 takes groups again\n"
    assert "node.wait" not in fake.verbs()
    assert "all that had left it is back after " in outlast("node", "resume", "n1", "--failback").out
    assert fake.arguments("node.resume") == {"name": "n1", "failback": True}


def test_progress_is_one_document_in_json(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.drain": Result("n1 is drained"), "node.wait": Stream([BUSY, EMPTY])}
    found = json.loads(outlast("node", "drain", "n1", "--json").out)
    assert (found["node"], found["done"], found["left"]) == ("n1", True, [])


def test_before_a_shutdown_the_node_is_drained_for_as_long_as_the_cluster_says(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers |= {"node.leaving": Result(Leaving("n1", 600.0, "")), "node.wait": Stream([BUSY, EMPTY])}
    ended = outlast("node", "before-shutdown")
    assert ended.code == 0
    assert "n1 is empty after " in ended.out


def test_before_a_shutdown_nothing_is_waited_for_when_there_is_nothing(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.leaving"] = Result(Leaving("n1", 0.0, "n1 has no session, so nothing runs there"))
    ended = outlast("node", "before-shutdown")
    assert (ended.code, ended.out) == (0, "nothing is waited for: n1 has no session, so nothing runs there\n")


def test_a_shutdown_whose_time_is_up_says_what_goes_down_with_the_machine(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.leaving": Result(Leaving("n1", 0.01, "")), "node.wait": Stream([STUCK])}
    ended = outlast("node", "before-shutdown")
    assert ended.code == 3
    assert "n1 is not empty, and its machine goes down: 1 to go: web" in ended.err


@pytest.mark.parametrize("arguments", [("node", "set", "n1"), ("cluster", "set")])
def test_where_a_node_stands_is_said_as_key_and_value(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...]
) -> None:
    assert outlast(*arguments, "rack").code == 2
    assert outlast(*arguments, "rack=r1", "rack=r2").code == 2


def test_the_cluster_s_settings_go_as_they_are_written(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.set": Result("n1: rack is r1"), "cluster.would_set": Result(["n2 would be fenced"])}
    assert outlast("node", "set", "n1", "rack=r1").out == "n1: rack is r1\n"
    assert fake.arguments("node.set") == {"name": "n1", "values": {"rack": "r1"}}
    assert outlast("cluster", "set", "armed=yes", "--what-if").out == "n2 would be fenced\n"
    assert fake.arguments("cluster.would_set") == {"values": {"armed": "yes"}}


def test_the_storm_guard_is_let_go_by_command(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["cluster.release"] = Result("the storm guard counts anew")
    assert outlast("cluster", "release").out == "the storm guard counts anew\n"


def test_what_everybody_must_be_told_stands_beside_every_answer_once_and_disturbs_no_script(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.notice = "The cluster is not armed"
    fake.answers |= {"node.list": Result([healthy.node()]), "node.drain": Result("x"), "node.wait": Stream([EMPTY])}
    ended = outlast("node", "list")
    assert ended.err == "! The cluster is not armed\n"
    assert "not armed" not in ended.out
    assert outlast("node", "drain", "n1").err.count("not armed") == 1
    for arguments in (("node", "list", "--json"), ("--json", "node", "list")):
        ended = outlast(*arguments)
        assert ended.err == "! The cluster is not armed\n"
        assert json.loads(ended.out)[0]["name"] == "n1"


def test_a_script_that_asks_for_the_whole_is_told_too_and_people_find_it_among_the_alarms(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.notice = "The cluster is not armed"
    fake.answers["status"] = Result(healthy.status(armed=False))
    ended = outlast("status", "--json")
    assert ended.err == "! The cluster is not armed\n"
    assert json.loads(ended.out)["armed"] is False
    assert outlast("status").err == ""
