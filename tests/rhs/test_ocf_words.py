"""What an OCF agent says about itself and by its exit codes, and what is wrong with a resource's properties."""

from pathlib import Path

import pytest

from outlast.plugin import Condition, Health, Json
from outlast.resources.ocf.acting import reason
from outlast.resources.ocf.exit_codes import MEANINGS, health, meaning
from outlast.resources.ocf.metadata import parse, seconds
from outlast.resources.ocf.refused import why_not
from outlast.resources.ocf.settings import OURS, problems, read
from outlast.resources.programs import Ended

DESCRIPTION = b"""<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="thing" version="1.0">
<version>1.0</version>
<shortdesc lang="en">Manages
 a thing</shortdesc>
<parameters>
<parameter name="port" required="1"><shortdesc>Where it listens</shortdesc><content type="integer"/></parameter>
<parameter name="path" required="1"><content type="string" default="/etc/thing"/></parameter>
<parameter name="verbose"><content type="boolean" default="false"/></parameter>
</parameters>
<actions>
<action name="start" timeout="40s"/><action name="stop" timeout="2min"/>
<action name="monitor" timeout="20" depth="0"/><action name="monitor" timeout="45" depth="10"/>
<action name="meta-data" timeout="5s"/>
</actions>
</resource-agent>
"""
THING = parse("acme", "thing", DESCRIPTION)


@pytest.mark.parametrize(
    ("code", "started", "condition", "running"),
    [
        (0, True, Condition.ONLINE, True),
        (0, False, Condition.ONLINE, True),
        (1, True, Condition.FAILED, True),
        (1, False, Condition.UNKNOWN, False),
        (2, True, Condition.FAILED, True),
        (2, False, Condition.OFFLINE, False),
        (3, True, Condition.UNKNOWN, True),
        (4, True, Condition.UNKNOWN, True),
        (5, True, Condition.FAILED, True),
        (5, False, Condition.OFFLINE, False),
        (6, False, Condition.OFFLINE, False),
        (7, True, Condition.FAILED, False),
        (7, False, Condition.OFFLINE, False),
        (9, True, Condition.FAILED, True),
        (190, True, Condition.ONLINE, True),
        (42, True, Condition.UNKNOWN, True),
        (-9, True, Condition.UNKNOWN, True),
        (-9, False, Condition.UNKNOWN, False),
    ],
)
def test_what_an_exit_code_of_monitor_amounts_to(code: int, started: bool, condition: Condition, running: bool) -> None:
    found = health(code, "", started=started)
    assert (found.condition, found.running) == (condition, running)


def test_nothing_is_called_offline_or_ended_without_a_code_that_says_so() -> None:
    sure = {code for code in (*MEANINGS, 42, 137, -15) if meaning(code).gone}
    assert sure == {5, 7}
    assert {code for code in MEANINGS if not health(code, "", started=True).running} == {7}


def test_the_agents_reason_and_what_its_code_means_stand_beside_each_other() -> None:
    found = health(1, "port 80 is taken", started=True)
    assert found == Health(Condition.FAILED, "port 80 is taken (it does not serve, exit code 1)", running=True)
    assert health(-9, "", started=True).why == "it was ended by signal 9"


def test_the_reason_is_the_agents_own_before_the_last_line_that_it_wrote() -> None:
    errors = "Nov 30 22:36:57 ERROR: first\nocf-exit-reason:no such device\nNov 30 22:36:57 ERROR: last"
    assert reason(Ended(1, b"", errors)) == "no such device"
    assert reason(Ended(1, b"", "Nov 30 22:36:57 ERROR: last\n")) == "ERROR: last"
    assert reason(Ended(0, b"chatter", "")) == ""


def test_meta_data_become_parameters_and_the_longest_advised_time_of_each_action() -> None:
    assert THING.full_name == "acme:thing"
    assert THING.words == "Manages a thing"
    assert dict(THING.timeouts_s) == {"start": 40, "stop": 120, "monitor": 45, "meta-data": 5}
    assert THING.timeout_s("reload") == 20
    assert THING.parameters["port"].required
    assert not THING.promotable


@pytest.mark.parametrize(("text", "expected"), [("20", 20), ("20s", 20), ("1min", 60), ("500ms", 0.5), ("soon", 20)])
def test_times_of_meta_data(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("document", [b"", b"usage: thing {start|stop}", b"<html/>"])
def test_what_is_no_meta_data_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match="does not describe itself"):
        parse("acme", "thing", document)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"port": 80}, ()),
        ({"port": "80", "verbose": True, "check_level": 10, "stop_timeout_s": 7.5}, ()),
        ({}, ("thing needs port (Where it listens)",)),
        ({"port": "http"}, ('port cannot be "http": it takes a whole number',)),
        ({"port": 80, "prot": 81}, ("thing has no parameter prot; did you mean port?",)),
        ({"port": 80, "verbose": "perhaps"}, ('verbose cannot be "perhaps": it takes yes or no',)),
    ],
)
def test_parameters_are_checked_by_what_the_agent_says_of_them(
    properties: dict[str, Json], words: tuple[str, ...]
) -> None:
    assert problems(read({"agent": "acme:thing", **properties}), THING) == words


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "agent is missing"),
        ({"agent": "../../bin/sh"}, "agent cannot be"),
        ({"agent": "thing", "check_level": "deep"}, "check_level cannot be"),
        ({"agent": "thing", "start_timeout_s": 0}, "start_timeout_s cannot be"),
        ({"agent": "thing", "port": [1]}, "port cannot be a list"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(properties: dict[str, Json], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(properties)


def test_heartbeat_is_the_provider_when_none_is_named() -> None:
    assert read({"agent": "IPaddr2"}).agent == "heartbeat:IPaddr2"
    assert read({"agent": "ocf:heartbeat:IPaddr2"}).agent == "heartbeat:IPaddr2"


def test_agents_for_several_nodes_those_of_pacemaker_and_those_that_lie_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent"
    file.write_text("#!/bin/sh\n")
    assert why_not(THING, file) == ""
    promotable = parse("acme", "thing", DESCRIPTION.replace(b'name="start"', b'name="promote"'))
    assert "one of them promoted" in why_not(promotable, file)
    for name, word in (("ClusterMon", "crm_mon"), ("VirtualDomain", "use the type vm"), ("ipsec", "tunnel")):
        assert word in why_not(parse("heartbeat", name, DESCRIPTION), file)
    file.write_text('#!/bin/sh\n${HA_SBIN_DIR}/attrd_updater -n "$1" -v 1\n')
    assert "attrd_updater of Pacemaker" in why_not(THING, file)


def test_none_of_our_names_is_one_that_an_agent_of_debian_uses_for_a_parameter() -> None:
    from outlast.resources.ocf.acting import describe, installed

    agents = [describe(name) for name in installed()]
    if not agents:
        pytest.skip("Debian's package resource-agents is not installed")
    assert {parameter for agent in agents for parameter in agent.parameters} & set(OURS) == set()
