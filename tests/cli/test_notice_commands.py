"""outlast notice: rules are made, shown and tried; what is secret stands in no command line and no answer."""

import io
from typing import Any

import msgspec
import pytest

from command_line import Outlast
from fake_service import FakeService, Refusal, Result
from outlast.model.notice_answers import NoticeAdded, NoticeRow, NoticeTest

pytest_plugins = ("cli_fixtures",)


def row(**changes: Any) -> NoticeRow:
    found = NoticeRow(
        name="ops",
        way="webhook",
        place="https://alerts.example/...",
        severity="critical",
        kinds=(),
        groups=(),
        nodes=(),
        per_minute=10,
        enabled=True,
        parameters={"url": "***", "secret": "***"},
        sent=0,
        sent_at_s=0.0,
        problem="",
        problem_since_s=0.0,
    )
    return msgspec.structs.replace(found, **changes)


TEST = NoticeTest("ops", "n1", answer="200 OK: noted")


def test_what_is_set_and_what_its_way_needs_are_told_apart(
    outlast: Outlast, fake: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("sixteen letters!\n"))
    fake.answers["notice.add"] = Result(NoticeAdded(row(), TEST))
    words = ("url=https://alerts.example/a?b=c", "secret=-", "severity=critical", "groups=web,db")
    ended = outlast("notice", "add", "ops", "webhook", *words)
    assert ended.code == 0
    assert fake.arguments("notice.add") == {
        "name": "ops",
        "way": "webhook",
        "untested": False,
        "parameters": {"url": "https://alerts.example/a?b=c", "secret": "sixteen letters!"},
        "values": {"severity": "critical", "groups": "web,db"},
    }
    assert "The receiver has taken a test of n1: 200 OK: noted" in ended.out


@pytest.mark.parametrize("name", ["secret", "password", "bearer"])
def test_a_secret_does_not_belong_in_a_command_line(outlast: Outlast, fake: FakeService, name: str) -> None:
    ended = outlast("notice", "set", "ops", f"{name}=sixteen letters!")
    assert (ended.code, fake.asked) == (2, [])
    assert f"{name}=-" in ended.err
    assert "sixteen" not in ended.err


def test_the_list_says_whose_receiver_takes_nothing_and_why(outlast: Outlast, fake: FakeService) -> None:
    failing = row(name="pager", problem="it answered 410 Gone", problem_since_s=1_790_000_000.0)
    fake.answers["notice.list"] = Result([row(kinds=("failed",), groups=("web",), sent=3), failing])
    lines = outlast("notice", "list", width=200).lines()
    assert lines[1].split()[:5] == ["ops", "webhook", "https://alerts.example/...", "critical", "web"]
    assert lines[2].endswith("takes none since 2026-09-21 14:13:20.000: it answered 410 Gone")


def test_a_test_that_is_not_taken_fails_with_the_receivers_words(outlast: Outlast, fake: FakeService) -> None:
    fake.answers["notice.test"] = Result(TEST)
    assert outlast("notice", "test", "ops").code == 0
    fake.answers["notice.test"] = Result(NoticeTest("ops", "n1", problem="it answered 401 Unauthorized"))
    ended = outlast("notice", "test", "ops")
    assert (ended.code, "401 Unauthorized" in ended.err) == (1, True)


def test_a_rule_is_shown_and_deleted(outlast: Outlast, fake: FakeService) -> None:
    fake.answers |= {"notice.show": Result(row()), "notice.delete": Result("the notice rule ops is deleted")}
    shown = outlast("notice", "show", "ops").out
    assert "critical" in shown
    assert "none yet" in shown
    assert outlast("notice", "delete", "ops").out == "the notice rule ops is deleted\n"
    fake.answers["notice.show"] = Refusal("usage", 'there is no notice rule "x"')
    assert outlast("notice", "show", "x").code == 2
