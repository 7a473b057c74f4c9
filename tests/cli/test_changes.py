"""Commands that change something: what they ask for, how they wait, and how they end."""

import json
from pathlib import Path

import healthy
import pytest

from command_line import Outlast
from fake_service import FakeService, Refusal, Result, Stream
from outlast.model.answers import Foretold

pytest_plugins = ("cli_fixtures",)

STARTING = healthy.group(state="online pending", settled=False, why="")
OFF = healthy.group(state="offline", wanted="offline", owner="n1")


@pytest.mark.parametrize(
    ("arguments", "verb", "asked", "ends"),
    [
        (("vm", "start", "web"), "group.online", {"name": "g", "resource": "web"}, healthy.group()),
        (("vm", "stop", "web"), "group.offline", {"name": "g", "stop": "turn_off"}, OFF),
        (("vm", "shutdown", "web"), "group.offline", {"name": "g", "stop": "shutdown"}, OFF),
        (
            ("vm", "start", "web", "--discard-saved-state"),
            "group.online",
            {"name": "g", "resource": "web", "discard_saved": True},
            healthy.group(),
        ),
        (("group", "online", "g"), "group.online", {"name": "g"}, healthy.group()),
        (("vm", "save", "web"), "group.offline", {"name": "g", "stop": "save"}, OFF),
        (("group", "offline", "g"), "group.offline", {"name": "g", "stop": None}, OFF),
        (("group", "offline", "g", "--how", "save"), "group.offline", {"name": "g", "stop": "save"}, OFF),
        (("group", "offline", "g", "--turn-off"), "group.offline", {"name": "g", "stop": "turn_off"}, OFF),
    ],
)
def test_the_vm_verbs_are_wishes_for_its_group(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], verb: str, asked: object, ends: object
) -> None:
    fake.answers |= {"vm.group": Result("g"), verb: Result(STARTING), "group.wait": Stream([STARTING, ends])}
    ended = outlast(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert fake.arguments(verb) == asked


def test_the_end_says_what_happened_and_where(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {
        "vm.group": Result("web"),
        "group.online": Result(STARTING),
        "group.wait": Stream([STARTING, healthy.group(owner="n3")]),
    }
    assert outlast("vm", "start", "web").out.startswith("web is online on n3 after ")
    assert json.loads(outlast("vm", "start", "web", "--json").out)["owner"] == "n3"


def test_wait_0_asks_and_does_not_wait(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"vm.group": Result("web"), "group.online": Result(STARTING)}
    ended = outlast("vm", "start", "web", "--wait", "0")
    assert ended.code == 0
    assert ended.out == "asked the cluster to bring web online; it is online pending on n1 now\n"
    assert "group.wait" not in fake.verbs()


def test_a_wait_that_runs_out_is_not_possible_now_and_says_how_far_it_is(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"group.online": Result(STARTING), "group.wait": Stream([STARTING])}
    ended = outlast("group", "online", "web", "--wait", "2.5")
    assert (ended.code, ended.out) == (3, "")
    assert "not done within 2.5 s; it is online pending on n1. The cluster goes on with it" in ended.err
    assert fake.arguments("group.wait")["timeout_s"] <= 2.5


def test_without_a_limit_it_is_asked_again_until_it_has_settled(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"group.online": Result(STARTING), "group.wait": Stream([STARTING])}

    class InTheEnd(dict[str, object]):
        def get(self, verb: str, default: object = None) -> object:
            if verb == "group.wait" and fake.verbs().count("group.wait") > 2:
                return Stream([healthy.group()])
            return super().get(verb, default)

    fake.answers = InTheEnd(fake.answers)  # type: ignore[assignment]
    assert outlast("group", "online", "web").code == 0
    assert fake.verbs().count("group.wait") == 3


def test_a_group_that_waits_for_what_may_never_come_is_not_waited_for_without_end(
    fake: FakeService, outlast: Outlast
) -> None:
    nowhere = healthy.group(state="offline", settled=False, why="waits for a node that can take it (n2: it is paused)")
    fake.answers |= {"group.online": Result(nowhere), "group.wait": Stream([nowhere])}
    ended = outlast("group", "online", "web")
    assert ended.code == 3
    assert (
        "cannot bring web online now: it is offline (waits for a node that can take it (n2: it is paused))" in ended.err
    )


def test_a_group_that_failed_in_the_end_has_failed(fake: FakeService, outlast: Outlast) -> None:
    failed = healthy.group(state="failed", why="waits for an administrator: it failed over 2 times")
    fake.answers |= {"group.online": Result(STARTING), "group.wait": Stream([failed])}
    ended = outlast("group", "online", "web")
    assert ended.code == 1
    expected = "cannot bring web online: it is failed on n1 (waits for an administrator: it failed over 2 times)"
    assert expected in ended.err


def test_a_move_ends_where_it_was_asked_to_go(fake: FakeService, outlast: Outlast) -> None:
    moving = healthy.group(move_to="n3", settled=False)
    fake.answers |= {
        "vm.group": Result("web"),
        "group.move": Result(moving),
        "group.wait": Stream([moving, healthy.group(owner="n3")]),
    }
    ended = outlast("vm", "move", "web", "--to", "n3", "--turn-off")
    assert fake.arguments("group.move") == {"name": "web", "to": "n3", "stop": "turn_off", "ignore_lock": False}
    assert ended.out.startswith("web moved from n1 to n3 after ")


def test_a_move_that_the_cluster_dropped_tells_why(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {
        "group.show": Result(healthy.group()),
        "group.move": Result(healthy.group(move_to="n3", settled=False)),
        "group.wait": Stream([healthy.group()]),
        "events": Result([healthy.event("intent", "web is not moved: it cannot move to n3: it is paused")]),
    }
    ended = outlast("group", "move", "web", "--to", "n3")
    assert ended.code == 3
    assert (
        "cannot move web to n3 now: it is online on n1 (web is not moved: it cannot move to n3: it is paused)"
        in ended.err
    )


def test_names_with_spaces_are_quoted_in_sentences(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"group.offline": Result(OFF), "group.wait": Stream([OFF]), "vm.group": Result("my web")}
    assert outlast("vm", "stop", "my web").out.startswith('"my web" is offline after ')


def test_protect_reads_the_definition_and_waits_until_the_vm_is_online(
    fake: FakeService, outlast: Outlast, tmp_path: Path
) -> None:
    xml = tmp_path / "web.xml"
    xml.write_text("<domain><name>wéb</name></domain>")
    fake.answers |= {
        "vm.protect": Result(healthy.report(nodes={"n1": (), "n2": ("it has no KVM",)})),
        "vm.group": Result("web"),
        "group.show": Result(STARTING),
        "group.wait": Stream([healthy.group()]),
    }
    ended = outlast("vm", "protect", "--xml", str(xml), "--preferred-owners", "n2, n1", "--failover-threshold", "4")
    asked = fake.arguments("vm.protect")
    assert asked["definition"] == xml.read_text()
    assert (asked["preferred_owners"], asked["failover_threshold"], asked["start"]) == (["n2", "n1"], 4, None)
    assert ended.lines() == [
        "web is protected; it is online on n1",
        "node  could run it  why",
        "n1    yes",
        "n2    no            it has no KVM",
    ]


def test_protect_what_if_changes_and_waits_for_nothing(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["vm.protect"] = Result(healthy.report(done=False, owner="n1"))
    ended = outlast("vm", "protect", "web", "--what-if")
    assert fake.arguments("vm.protect")["what_if"] is True
    assert fake.verbs() == ["vm.protect"]
    assert ended.lines()[0] == "web would be protected; it would be online, on n1, where it runs. Nothing was changed."


def test_a_definition_that_is_no_text_is_refused_in_words(fake: FakeService, outlast: Outlast, tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_bytes(b"\xff\xfe\x00")
    ended = outlast("vm", "protect", "--xml", str(tmp_path / "x.xml"))
    assert (ended.code, fake.asked) == (2, [])
    assert "it is not UTF-8 text" in ended.err


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (
            ("vm", "move", "web", "--to", "n2"),
            {"name": "g", "verb": "move", "to": "n2", "stop": None, "ignore_lock": False},
        ),
        (("vm", "start", "web"), {"name": "g", "verb": "online"}),
        (("vm", "stop", "web"), {"name": "g", "verb": "offline", "stop": "turn_off"}),
        (("vm", "shutdown", "web"), {"name": "g", "verb": "offline", "stop": "shutdown"}),
    ],
)
def test_what_if_asks_what_a_wish_for_the_vm_s_group_would_do(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], asked: object
) -> None:
    fake.answers |= {
        "vm.group": Result("g"),
        "group.would": Result(Foretold("web", "web would move from n1 to n2", "n2")),
    }
    ended = outlast(*arguments, "--what-if")
    assert (ended.code, ended.out) == (0, "web would move from n1 to n2. Nothing was changed.\n")
    assert fake.arguments("group.would") == asked
    assert "group.move" not in fake.verbs()


def test_what_if_of_something_impossible_is_not_possible_now(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {
        "vm.group": Result("web"),
        "group.would": Refusal("impossible", "no other node can take web: n2: it is paused"),
    }
    ended = outlast("vm", "move", "web", "--what-if")
    assert ended.code == 3
    assert "no other node can take web: n2: it is paused" in ended.err


def test_a_word_on_a_node_s_death_takes_a_terminal_or_yes(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {
        "node.show": Result(healthy.node("n2", state="silent")),
        "group.list": Result([healthy.group(owner="n2", state="unknown", settled=False), healthy.group("db")]),
        "node.confirm_down": Result("n2 is taken for dead"),
        "group.wait": Stream([healthy.group(owner="n3")]),
    }
    refused = outlast("node", "confirm-down", "n2")
    assert refused.code == 2
    assert "add --yes" in refused.err
    assert "node.confirm_down" not in fake.verbs()
    ended = outlast("node", "confirm-down", "n2", "--yes")
    assert ended.code == 0
    assert ended.lines()[0] == "n2 is taken for dead"
    assert ended.lines()[1].startswith("web is online on n3 after ")
    assert len(ended.lines()) == 2


def test_nobody_is_asked_whether_a_living_node_is_off(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"node.show": Result(healthy.node("n2")), "status": Result(healthy.status())}
    ended = outlast("node", "confirm-down", "n2", "--yes")
    assert (ended.code, fake.verbs()) == (3, ["node.show", "status"])
    assert "cannot confirm that n2 is off: it is up, not silent" in ended.err


def test_who_has_no_session_does_not_call_another_node_up(fake: FakeService, outlast: Outlast) -> None:
    alone = healthy.status(session="the cluster database does not answer")
    fake.answers |= {"node.show": Result(healthy.node("n2")), "status": Result(alone)}
    ended = outlast("node", "confirm-down", "n2", "--yes")
    assert ended.code == 3
    assert "cannot confirm that n2 is off: n1 has no session: the cluster database does not answer" in ended.err


def test_a_death_that_is_none_is_refused_before_anything_is_asked(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["node.show"] = Refusal("usage", 'there is no node "n9"')
    assert outlast("node", "confirm-down", "n9").code == 2
    assert fake.verbs() == ["node.show"]
