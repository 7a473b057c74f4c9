"""outlast resource: what is asked of the cluster, and how its answers look."""

import json
from pathlib import Path
from typing import Any

import healthy
import pytest

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.model.answers import Foretold, GroupRow, ResourceCreated

pytest_plugins = ("cli_fixtures",)


def files(**of_share: Any) -> GroupRow:
    """A group of which the resource `share` is as told."""
    share = healthy.resource("share", group="files", **of_share)
    return healthy.group("files", resources=("disk", "share"), members=(healthy.resource("disk"), share), settled=False)


def test_a_resource_is_created_with_its_settings_and_properties(
    fake: FakeService, outlast: Outlast, tmp_path: Path
) -> None:
    (tmp_path / "definition").write_text("as it is")
    row = healthy.resource("share", group="files", state="online pending")
    fake.answers["resource.create"] = Result(ResourceCreated(row, True, {"n1": "", "n2": "it is paused"}))
    ended = outlast(
        *("resource", "create", "share", "dummy", "files", "depends_on=disk and ip", "vcpus=2", "--no-start"),
        *("--property", "start_takes_s=1.5", "--property", "directory=/x", "--property", 'hang_in=["open"]'),
        *("--definition", str(tmp_path / "definition")),
    )
    assert ended.code == 0, ended.err
    assert fake.arguments("resource.create") == {
        "name": "share",
        "type": "dummy",
        "group": "files",
        "values": {"depends_on": "disk and ip", "vcpus": "2"},
        "properties": {"start_takes_s": 1.5, "directory": "/x", "hang_in": ["open"]},
        "definition": "as it is",
        "start": False,
        "what_if": False,
    }
    assert ended.lines() == [
        "share is created in files; it is online pending",
        "node  could run it  why",
        "n1    yes",
        "n2    no            it is paused",
    ]


def test_what_would_be_created_is_told_and_is_not(fake: FakeService, outlast: Outlast) -> None:
    row = healthy.resource("share", group="files")
    fake.answers["resource.create"] = Result(ResourceCreated(row, False, {"n1": ""}))
    ended = outlast("resource", "create", "share", "dummy", "files", "--what-if")
    assert ended.lines()[0] == "share would be created in files. Nothing was changed."
    assert fake.arguments("resource.create")["what_if"] is True


@pytest.mark.parametrize(
    ("arguments", "verb", "asked"),
    [
        (("set", "web", "restart_threshold=3"), "resource.set", {"name": "web", "values": {"restart_threshold": "3"}}),
        (
            ("set", "web", "--property", "directory=", "--property", "start_takes_s=2"),
            "resource.set",
            {"name": "web", "values": {}, "properties": {"directory": None, "start_takes_s": 2}},
        ),
        (
            ("maintenance", "web", "on", "--why", "new disks"),
            "resource.maintenance",
            {"name": "web", "on": True, "why": "new disks"},
        ),
    ],
)
def test_what_is_set_goes_to_the_cluster_as_it_was_written(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], verb: str, asked: object
) -> None:
    fake.answers[verb] = Result(healthy.resource())
    ended = outlast("resource", *arguments)
    assert (ended.code, ended.err, fake.arguments(verb)) == (0, "", asked)


@pytest.mark.parametrize(
    ("verb", "state", "done"),
    [("online", "online", "share is online on n1 after "), ("offline", "offline", "share is offline after ")],
)
def test_a_resource_is_waited_for_and_not_the_whole_of_its_group(
    fake: FakeService, outlast: Outlast, verb: str, state: str, done: str
) -> None:
    ended_as = files(state=state)
    fake.answers |= {
        f"resource.{verb}": Result(files(state=f"{verb} pending", settled=False)),
        "resource.wait": Stream([files(state=f"{verb} pending", settled=False), ended_as]),
    }
    ended = outlast("resource", verb, "share")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(done)
    assert fake.arguments("resource.wait")["name"] == "share"
    told = outlast("resource", verb, "share", "--wait", "0").out
    assert told.endswith(f"it is {verb} pending on n1 now\n")


def test_one_that_cannot_come_online_says_why_it_does_not(fake: FakeService, outlast: Outlast) -> None:
    failed = files(state="failed", why="the address is taken")
    fake.answers |= {"resource.online": Result(files(state="online pending")), "resource.wait": Stream([failed])}
    ended = outlast("resource", "online", "share")
    assert ended.code == 1
    assert "cannot bring share online: it is failed on n1 (the address is taken)" in ended.err


@pytest.mark.parametrize(("state", "why"), [("online", ""), ("failed", "an administrator on n1 had it fail")])
def test_a_failure_that_was_asked_for_is_no_failure_of_the_command(
    fake: FakeService, outlast: Outlast, state: str, why: str
) -> None:
    going = files(state="offline pending", settled=False)
    fake.answers |= {"resource.fail": Result(going), "resource.wait": Stream([going, files(state=state, why=why)])}
    ended = outlast("resource", "fail", "share")
    assert ended.code == 0
    assert ended.out.startswith(f"share has failed; it is {state} on n1")
    assert json.loads(outlast("resource", "fail", "share", "--json").out)["name"] == "files"
    assert outlast("resource", "fail", "share", "--wait", "0").out.endswith("it is offline pending on n1 now\n")


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("online", "web"), {"name": "web", "verb": "online"}),
        (("offline", "web", "--turn-off"), {"name": "web", "verb": "offline", "stop": "turn_off"}),
        (("fail", "web"), {"name": "web", "verb": "fail"}),
    ],
)
def test_what_if_asks_what_a_word_would_do(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], asked: object
) -> None:
    fake.answers["resource.would"] = Result(Foretold("web", "web would be terminated on n1"))
    ended = outlast("resource", *arguments, "--what-if")
    assert (ended.code, ended.out) == (0, "web would be terminated on n1. Nothing was changed.\n")
    assert (fake.verbs(), fake.arguments("resource.would")) == (["resource.would"], asked)


def test_what_is_deleted_is_told(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["resource.delete"] = Result(Foretold("share", "share was deleted from files", what_if=False))
    assert outlast("resource", "delete", "share").out == "share was deleted from files\n"
    assert fake.arguments("resource.delete") == {"name": "share", "what_if": False}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "its group moves to another node"),
        ({"restart_action": "restart"}, "it stays failed here"),
        ({"restart_action": "nothing", "restart_threshold": 3}, "it stays failed here"),
        (
            {"restart_threshold": 3},
            "it is restarted here 0.5 s later, up to 3 times within 900 s; then its group moves to another node",
        ),
        (
            {"restart_action": "restart", "restart_threshold": 1, "restart_period_s": 60.0, "restart_delay_s": 2.0},
            "it is restarted here 2 s later, once within 60 s; then it stays failed here",
        ),
    ],
)
def test_what_becomes_of_a_resource_that_fails_is_told_in_a_sentence(
    fake: FakeService, outlast: Outlast, settings: dict[str, Any], words: str
) -> None:
    fake.answers["resource.show"] = Result(healthy.resource(**settings))
    line = next(line for line in outlast("resource", "show", "web").lines() if line.startswith("when it fails"))
    assert line.removeprefix("when it fails").strip() == words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "it stays off"),
        ({"on_console_stop": "restart", "on_guest_shutdown": "restart"}, "it is brought online again"),
        (
            {"on_console_stop": "restart"},
            "it stays off if its guest shut down; it is brought online again if it was stopped at the host's console",
        ),
        (
            {"on_guest_shutdown": "restart"},
            "it is brought online again if its guest shut down; it stays off if it was stopped at the host's console",
        ),
    ],
)
def test_what_becomes_of_a_resource_that_is_stopped_past_the_cluster_is_told_in_a_sentence(
    fake: FakeService, outlast: Outlast, settings: dict[str, Any], words: str
) -> None:
    fake.answers["resource.show"] = Result(healthy.resource(**settings))
    line = next(line for line in outlast("resource", "show", "web").lines() if line.startswith("when stopped"))
    assert line.removeprefix("when stopped").strip() == words


def test_all_that_was_set_of_a_resource_is_shown(fake: FakeService, outlast: Outlast) -> None:
    row = healthy.resource(
        depends_on="disk and ip",
        wanted="offline",
        looks_alive_interval_s=1.0,
        deadlock_timeout_s=60.0,
        separate_host=True,
        maintenance="new disks",
        memory_mib=512,
        vcpus=2,
        properties={"directory": "/x"},
    )
    fake.answers["resource.show"] = Result(row)
    out = " ".join(outlast("resource", "show", "web").out.split())
    for words in (
        "needs disk and ip",
        "wanted offline",
        "asked if alive every 5 s, cheaply every 1 s",
        "a call hangs after 60 s without progress",
        "host process of its own",
        "maintenance new disks",
        "size 512 MiB, 2 vCPU",
        "properties directory=/x",
    ):
        assert words in out
