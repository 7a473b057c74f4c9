"""Shared volumes, as the running service does it: what nodes tell of them, and changes through their coordinator."""

import msgspec
import pytest
from played import Refused, asked, events, group_of, play, played, session_of

from outlast.model import keys
from outlast.model.volume import Stage, VolumeChange
from outlast.model.volume_answers import VolumeRow
from outlast.sim.world import World

ONE = ("volume add v1", "vm web1 on=v1 preferred=n1", "vm web2 preferred=n1", "start", "run 20")


def shown(world: World, node: str = "n2") -> VolumeRow:
    return msgspec.convert(asked(world, node, "volume.show", name="v1"), VolumeRow)


def changes(world: World) -> list[VolumeChange]:
    return [msgspec.json.decode(one.value, type=VolumeChange) for one in world.database.entries(keys.CHANGES)]


def test_every_node_tells_how_it_sees_the_volume_and_writes_nothing_for_it_but_that() -> None:
    with played("world", *ONE) as world:
        row = shown(world)
        assert {node: seen.state for node, seen in row.nodes.items()} == dict.fromkeys(("n1", "n2", "n3"), "direct")
        assert row.groups == ("web1",)
        before = {one.key: one.revision for one in world.database.entries("") if not one.key.startswith(keys.SESSIONS)}
        play(world, "run 60")
        after = {one.key: one.revision for one in world.database.entries("") if not one.key.startswith(keys.SESSIONS)}
        assert after == before


def test_a_node_that_loses_it_tells_so_and_again_when_it_is_back() -> None:
    with played("world", *ONE) as world:
        play(world, "volume lost n3 v1", "run 5")
        assert (shown(world).nodes["n3"].state, shown(world).nodes["n3"].why) == ("unavailable", "it does not answer")
        play(world, "volume back n3 v1", "run 5")
        assert shown(world).nodes["n3"].state == "direct"
        told = [words for words in events(world, "volume") if "n3" in words]
        assert told == ["the volume v1 is lost on n3: it does not answer", "the volume v1 is back on n3"]


def test_what_a_service_before_this_one_told_still_holds_when_it_is_started_again() -> None:
    with played("world", *ONE) as world:
        play(world, "volume lost n3 v1", "run 5", "kill service n3", "run 1.5")
        session = session_of(world, "n3")
        assert session is not None
        assert [one.lost for one in session.volumes] == ["it does not answer"]


def test_a_vm_in_maintenance_stays_with_its_lost_volume() -> None:
    with played("world", *ONE, "admin n2 group.maintenance name=web1 on=true") as world:
        play(world, "volume lost n1 v1", "run 120")
        assert world.where("web1") == ["n1"]


def test_with_the_limit_never_nothing_is_moved() -> None:
    with played("world", *ONE) as world:
        world.administer("n2", "volume.set", {"name": "v1", "limit_s": -1})
        play(world, "volume lost n1 v1", "run 300")
        assert world.where("web1") == ["n1"]


def test_one_change_after_the_other_is_done_whichever_node_is_asked() -> None:
    with played("world", *ONE) as world:
        for node in ("n1", "n2", "n3"):
            asked(world, node, "volume.create", volume="v1", image=f"{node}.img", bytes=4096)
        play(world, "run 3")
        assert sorted(one.stage.value for one in changes(world)) == ["asked", "asked", "running"]
        play(world, "run 20")
        assert [one.stage for one in changes(world)] == [Stage.DONE] * 3
        assert {one.node for one in changes(world)} == {group_of(world, "v1").owner}


def test_only_the_last_ten_changes_are_kept() -> None:
    with played("world", *ONE) as world:
        for number in range(13):
            asked(world, "n2", "volume.create", volume="v1", image=f"{number}.img", bytes=4096)
        play(world, "run 100")
        assert [one.image for one in changes(world)] == [f"{number}.img" for number in range(3, 13)]


def test_a_change_that_was_begun_before_its_host_died_is_cut_short() -> None:
    with played("world", *ONE) as world:
        asked(world, "n2", "volume.create", volume="v1", image="a.img", bytes=4096)
        play(world, "run 1")
        owner = group_of(world, "v1").owner
        world.machines[owner].copies["v1"].job = None  # the program that did it is gone
        play(world, "run 5")
        assert [one.stage for one in changes(world)] == [Stage.CUT_SHORT]


def test_a_volume_that_nobody_coordinates_takes_no_change() -> None:
    with (
        played("world", *ONE, "admin n2 group.offline name=v1", "run 5") as world,
        pytest.raises(Refused, match="nobody coordinates the volume now"),
    ):
        asked(world, "n2", "volume.create", volume="v1", image="a.img", bytes=4096)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image": "../a.img", "bytes": 4096}, "its path below that of the volume"),
        ({"image": "a.img"}, "it takes a size"),
        ({"image": "a.img", "bytes": 4096, "source": "b.img"}, "it takes a size"),
        ({"image": "a.img", "bytes": 1}, "expected"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(arguments: dict[str, object], words: str) -> None:
    with played("world", *ONE) as world:
        with pytest.raises(Refused, match=words):
            asked(world, "n2", "volume.create", volume="v1", **arguments)
        assert changes(world) == []


def test_a_volume_is_removed_when_it_is_off_and_leaves_no_record() -> None:
    with played("world", *ONE) as world:
        with pytest.raises(Refused, match="v1 is online on"):
            asked(world, "n2", "volume.remove", name="v1")
        play(world, "admin n2 group.offline name=v1", "run 5")
        asked(world, "n2", "volume.remove", name="v1")
        assert [one.key for one in world.database.entries("") if "v1" in one.key] == []
        play(world, "run 10")
        session = session_of(world, "n1")
        assert session is not None
        assert session.volumes == ()


def test_validate_finds_where_it_is_lost() -> None:
    with played("world", *ONE, "volume lost n3 v1", "run 5") as world:
        found = [one["problem"] for one in asked(world, "n2", "validate") if one["about"] == "v1"]
        assert found == ["it is unavailable on n3: it does not answer"]
