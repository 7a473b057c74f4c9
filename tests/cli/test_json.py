"""What scripts see: `--json` prints the fields of the answers as they are."""

import json
import logging
from typing import Any

import healthy
import msgspec
import pytest
import structlog

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.model.type_answers import TypeDetail
from outlast.service.entry import log_to_stderr

pytest_plugins = ("cli_fixtures",)

LOOKING: list[tuple[tuple[str, ...], str, Any]] = [
    (("status",), "status", healthy.status()),
    (("node", "list"), "node.list", [healthy.node()]),
    (("node", "show", "n1"), "node.show", healthy.node()),
    (("vm", "list"), "vm.list", [healthy.vm()]),
    (("vm", "show", "web"), "vm.show", healthy.detail()),
    (("group", "list"), "group.list", [healthy.group()]),
    (("group", "show", "web"), "group.show", healthy.group()),
    (("resource", "list"), "resource.list", [healthy.resource()]),
    (("resource", "show", "web"), "resource.show", healthy.resource()),
    (("resource-type", "list"), "type.list", [healthy.offer()]),
    (("resource-type", "verify"), "type.verify", [healthy.offer()]),
    (("resource-type", "show", "vm"), "type.show", TypeDetail("vm", ("check",), (healthy.offer(),), ("web",))),
    (("cluster", "settings"), "cluster.settings", [healthy.setting()]),
    (("group", "settings", "web"), "group.settings", [healthy.setting()]),
    (("resource", "settings", "web"), "resource.settings", [healthy.setting()]),
    (("events",), "events", list(healthy.failover())),
    (("explain", "vm", "web"), "explain.vm", healthy.explanation()),
    (("explain", "group", "web"), "explain.group", healthy.explanation()),
    (("explain", "node", "n1"), "explain.node", healthy.explanation()),
    (("explain", "decision", "1"), "explain.replay", {"decided": "web goes to n2", "again": [], "inputs": {}}),
]


@pytest.mark.parametrize(("arguments", "verb", "answer"), LOOKING)
def test_json_is_the_answer_field_by_field(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], verb: str, answer: Any
) -> None:
    fake.answers[verb] = Result(answer)
    for form in (("--json", *arguments), (*arguments, "--json")):
        ended = outlast(*form, width=40)
        assert (ended.code, ended.err) == (0, "")
        assert json.loads(ended.out) == json.loads(msgspec.json.encode(answer))


@pytest.mark.parametrize(("arguments", "verb", "answer"), LOOKING)
def test_people_get_the_same_without_json(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], verb: str, answer: Any
) -> None:
    fake.answers[verb] = Result(answer)
    ended = outlast(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.strip()
    assert not ended.out.lstrip().startswith(("{", "["))


def test_everything_that_lists_vms_tells_scripts_what_is_protected_and_why_not(
    fake: FakeService, outlast: Outlast
) -> None:
    why: dict[str, Any] = {
        "protected": False,
        "protection": "not protected",
        "not_protected_because": ("there is no other node",),
        "at_risk_because": ("it is in maintenance",),
    }
    fake.answers |= {
        "status": Result(healthy.status(groups=(healthy.group(**why),), vms=(healthy.vm(**why),))),
        "vm.list": Result([healthy.vm(**why)]),
        "group.list": Result([healthy.group(**why)]),
        "resource.list": Result([healthy.resource(**why)]),
        "resource.show": Result(healthy.resource(**why)),
    }
    expected = {key: list(value) if isinstance(value, tuple) else value for key, value in why.items()}
    status = json.loads(outlast("status", "--json").out)
    listed = [json.loads(outlast(noun, "list", "--json").out)[0] for noun in ("vm", "group", "resource")]
    shown = json.loads(outlast("resource", "show", "web", "--json").out)
    for row in (status["groups"][0], status["vms"][0], *listed, shown):
        assert {key: row[key] for key in expected} == expected


def test_what_is_followed_is_one_document_a_line(fake: FakeService, outlast: Outlast) -> None:
    past, news = healthy.failover()[:2], healthy.failover()[1:]
    fake.answers |= {"events": Result(past), "events.follow": Stream(news)}
    lines = outlast("--json", "events", "--follow").out.splitlines()
    # What stood in the past already is not told twice.
    assert [json.loads(line)["kind"] for line in lines] == ["failed", "decided", "online-pending", "online"]


def test_the_version_needs_no_cluster(fake: FakeService, outlast: Outlast) -> None:
    assert set(json.loads(outlast("version", "--json").out)) == {"outlast", "python"}
    assert outlast("version").out.startswith("outlast ")
    assert fake.asked == []


def test_what_is_logged_meanwhile_is_no_part_of_the_one_document_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    try:
        for level in (logging.NOTSET, logging.CRITICAL):  # for people, and with --json
            log_to_stderr(level)
            structlog.get_logger().warning("etcd's version", why="has known faults", told_at=level)
    finally:
        structlog.configure(**before)
    told = capsys.readouterr().err
    assert "told_at=0" in told
    assert "told_at=50" not in told
