"""What administrators may do with resources, and what is refused before anything changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from played import Refused, asked, events, group_of, play, played, resource_of

from outlast.model import keys
from outlast.model.group import Wanted
from outlast.model.policy import RestartAction
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


def states(world: World, group: str) -> dict[str, str]:
    row = asked(world, "n1", "group.show", name=group)
    return {one["name"]: one["state"] for one in row["members"]}


# --- making and deleting ------------------------------------------------------------------------------------------


def test_a_resource_can_be_made_in_the_group_of_a_vm_and_comes_online_with_it() -> None:
    with files() as world:
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 5")
        asked(world, "n1", "resource.delete", name="share")
        made = asked(world, "n2", "resource.create", name="share", type="sim", group="web", values={"vcpus": "2"})
        assert made["done"] is True
        assert made["nodes"] == {"n1": "", "n2": "", "n3": ""}
        play(world, "run 10")
        assert states(world, "web") == {"web": "online", "share": "online"}
        assert group_of(world, "web").resources == ("web", "share")
        assert resource_of(world, "share").vcpus == 2
        assert "share (sim) was created in web by an administrator on n2" in events(world, "group-changed")


def test_one_that_shall_not_start_stays_offline_in_a_group_that_is_online() -> None:
    with files() as world:
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 5")
        asked(world, "n1", "resource.delete", name="share")
        asked(world, "n1", "resource.create", name="share", type="sim", group="web", start=False)
        play(world, "run 10")
        assert states(world, "web") == {"web": "online", "share": "offline"}
        row = asked(world, "n1", "group.show", name="web")
        assert (row["state"], row["settled"]) == ("partially online", True)


def test_what_if_makes_nothing_and_tells_who_could_run_it() -> None:
    with files() as world:
        made = asked(world, "n1", "resource.create", name="ip", type="sim", group="files", what_if=True)
        assert (made["done"], made["nodes"]) == (False, {"n1": "", "n2": "", "n3": ""})
        assert not there(world, keys.RESOURCES + "ip")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "web"}, 'usage: cannot create a resource "web": there is one already, in the group web'),
        ({"name": "web2", "type": "vm"}, 'usage: cannot create a resource "web2": a VM is taken in'),
        ({"type": "nfs"}, 'usage: cannot create a resource "ip": no node has a plugin for "nfs"; there are: sim, vm'),
        ({"group": "none"}, 'usage: there is no group "none"; first: `outlast group create none`'),
        ({"name": "or"}, 'usage: cannot create a resource "or": in what a resource depends on, `or` means'),
        ({"values": {"depends_on": "nothing"}}, 'usage: ip cannot depend on that: there is no resource "nothing"'),
        ({"values": {"depends_on": "disk and"}}, 'usage: cannot read "disk and"'),
        (
            {"values": {"depends_on": "web"}},
            "usage: ip cannot depend on that: web is in the group web, and ip in files",
        ),
        ({"values": {"restart_action": "cry"}}, 'usage: restart_action cannot be "cry"'),
    ],
)
def test_a_resource_that_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    with files() as world:
        asking = {"name": "ip", "type": "sim", "group": "files", **arguments}
        assert refusal(world, "resource.create", **asking).startswith(words)
        assert group_of(world, "files").resources == ("disk", "share")


def test_a_resource_with_another_group_s_name_is_refused() -> None:
    with files() as world:
        asked(world, "n1", "group.create", name="mail")
        words = refusal(world, "resource.create", name="mail", type="sim", group="files")
        assert "mail is another group, and commands take either name for a group" in words


def test_a_resource_is_deleted_when_it_is_off_and_no_other_needs_it() -> None:
    with files() as world:
        assert "share needs it; change that first" in refusal(world, "resource.delete", name="disk")
        assert "share is online on n2; first: `outlast resource offline share`" in refusal(
            world, "resource.delete", name="share"
        )
        assert "`outlast vm unprotect web`" in refusal(world, "resource.delete", name="web")
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 5")
        would = asked(world, "n1", "resource.delete", name="share", what_if=True)
        assert (would["words"], would["what_if"]) == ("share would be deleted from files", True)
        asked(world, "n1", "resource.delete", name="share")
        play(world, "run 5")
        assert group_of(world, "files").resources == ("disk",)
        assert not there(world, keys.RESOURCES + "share")
        assert not there(world, keys.DEFINITIONS + "share")
        assert states(world, "files") == {"disk": "online"}


def test_a_vm_is_not_let_go_while_its_group_has_more_than_the_vm() -> None:
    with files() as world:
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 5")
        asked(world, "n1", "resource.delete", name="share")
        asked(world, "n1", "resource.create", name="share", type="sim", group="web", start=False)
        words = refusal(world, "vm.unprotect", name="web")
        assert words == (
            "impossible: cannot unprotect web: web has share as well; first: `outlast resource delete share`"
        )


# --- settings -----------------------------------------------------------------------------------------------------


def test_all_that_can_be_set_of_a_resource_is_set_and_told() -> None:
    values = {
        "depends_on": "( disk )",
        "restart_action": "restart",
        "restart_threshold": "3",
        "restart_period_s": "60",
        "restart_delay_s": "0",
        "is_alive_interval_s": "2",
        "looks_alive_interval_s": "0.5",
        "online_timeout_s": "30",
        "offline_timeout_s": 7,
        "deadlock_timeout_s": "100",
        "separate_host": "yes",
        "memory_mib": "64",
        "vcpus": "1",
    }
    with files() as world:
        row = asked(world, "n1", "resource.set", name="share", values=values)
        share = resource_of(world, "share")
        assert (share.depends_on, share.restart_action, share.restart_threshold) == ("disk", RestartAction.RESTART, 3)
        assert (share.separate_host, share.memory_mib, share.offline_timeout_s) == (True, 64, 7.0)
        assert {key: row[key] for key in ("restart_action", "separate_host", "deadlock_timeout_s")} == {
            "restart_action": "restart",
            "separate_host": True,
            "deadlock_timeout_s": 100.0,
        }
        told = events(world, "group-changed")[-1]
        assert told.startswith("share was changed (depends_on=disk, restart_action=restart, restart_threshold=3")
        play(world, "run 10")
        assert states(world, "files") == {"disk": "online", "share": "online"}


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("disk", {}, "nothing to set"),
        ("disk", {"depends_on": "share"}, "disk needs share, share needs disk: none of them could ever start"),
        ("disk", {"depends_on": "disk"}, "disk cannot need itself"),
        ("disk", {"is_alive_interval_s": "0"}, "it takes a number from 0.1 to 86400"),
        ("disk", {"looks_alive_interval_s": "0.01"}, "it takes 0 (it is not asked), or 0.1 s and more"),
        ("disk", {"type": "vm"}, "a resource has no setting type"),
        ("web", {"memory_mib": "1"}, "it is what the VM's definition says"),
        ("none", {"vcpus": "1"}, 'there is no resource "none"'),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_reason(name: str, values: dict[str, Any], words: str) -> None:
    with files() as world:
        told = refusal(world, "resource.set", name=name, values=values)
        assert told.startswith("usage: ")
        assert words in told


@pytest.mark.parametrize(("properties", "state"), [({"size": 7}, "failed"), ({}, "online")])
def test_properties_that_were_changed_are_told_its_plugin_before_the_next_start(
    properties: dict[str, int], state: str
) -> None:
    with files() as world:
        if properties:
            row = asked(world, "n1", "resource.set", name="share", properties={"size": 7, "old": None})
            assert row["properties"] == {"size": 7}
            assert states(world, "files")["share"] == "online"
        asked(world, "n1", "resource.set", name="share", values={"restart_action": "nothing"})
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 10")
        world.vms["share"].failing_calls.add("open")
        asked(world, "n1", "resource.online", name="share")
        play(world, "run 10")
        assert states(world, "files")["share"] == state


# --- online and offline -------------------------------------------------------------------------------------------


def test_what_needs_a_resource_goes_offline_with_it_and_comes_back_with_it() -> None:
    with files() as world:
        would = asked(world, "n1", "resource.would", name="disk", verb="offline")
        assert would["words"] == "disk would be shut down on n2, and with it what needs it: share"
        asked(world, "n1", "resource.offline", name="disk")
        play(world, "run 15")
        assert states(world, "files") == {"disk": "offline", "share": "offline"}
        assert resource_of(world, "disk").wanted is Wanted.OFFLINE
        assert resource_of(world, "share").wanted is Wanted.ONLINE
        assert asked(world, "n1", "group.show", name="files")["settled"] is True
        assert "it needs disk, and that is wanted offline" in refusal(world, "resource.online", name="share")
        asked(world, "n1", "resource.online", name="disk")
        play(world, "run 15")
        assert states(world, "files") == {"disk": "online", "share": "online"}


def test_a_vm_of_a_group_of_several_says_itself_what_is_amiss_with_it() -> None:
    with files() as world:
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 5")
        asked(world, "n1", "resource.delete", name="share")
        asked(world, "n1", "resource.create", name="share", type="sim", group="web")
        play(world, "run 5")
        asked(world, "n1", "resource.set", name="web", values={"depends_on": "share"})
        asked(world, "n1", "resource.offline", name="share")
        play(world, "run 15")
        (vm,) = asked(world, "n1", "vm.list")
        assert (vm["state"], vm["why"]) == ("offline", "share, which it needs, is wanted offline")


def test_the_only_resource_of_a_group_is_the_group() -> None:
    with files() as world:
        asked(world, "n1", "resource.offline", name="web", stop="turn_off")
        play(world, "run 10")
        assert (group_of(world, "web").wanted, resource_of(world, "web").wanted) == (Wanted.OFFLINE, Wanted.ONLINE)
        would = asked(world, "n1", "resource.would", name="web", verb="online")
        assert would["words"] == "web would be brought online on n1, its owner"
        asked(world, "n1", "resource.online", name="web")
        play(world, "run 10")
        assert group_of(world, "web").wanted is Wanted.ONLINE
        assert states(world, "web") == {"web": "online"}


def test_a_resource_of_a_group_that_is_wanted_offline_is_not_brought_online() -> None:
    with files() as world:
        asked(world, "n1", "group.offline", name="files")
        words = refusal(world, "resource.online", name="disk")
        assert words.startswith("impossible: disk cannot be brought online: its group files is wanted offline")


def test_a_resource_that_failed_and_stays_so_is_tried_again_on_an_administrator_s_word() -> None:
    with files() as world:
        asked(world, "n1", "resource.set", name="share", values={"restart_action": "nothing"})
        play(world, "kill vm share", "run 10")
        assert states(world, "files") == {"disk": "online", "share": "failed"}
        asked(world, "n1", "resource.online", name="share")
        play(world, "run 10")
        assert states(world, "files") == {"disk": "online", "share": "online"}
        assert group_of(world, "files").owner == "n2"


# --- maintenance --------------------------------------------------------------------------------------------------


def test_a_resource_in_maintenance_is_not_healed_until_that_is_over() -> None:
    with files() as world:
        asked(world, "n1", "resource.maintenance", name="share", on=True, why="new disks")
        assert resource_of(world, "share").maintenance == "new disks"
        assert "it is in maintenance (new disks)" in refusal(world, "resource.fail", name="share")
        play(world, "kill vm share", "run 20")
        assert world.where("share") == []
        assert group_of(world, "files").owner == "n2"
        asked(world, "n1", "resource.maintenance", name="share", on=False)
        play(world, "run 20")
        assert len(world.where("share")) == 1
