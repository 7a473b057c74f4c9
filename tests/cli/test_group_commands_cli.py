"""outlast group: what is asked of the cluster, and how its answers look."""

import json

import healthy
import pytest

from command_line import Outlast
from fake_service import FakeService, Refusal, Result
from outlast.model.answers import Foretold
from outlast.model.policy import StartAfter, Until

pytest_plugins = ("cli_fixtures",)


@pytest.mark.parametrize(
    ("arguments", "verb", "asked"),
    [
        (
            ("create", "new", "priority=high", "possible_owners=n1,n2"),
            "group.create",
            {"name": "new", "values": {"priority": "high", "possible_owners": "n1,n2"}, "what_if": False},
        ),
        (("set", "web", "failback_hours=22-6"), "group.set", {"name": "web", "values": {"failback_hours": "22-6"}}),
        (("set", "web", "start_after="), "group.set", {"name": "web", "values": {"start_after": ""}}),
        (("lock", "web", "--why", "backup"), "group.lock", {"name": "web", "why": "backup"}),
        (("unlock", "web"), "group.unlock", {"name": "web"}),
        (("maintenance", "web", "on"), "group.maintenance", {"name": "web", "on": True, "why": ""}),
        (("maintenance", "web", "off"), "group.maintenance", {"name": "web", "on": False, "why": ""}),
    ],
)
def test_what_is_set_goes_to_the_cluster_as_it_was_written(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], verb: str, asked: object
) -> None:
    fake.answers[verb] = Result(healthy.group())
    ended = outlast("group", *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert fake.arguments(verb) == asked
    in_json = outlast("group", *arguments, "--json")
    assert json.loads(in_json.out)["name"] == "web"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "web"), "nothing to set for web"),
        (("set", "web", "priority"), 'cannot use "priority": it takes KEY=VALUE'),
        (("set", "web", "=high"), 'cannot use "=high": it takes KEY=VALUE'),
        (("set", "web", "priority=high", "priority=low"), "priority is given twice"),
        (("maintenance", "web", "please"), 'cannot use "please": it takes on or off'),
    ],
)
def test_what_makes_no_sense_is_refused_without_asking_the_cluster(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], words: str
) -> None:
    ended = outlast("group", *arguments)
    assert (ended.code, fake.asked) == (2, [])
    assert words in ended.err


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("online", "web"), {"name": "web", "verb": "online"}),
        (("offline", "web", "--turn-off"), {"name": "web", "verb": "offline", "stop": "turn_off"}),
        (
            ("move", "web", "--to", "n2", "--ignore-lock"),
            {"name": "web", "verb": "move", "to": "n2", "stop": None, "ignore_lock": True},
        ),
    ],
)
def test_what_if_asks_what_a_word_would_do(
    fake: FakeService, outlast: Outlast, arguments: tuple[str, ...], asked: object
) -> None:
    fake.answers["group.would"] = Result(Foretold("web", "web would move from n1 to n2", "n2"))
    ended = outlast("group", *arguments, "--what-if")
    assert (ended.code, ended.out) == (0, "web would move from n1 to n2. Nothing was changed.\n")
    assert (fake.verbs(), fake.arguments("group.would")) == (["group.would"], asked)
    told = json.loads(outlast("group", *arguments, "--what-if", "--json").out)
    assert told == {"about": "web", "words": "web would move from n1 to n2", "to": "n2", "what_if": True}


def test_what_is_deleted_is_told_and_what_would_be_is_told_apart(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["group.delete"] = Result(Foretold("web", "web was deleted", what_if=False))
    assert outlast("group", "delete", "web", "--with-resources").out == "web was deleted\n"
    assert fake.arguments("group.delete") == {"name": "web", "with_resources": True, "what_if": False}
    fake.answers["group.delete"] = Result(Foretold("web", "web would be deleted"))
    assert outlast("group", "delete", "web", "--what-if").out == "web would be deleted. Nothing was changed.\n"
    fake.answers["group.delete"] = Refusal("impossible", "cannot delete the group web: db starts after it")
    ended = outlast("group", "delete", "web")
    assert (ended.code, "db starts after it" in ended.err) == (3, True)


def test_a_move_past_a_lock_is_asked_for_as_such(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {
        "vm.group": Result("web"),
        "group.move": Result(healthy.group(owner="n2")),
    }
    for noun in ("group", "vm"):
        assert outlast(noun, "move", "web", "--to", "n2", "--ignore-lock", "--wait", "0").code == 0
        assert fake.arguments("group.move")["ignore_lock"] is True


def test_a_group_is_shown_as_the_tree_of_what_its_resources_need(fake: FakeService, outlast: Outlast) -> None:
    members = (
        healthy.resource("disk", type="dummy"),
        healthy.resource("ip", type="dummy", state="failed", why="the address is taken"),
        healthy.resource("share", type="dummy", depends_on="disk and ip"),
        healthy.resource("report", type="dummy", state="offline", wanted="offline", depends_on="share or disk"),
        healthy.resource("extra", type="dummy", maintenance="new disks"),
    )
    fake.answers["group.show"] = Result(healthy.group("files", members=members, state="failed"))
    lines = outlast("group", "show", "files").lines()
    at = lines.index("Resources, each above what it needs")
    assert lines[at + 1 :] == [
        "resource    type   state    needs          why",
        "report      dummy  offline  share or disk  wanted offline",
        "├─ share    dummy  online   disk and ip",
        "│  ├─ disk  dummy  online",
        "│  └─ ip    dummy  failed                  the address is taken",
        "└─ disk     dummy  online",
        "extra       dummy  online                  in maintenance: new disks",
    ]


def test_a_group_of_one_resource_is_no_tree(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["group.show"] = Result(healthy.group(members=(healthy.resource("web"),)))
    assert "needs" not in outlast("group", "show", "web").out


def test_all_that_was_set_of_a_group_is_shown(fake: FakeService, outlast: Outlast) -> None:
    row = healthy.group(
        priority="high",
        start_after=(StartAfter("db", Until.ANSWERS, 30.0),),
        failback="window",
        failback_hours=(22, 6),
        return_to="n2",
        balance="never",
        locked="its backup runs",
        maintenance="new disks",
        retry_after_s=0.0,
    )
    fake.answers["group.show"] = Result(row)
    out = outlast("group", "show", "web").out
    for words in (
        "priority          high",
        "starts after      db:answers+30, for at most 600 s",
        "failback          window, from 22 to 6 o'clock",
        "returns to        n2",
        "balancing         never moves it",
        "locked            its backup runs",
        "maintenance       new disks",
        "tried again       never",
    ):
        assert " ".join(words.split()) in " ".join(out.split())


def test_a_lock_is_told_where_groups_are_listed(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["group.list"] = Result([healthy.group(locked="its backup runs")])
    assert "locked: its backup runs" in outlast("group", "list").out


def test_what_is_off_on_purpose_is_no_fault_of_its_group(fake: FakeService, outlast: Outlast) -> None:
    partial = healthy.group("web", state="partially online", settled=True)
    fake.answers["status"] = Result(healthy.status(groups=(partial,)))
    assert outlast("status").lines()[-1].startswith("All is well")
    fake.answers["status"] = Result(healthy.status(groups=(healthy.group("web", state="failed", settled=True),)))
    assert "1 group not as wanted (web)" in outlast("status").out
