"""What comes back from a backup, and what an administrator is told before anything may run."""

import msgspec
import pytest

from build import group, node, resource
from outlast.core.backup import (
    LEFT_AS_IT_IS,
    RESTORED,
    Damaged,
    bundles,
    header_of,
    held,
    owned,
    ownership,
    pack,
    report,
    surplus,
    unpack,
)
from outlast.model import keys
from outlast.model.backup import Kept
from outlast.model.group import Definition, Group, Resource, Wanted
from outlast.model.node import Node
from outlast.model.saved import SavedState
from outlast.model.settings import Settings

TAKEN_AT_S = 1_700_000_000.0


def kept(*records: object) -> list[Kept]:
    """As they lie in the database."""
    found = []
    for record in records:
        name = getattr(record, "resource", "") or getattr(record, "name", "")
        prefix = {"Group": keys.GROUPS, "Resource": keys.RESOURCES, "Definition": keys.DEFINITIONS, "Node": keys.NODES}
        kind = type(record).__name__
        key = keys.CLUSTER if isinstance(record, Settings) else prefix[kind] + name
        found.append(Kept(key, msgspec.json.encode(record)))
    return found


WEB = kept(group("web", on="n1", epoch=3), resource("web"), Definition("web", "<domain/>"))
DB = kept(group("db", on="n2", epoch=9), resource("db"), Definition("db", "<domain/>"))


def written(backup: list[Kept], present: list[Kept]) -> dict[str, bytes]:
    return {one.key: one.value for bundle in bundles(backup, present) for one in bundle.puts}


def deleted(backup: list[Kept], present: list[Kept]) -> set[str]:
    return {key for bundle in bundles(backup, present) for key in bundle.deletes}


def test_what_is_packed_comes_out_as_it_was_with_what_the_file_says_of_itself() -> None:
    data = pack(Settings(name="prod", id="c1"), "n2", TAKEN_AT_S, 77, [*WEB, Kept("secrets/x", b"\x00\xff")])
    header, entries = unpack(data)
    assert entries == (*WEB, Kept("secrets/x", b"\x00\xff"))
    assert (header.cluster, header.id, header.node, header.revision, header.entries) == ("prod", "c1", "n2", 77, 4)


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_file_that_was_cut_off_is_not_restored(cut: int) -> None:
    data = pack(Settings(), "n1", TAKEN_AT_S, 1, WEB)
    with pytest.raises(Damaged, match="cut off or changed"):
        unpack(data[:-cut])


def test_a_file_in_which_one_bit_is_another_is_not_restored() -> None:
    data = bytearray(pack(Settings(), "n1", TAKEN_AT_S, 1, WEB))
    data[-5] ^= 1
    with pytest.raises(Damaged, match="cut off or changed"):
        unpack(bytes(data))


def test_what_is_no_backup_or_of_a_later_format_says_so() -> None:
    with pytest.raises(Damaged, match="no backup of Outlast"):
        header_of(b"#!/bin/sh\n")
    later = pack(Settings(), "n1", TAKEN_AT_S, 1, WEB).replace(b'"format":1', b'"format":2')
    with pytest.raises(Damaged, match="has format 2"):
        header_of(later)


def test_of_every_kind_of_key_it_is_said_whether_it_comes_back() -> None:
    prefixes = {
        value
        for name, value in vars(keys).items()
        if name.isupper()
        and name
        not in (
            "CONTROL",
            "CLUSTER",
            "SECRET_KEY",
            "FENCE_SECRETS",
            "NOTICE_SECRETS",
            "OPENID_SECRETS",
            "WEB_AUTHORITY",
        )
    }
    assert prefixes == {*RESTORED, *LEFT_AS_IT_IS}
    assert not {*RESTORED} & {*LEFT_AS_IT_IS}


def test_what_describes_only_the_moment_does_not_come_back() -> None:
    moment = [Kept(prefix + "x", b"{}") for prefix in LEFT_AS_IT_IS]
    assert set(written([*WEB, *moment], [])) == {one.key for one in WEB}
    assert deleted(WEB, moment) == set()


def test_a_restored_group_has_an_epoch_above_all_that_were_given_out() -> None:
    now = kept(group("web", on="n3", epoch=12), resource("web"), Definition("web", "<domain/>"))
    record = msgspec.json.decode(written(WEB, now)[keys.GROUPS + "web"], type=Group)
    assert (record.owner, record.epoch) == ("n1", 13)


def test_nothing_goes_on_from_what_was_handed_over_before_the_restore() -> None:
    """What stands on a node by then may be an old copy."""
    received = group("web", on="n3", received_from="n1", move_to="n2")
    now = kept(group("web", on="n3", epoch=12), resource("web"), Definition("web", "<domain/>"))
    then = kept(received, resource("web"), Definition("web", "<domain/>"))
    record = msgspec.json.decode(written(then, now)[keys.GROUPS + "web"], type=Group)
    assert record.received_from == ""
    for owner in ("n1", "n3", ""):
        assert owned(received, owner, "somebody").received_from == ""


def test_a_group_is_written_with_its_resources_and_definitions_or_not_at_all() -> None:
    (bundle,) = bundles(WEB, [])
    assert {one.key for one in bundle.puts} == {one.key for one in WEB}


def test_what_was_not_there_then_is_forgotten_with_all_that_belongs_to_it() -> None:
    assert deleted(WEB, [*WEB, *DB]) == {one.key for one in DB}
    header = header_of(pack(Settings(), "n1", TAKEN_AT_S, 1, WEB))
    assert report(header, WEB, [*WEB, *DB]).forgotten == ("db",)


def test_a_resource_that_is_in_another_group_by_now_comes_back_to_the_one_in_which_it_was() -> None:
    """In whatever order the groups are written."""
    tool = kept(resource("tool", group="web"), Definition("tool", "then"))
    then = [*kept(group("web", on="n1", resources=("web", "tool"))), *WEB[1:], *DB, *tool]
    moved = kept(resource("tool", group="db"), Definition("tool", "now"))
    now = [*WEB, *kept(group("db", on="n2", epoch=9, resources=("db", "tool"))), *DB[1:], *moved]
    gone = [*WEB, *kept(group("other", resources=("tool",))), *moved]
    for present in (now, gone):
        assert written(then, present)[keys.DEFINITIONS + "tool"] == tool[1].value
        assert not deleted(then, present) & {keys.RESOURCES + "tool", keys.DEFINITIONS + "tool"}


def test_the_cluster_stays_who_it_is_and_takes_the_settings_of_then_with_a_hold() -> None:
    then = kept(Settings(name="old", id="c1", failover_threshold=7, generation=2))
    now = held(then, Settings(name="new", id="c2", generation=5), "restored")
    assert (now.name, now.id, now.generation, now.failover_threshold, now.hold) == ("new", "c2", 5, 7, "restored")


@pytest.mark.parametrize(("then", "now"), [(True, False), (False, True)])
def test_who_disarmed_the_cluster_to_restore_finds_it_disarmed(then: bool, now: bool) -> None:
    assert not held(kept(Settings(armed=then)), Settings(armed=now), "restored").armed


def test_a_node_that_is_there_keeps_its_own_address() -> None:
    then, now = kept(msgspec.structs.replace(node("n1"), address="old")), kept(Node("n1", address="new"))
    record = msgspec.json.decode(written(then, now)[keys.NODES + "n1"], type=Node)
    assert (record.address, record.fence) == ("new", node("n1").fence)


def test_passwords_sealed_with_another_key_are_told_of_and_the_key_of_now_stays() -> None:
    then = [Kept(keys.SECRET_KEY, b"k1"), Kept(keys.FENCE_SECRETS + "n1", b"sealed")]
    now = [Kept(keys.SECRET_KEY, b"k2")]
    assert set(written(then, now)) == {keys.FENCE_SECRETS + "n1"}
    header = header_of(pack(Settings(), "n1", TAKEN_AT_S, 1, then))
    assert "sealed with another key" in report(header, then, now).warnings[0]


RESOURCES = {name: resource(name) for name in ("web", "db")}
RUNS = ("vm", "uuid-web")


def test_who_runs_a_group_owns_it_whoever_owned_it_then() -> None:
    found, problems = ownership([group("web", on="n1")], RESOURCES, {"n1": [], "n2": [RUNS]})
    assert (found.running, problems) == ({"web": "n2"}, [])


def test_what_runs_nowhere_is_placed_if_it_is_wanted() -> None:
    groups = [group("web", on="n1"), group("db", on="n1", wanted=Wanted.OFFLINE)]
    found, _ = ownership(groups, RESOURCES, {"n1": [("vm", "uuid-other")]})
    assert (found.running, found.placed, found.off) == ({}, ("web",), ("db",))


def test_what_runs_twice_is_nobodys() -> None:
    _, problems = ownership([group("web")], RESOURCES, {"n1": [RUNS], "n2": [RUNS]})
    assert problems == ["web runs on n1 and n2: switch it off on all of them but one"]


def test_what_was_found_running_is_wanted_so_and_not_stopped_because_of_an_old_intent() -> None:
    record = owned(group("web", on="n1", wanted=Wanted.OFFLINE, epoch=4), "n2", "somebody")
    assert (record.owner, record.epoch, record.wanted, record.wanted_by) == ("n2", 5, Wanted.ONLINE, "somebody")
    assert record.intents == 1


def test_the_newest_backups_are_kept() -> None:
    files = [f"prod-2026010{day}T000000Z-scheduled.backup" for day in range(1, 6)]
    assert surplus(files, 3) == [files[1], files[0]]


def test_a_backup_brings_no_saved_state_back() -> None:
    state = SavedState("3-1-0", "/srv/outlast-web-3-1-0.state")
    saved = kept(group("web", on="n1", epoch=3, wanted=Wanted.OFFLINE), resource("web", saved=state, taken="n1"))
    (restored,) = (value for key, value in written(saved, saved).items() if key.startswith(keys.RESOURCES))
    assert msgspec.json.decode(restored, type=Resource) == resource("web")
