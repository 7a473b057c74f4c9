"""outlast fence, validate and node fence: what they ask for, what they refuse, what people read."""

import io
import json
from typing import Any

import healthy
import msgspec
import pytest

from command_line import Outlast
from fake_service import FakeService, Refusal, Result
from outlast.model.answers import Finding, NodeFenced
from outlast.model.fence import FenceAgent, FenceParameter
from outlast.model.fence_answers import FenceAdded, FenceAgentRow, FenceDeviceRow, FenceTest

pytest_plugins = ("cli_fixtures",)

PASSWORD = "for few only"
ROW = FenceDeviceRow("n2", "board", "fence_ipmilan", 1, {"ip": "192.0.2.12", "password": "***"}, 20.0, 0.0, 2, False)
WELL = FenceTest("n2", "board", "fence_ipmilan", 1, power="on")
DEAD = msgspec.structs.replace(WELL, power="", problem="it did not say within 20 s whether n2 is on or off")


def given(fake: FakeService, verb: str, value: Any) -> None:
    fake.answers[verb] = Result(msgspec.to_builtins(value))


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_secret_is_read_from_standard_input_and_not_from_the_command_line(
    fake: FakeService, outlast: Outlast, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(fake, "fence.add", FenceAdded(ROW, WELL))
    typed(monkeypatch, f"{PASSWORD}\n")
    ended = outlast(
        "fence", "add", "n2", "fence_ipmilan", "ip=192.0.2.12", "password=-", "--name", "board", "--level", "2"
    )
    assert (ended.code, ended.err) == (0, "")
    assert fake.arguments("fence.add") == {
        "node": "n2",
        "agent": "fence_ipmilan",
        "device": "board",
        "parameters": {"ip": "192.0.2.12", "password": PASSWORD},
        "level": 2,
        "untested": False,
    }
    assert PASSWORD not in ended.out
    assert "board answers: n2 is on" in ended.out


def test_a_secret_in_the_command_line_is_refused_and_not_repeated(fake: FakeService, outlast: Outlast) -> None:
    ended = outlast("fence", "add", "n2", "fence_ipmilan", f"password={PASSWORD}")
    assert ended.code == 2
    assert "write password=-" in ended.err
    assert PASSWORD not in ended.err
    assert fake.verbs() == []


@pytest.mark.parametrize("words", ["ip", "=192.0.2.12"])
def test_what_is_no_parameter_is_refused(fake: FakeService, outlast: Outlast, words: str) -> None:
    ended = outlast("fence", "add", "n2", "fence_ipmilan", words)
    assert ended.code == 2
    assert "KEY=VALUE" in ended.err


def test_a_device_that_does_not_answer_is_taken_only_untested_and_that_is_told(
    fake: FakeService, outlast: Outlast
) -> None:
    fake.answers["fence.add"] = Refusal("failed", "nothing was changed: board of n2 would not work")
    assert outlast("fence", "add", "n2", "fence_ipmilan", "ip=192.0.2.12").code == 1
    given(fake, "fence.add", FenceAdded(ROW, DEAD))
    ended = outlast("fence", "add", "n2", "fence_ipmilan", "ip=192.0.2.12", "--untested")
    assert fake.arguments("fence.add")["untested"] is True
    assert ended.code == 0
    assert "board does not work yet: it did not say within 20 s" in ended.out
    assert "outlast fence test n2" in ended.out


def test_a_change_asks_only_for_what_is_given(fake: FakeService, outlast: Outlast) -> None:
    given(fake, "fence.set", FenceAdded(ROW, WELL))
    assert outlast("fence", "set", "n2", "board", "cipher=", "--timeout-s", "5").code == 0
    assert fake.arguments("fence.set") == {
        "node": "n2",
        "device": "board",
        "parameters": {"cipher": ""},
        "timeout_s": 5.0,
        "untested": False,
    }


def test_the_devices_are_listed_in_the_order_in_which_they_are_tried_without_their_secrets(
    fake: FakeService, outlast: Outlast
) -> None:
    strip = msgspec.structs.replace(ROW, device="strip", level=2)
    given(fake, "fence.list", [strip, ROW])
    lines = outlast("fence", "list").lines()
    assert [line.split()[:2] for line in lines[1:]] == [["n2", "board"], ["n2", "strip"]]
    assert "password=***" in lines[1]


def test_a_device_that_is_never_used_is_listed_and_shown_with_the_reason(fake: FakeService, outlast: Outlast) -> None:
    why = "fence_brocade does not cut a node's power"
    port = msgspec.structs.replace(ROW, device="port", agent="fence_brocade", no_proof=why)
    given(fake, "fence.list", [ROW, port])
    told = " ".join(outlast("fence", "list").out.split())
    assert told.count("never used:") == 1
    assert f"never used: {why}" in told
    given(fake, "fence.show", port)
    assert why in " ".join(outlast("fence", "show", "n2", "port").out.split())


def test_what_to_make_sure_of_is_said_when_an_unknown_agent_is_added(fake: FakeService, outlast: Outlast) -> None:
    doubt = "Outlast does not know fence_ours and takes it for one that cuts the power"
    given(fake, "fence.add", FenceAdded(ROW, WELL, doubt))
    assert doubt in " ".join(outlast("fence", "add", "n2", "fence_ours", "plug=2").out.split())


def test_a_test_fails_when_one_device_would_not_work(fake: FakeService, outlast: Outlast) -> None:
    given(fake, "fence.test", [WELL])
    assert outlast("fence", "test").code == 0
    given(fake, "fence.test", [WELL, DEAD])
    ended = outlast("fence", "test")
    assert ended.code == 1
    assert "not all fence devices would work: board of n2" in ended.err
    assert "within 20 s whether n2 is on" in ended.out


def test_agents_and_what_they_take_are_shown_for_people_and_scripts(fake: FakeService, outlast: Outlast) -> None:
    given(
        fake,
        "fence.agents",
        [
            FenceAgentRow("fence_ipmilan", "Fence agent for IPMI", ""),
            FenceAgentRow("fence_x", "", "it does not describe itself"),
        ],
    )
    told = outlast("fence", "agents").out
    assert "Fence agent for IPMI" in told
    assert "it does not describe itself" in told
    parameters = (
        FenceParameter("ip", required=True, words="Its address"),
        FenceParameter("passwd", deprecated=True),
        FenceParameter("method", choices=("onoff", "cycle"), default="onoff"),
        FenceParameter("action", required=True),
    )
    given(fake, "fence.describe", FenceAgent("fence_ipmilan", "Fence agent for IPMI", "", parameters))
    told = outlast("fence", "describe", "fence_ipmilan").out
    assert "text (needed)" in told
    assert "onoff | cycle" in told
    assert "passwd" not in told, "there is a newer name"
    assert "action" not in told, "nobody may set it"
    assert json.loads(outlast("fence", "describe", "fence_ipmilan", "--json").out)["name"] == "fence_ipmilan"


def test_validate_says_what_it_means_and_what_helps_and_fails_only_for_what_is_grave(
    fake: FakeService, outlast: Outlast
) -> None:
    light = Finding("n1", False, "one way only", "it may wait", "a second level")
    given(fake, "validate", [light])
    ended = outlast("validate")
    assert ended.code == 0
    assert "What helps: a second level" in ended.out
    given(fake, "validate", [light, msgspec.structs.replace(light, about="n2", grave=True)])
    ended = outlast("validate")
    assert ended.code == 1
    assert "would not work when it is needed: n2" in ended.err
    given(fake, "validate", [])
    assert "Nothing was found" in outlast("validate").out


def test_a_living_node_is_fenced_only_when_somebody_means_it(fake: FakeService, outlast: Outlast) -> None:
    given(fake, "node.show", healthy.node("n2"))
    given(fake, "group.list", [healthy.group(owner="n2")])
    ended = outlast("node", "fence", "n2")
    assert ended.code == 2
    assert "if you mean it, add --yes" in ended.err
    assert "node.fence" not in fake.verbs()
    given(fake, "node.fence", NodeFenced("n2", "n2 is dead: board confirmed: n2 is off", ("web",)))
    ended = outlast("node", "fence", "n2", "--yes", "--stay-off")
    assert ended.code == 0
    assert fake.arguments("node.fence") == {"name": "n2", "alive": True, "stay_off": True}
    assert "starts elsewhere: web" in ended.out


def test_status_tells_first_what_waits_for_proof_and_what_would_help(fake: FakeService, outlast: Outlast) -> None:
    words = "n3 is silent, and web may still run there, so it is started nowhere. Needed is proof that n3 is dead: ..."
    fake.answers["status"] = Result(msgspec.to_builtins(msgspec.structs.replace(healthy.status(), alarms=(words,))))
    lines = outlast("status").lines()
    assert lines[2] == f"! {words}"


def test_what_validate_finds_of_several_nodes_is_said_once_and_in_json_of_each(
    fake: FakeService, outlast: Outlast
) -> None:
    def bare(node: str) -> Finding:
        return Finding(
            node, True, "nothing proves its death", f"it waits for `confirm-down {node}`", f"add {node} AGENT"
        )

    other = Finding("n3", False, "one way only", "it may wait", "a second level")
    given(fake, "validate", [bare("n1"), other, bare("n2")])
    assert outlast("validate").lines() == [
        "n1, n2: nothing proves its death",
        "    It means: it waits for `confirm-down NODE`",
        "    What helps: add NODE AGENT",
        "n3: one way only",
        "    It means: it may wait",
        "    What helps: a second level",
    ]
    assert len(json.loads(outlast("validate", "--json").out)) == 3
