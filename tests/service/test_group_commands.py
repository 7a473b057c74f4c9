"""What administrators may do with groups, and what is refused before anything changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from played import Refused, asked, events, group_of, play, played

from outlast.model import keys
from outlast.model.group import Wanted
from outlast.model.policy import Failback, Priority, StartAfter, Until
from outlast.sim.world import World


@contextmanager
def files(*more: str) -> Iterator[World]:
    """A group with two resources, one of which needs the other, and a VM; all online."""
    world = ("world", "group files preferred=n2", "resource disk in=files", "resource share in=files needs=disk")
    with played(*world, "vm web preferred=n1", *more, "start", "run 15") as running:
        yield running


def refusal(world: World, verb: str, /, **arguments: Any) -> str:
    with pytest.raises(Refused) as refused:
        asked(world, "n1", verb, **arguments)
    return f"{refused.value.kind}: {refused.value}"


def there(world: World, key: str) -> bool:
    return any(entry.key == key for entry in world.database.entries(key))


# --- making and deleting ------------------------------------------------------------------------------------------


def test_a_new_group_is_empty_offline_and_has_the_settings_that_were_given() -> None:
    with files() as world:
        row = asked(world, "n2", "group.create", name="new", values={"priority": "low", "possible_owners": "n1,n2"})
        assert (row["state"], row["settled"], row["priority"]) == ("offline", True, "low")
        group = group_of(world, "new")
        assert (group.wanted, group.resources, group.possible_owners) == (Wanted.OFFLINE, (), ("n1", "n2"))
        assert events(world, "group-changed")[-1] == "new was created by an administrator on n2"


def test_what_if_makes_nothing() -> None:
    with files() as world:
        asked(world, "n1", "group.create", name="new", what_if=True)
        assert not there(world, keys.GROUPS + "new")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("files", {}, 'usage: cannot create a group "files": there is one already'),
        ("disk", {}, 'usage: cannot create a group "disk": disk is a resource of the group files'),
        ("a b", {}, 'usage: cannot create a group "a b": a name has letters'),
        ("new", {"possible_owners": "n9"}, 'usage: there is no node "n9"'),
        ("new", {"priority": "urgent"}, 'usage: priority cannot be "urgent": it takes "high", "medium"'),
        ("new", {"colour": "red"}, "usage: a group has no setting colour; it has: preferred_owners"),
        ("new", {"start_after": "db"}, 'usage: new cannot start after that: there is no group "db"'),
    ],
)
def test_a_group_that_cannot_be_is_refused(name: str, values: dict[str, str], words: str) -> None:
    with files() as world:
        assert refusal(world, "group.create", name=name, values=values).startswith(words)


def test_a_group_is_deleted_with_what_is_in_it_when_nothing_of_it_runs() -> None:
    with files() as world:
        assert "it has disk, share; delete them first" in refusal(world, "group.delete", name="files")
        words = refusal(world, "group.delete", name="files", with_resources=True)
        assert words == (
            "impossible: cannot delete the group files: disk is online on n2; first: `outlast group offline files`"
        )
        asked(world, "n1", "group.offline", name="files")
        play(world, "run 10")
        would = asked(world, "n1", "group.delete", name="files", with_resources=True, what_if=True)
        assert would["words"] == "files would be deleted, with disk, share"
        assert there(world, keys.GROUPS + "files")
        asked(world, "n1", "group.delete", name="files", with_resources=True)
        for key in (keys.GROUPS + "files", keys.RESOURCES + "disk", keys.DEFINITIONS + "share", keys.STATUS + "files"):
            assert not there(world, key)


def test_a_group_of_a_silent_node_is_not_deleted() -> None:
    with _unfenced() as world:
        asked(world, "n1", "group.offline", name="files")
        play(world, "run 10", "freeze n2", "run 10")
        words = refusal(world, "group.delete", name="files", with_resources=True)
        assert "n2, which owns it, is silent and may still run it" in words


@contextmanager
def _unfenced() -> Iterator[World]:
    world = ("world unfenced", "group files preferred=n2", "resource disk in=files")
    with played(*world, "start", "run 15") as running:
        yield running


def test_a_vm_s_group_goes_with_the_vm() -> None:
    with files() as world:
        asked(world, "n1", "group.offline", name="web")
        play(world, "run 10")
        words = refusal(world, "group.delete", name="web", with_resources=True)
        assert words.endswith("web is a VM, which stays as it is when it is let go: `outlast vm unprotect web`")


def test_what_another_group_starts_after_stays_and_so_does_its_vm() -> None:
    with files() as world:
        asked(world, "n1", "group.set", name="files", values={"start_after": "web"})
        assert "files starts after it; change that first" in refusal(world, "vm.unprotect", name="web")
        asked(world, "n1", "group.set", name="files", values={"start_after": ""})
        asked(world, "n1", "vm.unprotect", name="web")
        assert not there(world, keys.GROUPS + "web")


# --- settings -----------------------------------------------------------------------------------------------------


def test_all_that_can_be_set_of_a_group_is_set_and_told() -> None:
    values = {
        "preferred_owners": "n2,n1",
        "possible_owners": ["n1", "n2"],
        "priority": "no-auto-start",
        "start_after": "web:answers+30",
        "start_limit_s": "60",
        "failover_threshold": "4",
        "failover_period_s": "default",
        "retry_after_s": 0,
        "failback": "window",
        "failback_hours": "22-6",
        "balance": "always",
    }
    with files() as world:
        row = asked(world, "n1", "group.set", name="files", values=values)
        group = group_of(world, "files")
        assert (group.priority, group.failback, group.failback_hours) == (
            Priority.NO_AUTO_START,
            Failback.WINDOW,
            (22, 6),
        )
        assert group.start_after == (StartAfter("web", Until.ANSWERS, 30.0),)
        assert (group.failover_threshold, group.failover_period_s, group.retry_after_s) == (4, None, 0.0)
        assert (row["priority"], row["failback"], row["balance"]) == ("no auto start", "window", "always")
        assert list(row["start_after"]) == [{"group": "web", "until": "answers", "delay_s": 30.0}]
        told = events(world, "intent")[-1]
        assert told.startswith("files was changed (preferred_owners=n2,n1, possible_owners=n1,n2, priority=no auto")
        assert told.endswith("balance=always): an administrator on n1")


def test_groups_that_would_wait_for_each_other_are_refused_with_the_way_round() -> None:
    with files() as world:
        asked(world, "n1", "group.set", name="files", values={"start_after": "web"})
        words = refusal(world, "group.set", name="web", values={"start_after": "files"})
        assert "web starts after files, files starts after web: each of them would wait for the other" in words
        assert group_of(world, "web").start_after == ()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"failover_threshold": -1},
        {"failover_period_s": 0},
        {"failback_hours": "22"},
        {"start_after": "files"},
        {"preferred_owners": "n9"},
        {"wanted": "offline"},
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_changed(values: dict[str, Any]) -> None:
    with files() as world:
        before = group_of(world, "files")
        assert refusal(world, "group.set", name="files", values=values).startswith("usage: ")
        assert group_of(world, "files") == before


# --- locks, maintenance, moves ------------------------------------------------------------------------------------


def test_a_locked_group_is_not_moved_on_purpose_but_all_the_same_when_that_is_said() -> None:
    with files() as world:
        row = asked(world, "n1", "group.lock", name="web", why="its backup runs")
        assert row["locked"] == "its backup runs"
        words = refusal(world, "group.move", name="web", to="n3")
        assert words.startswith("impossible: web cannot move: it is locked (its backup runs)")
        assert "--ignore-lock moves it all the same" in words
        asked(world, "n1", "group.move", name="web", to="n3", ignore_lock=True)
        play(world, "run 10")
        assert group_of(world, "web").owner == "n3"
        assert asked(world, "n1", "group.unlock", name="web")["locked"] == ""
        asked(world, "n1", "group.move", name="web", to="n1")
        play(world, "run 10")
        assert group_of(world, "web").owner == "n1"


def test_a_locked_group_fails_over_all_the_same() -> None:
    with files() as world:
        asked(world, "n1", "group.lock", name="web")
        assert group_of(world, "web").locked == "locked by an administrator on n1"
        play(world, "kill vm web", "run 10")
        assert group_of(world, "web").owner != "n1"


def test_a_group_in_maintenance_is_not_moved_until_that_is_over() -> None:
    with files() as world:
        row = asked(world, "n1", "group.maintenance", name="web", on=True)
        assert row["maintenance"] == "an administrator on n1"
        assert "it is in maintenance" in refusal(world, "group.move", name="web")
        asked(world, "n1", "group.maintenance", name="web", on=False)
        asked(world, "n1", "group.move", name="web", to="n2")
        play(world, "run 10")
        assert group_of(world, "web").owner == "n2"


def test_nothing_is_stopped_for_a_move_while_nothing_would_start_it_elsewhere() -> None:
    with files("cluster armed=no") as world:
        assert "the cluster is not armed" in refusal(world, "group.move", name="web", to="n2")
        assert group_of(world, "web").move_to == ""


def test_where_an_administrator_moves_a_group_there_it_stays() -> None:
    with files() as world:
        play(world, "kill vm web", "run 10")
        owner = group_of(world, "web").owner
        to = next(node for node in ("n1", "n2", "n3") if node != owner)
        asked(world, "n1", "group.move", name="web", to=to)
        play(world, "run 10")
        assert (group_of(world, "web").owner, group_of(world, "web").return_to) == (to, "")


# --- what if ------------------------------------------------------------------------------------------------------


def test_what_if_tells_what_a_word_would_do_and_does_nothing() -> None:
    with files() as world:
        before = group_of(world, "web")

        def would(verb: str, **more: Any) -> tuple[str, str]:
            answer = asked(world, "n2", "group.would", name="web", verb=verb, **more)
            return answer["words"], answer["to"]

        assert would("online") == ("web is online on n1 already: nothing would change", "")
        assert would("offline") == ("web would be shut down on n1", "")
        assert would("offline", stop="turn_off") == ("web would be turned off at once on n1", "")
        assert would("move", to="n3") == ("web would move from n1 to n3, shut down here and started there", "n3")
        assert would("move")[1] in ("n2", "n3")
        assert group_of(world, "web") == before
        asked(world, "n1", "group.offline", name="web")
        play(world, "run 10")
        assert would("offline") == ("web is offline already: nothing would change", "")
        assert would("online") == ("web would be brought online on n1, its owner", "n1")


def test_what_if_of_what_would_be_refused_is_refused_with_the_same_words() -> None:
    with files() as world:
        asked(world, "n1", "group.lock", name="web")
        words = refusal(world, "group.move", name="web", to="n3")
        assert refusal(world, "group.would", name="web", verb="move", to="n3") == words
        assert refusal(world, "group.would", name="web", verb="move", to="n9").startswith("impossible: web cannot move")


# --- looking, and why -----------------------------------------------------------------------------------------------


def test_one_group_is_shown_with_its_resources_and_a_list_without() -> None:
    with files() as world:
        row = asked(world, "n1", "group.show", name="files")
        assert [(one["name"], one["state"], one["depends_on"]) for one in row["members"]] == [
            ("disk", "online", ""),
            ("share", "online", "disk"),
        ]
        assert all(not row["members"] for row in asked(world, "n1", "group.list"))


def test_why_a_group_is_as_it_is_is_told_resource_by_resource_and_with_what_keeps_it() -> None:
    with files() as world:
        asked(world, "n1", "group.set", name="files", values={"start_after": "web+5"})
        asked(world, "n1", "group.lock", name="files", why="its backup runs")
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 10")
        now = asked(world, "n1", "explain.group", name="files")["now"]
        assert [
            words
            for words in (
                "disk is online",
                "share is offline: it is wanted offline; it needs disk",
                "it starts after web+5",
                "it is locked, so that nothing moves it on purpose: its backup runs",
            )
            if words not in now
        ] == []
