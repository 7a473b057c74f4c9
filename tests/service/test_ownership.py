"""With a hold nothing is started and nothing is stopped, in the running service; then what runs is taken as it is."""

from collections.abc import Callable

import msgspec
from played import events, group_of, play, played

from outlast.core.backup import UNFINISHED
from outlast.model import keys
from outlast.model.group import Group, Wanted
from outlast.model.settings import Settings
from outlast.service.store import put
from outlast.sim.world import World

HOLD = "the database was restored from the backup of a test"
TWO_VMS = ("vm web1 preferred=n1", "vm web2 preferred=n2", "start", "run 10")


def hold(world: World) -> None:
    settings = msgspec.json.decode(world.database.entries(keys.CLUSTER)[0].value, type=Settings)
    change(world, keys.CLUSTER, msgspec.structs.replace(settings, hold=HOLD))


def change(world: World, key: str, record: msgspec.Struct) -> None:
    write = put(key, record)
    world.loop.call_soon(lambda: world.database.commit([], [write]))
    play(world, "run 1")


def change_group(world: World, name: str, how: Callable[[Group], Group]) -> None:
    change(world, keys.GROUPS + name, how(group_of(world, name)))


def disowned(group: Group) -> Group:
    """As a backup says that was taken before it moved here."""
    return msgspec.structs.replace(group, owner="n3", epoch=group.epoch + 1)


def test_what_runs_runs_on_whoever_the_records_call_its_owner_and_is_taken_over_where_it_runs() -> None:
    with played("world", *TWO_VMS) as world:
        hold(world)
        change_group(world, "web1", disowned)
        play(world, "run 30")
        assert world.where("web1") == ["n1"]
        play(world, "admin n2 cluster.confirm_ownership", "run 10")
        assert world.where("web1") == ["n1"]
        assert group_of(world, "web1").owner == "n1"
        assert events(world, "failed") == []


def test_what_fails_with_a_hold_is_started_again_only_when_ownership_is_confirmed() -> None:
    with played("world", *TWO_VMS) as world:
        hold(world)
        play(world, "power off n2", "run 40")
        assert world.where("web2") == []
        play(world, "power on n2", "run 60")
        assert world.where("web2") == []
        play(world, "admin n1 cluster.confirm_ownership", "run 30")
        assert len(world.where("web2")) == 1


def test_a_node_that_opens_its_session_with_a_hold_stops_nothing_that_runs_there() -> None:
    with played("world", *TWO_VMS, "kill service n1 restart=never", "run 1") as world:
        hold(world)
        change_group(world, "web1", disowned)
        play(world, "service start n1", "run 20")
        assert world.where("web1") == ["n1"]
        play(world, "admin n2 cluster.confirm_ownership", "run 10")
        assert (world.where("web1"), group_of(world, "web1").owner) == (["n1"], "n1")


def test_what_was_switched_off_in_the_backup_and_runs_now_is_wanted_to_run() -> None:
    with played("world", *TWO_VMS) as world:
        hold(world)
        change_group(world, "web1", lambda group: msgspec.structs.replace(disowned(group), wanted=Wanted.OFFLINE))
        play(world, "admin n2 cluster.confirm_ownership", "run 10")
        assert world.where("web1") == ["n1"]
        assert group_of(world, "web1").wanted is Wanted.ONLINE


def test_ownership_is_not_confirmed_while_a_node_cannot_be_asked_unless_somebody_vouches_for_it() -> None:
    with played("world unfenced", *TWO_VMS, "power off n3", "run 20") as world:
        hold(world)
        play(world, "admin n1 cluster.confirm_ownership", "run 5")
        assert settings_of(world).hold == HOLD
        play(world, "admin n1 cluster.confirm_ownership without=n3,", "run 5")
        assert settings_of(world).hold == ""
        assert "nothing runs on n3" in events(world, "backup")[-1]


def test_ownership_is_not_confirmed_while_a_start_that_was_begun_before_the_hold_has_not_ended() -> None:
    """Nothing runs yet, but were it given to another node now, it would run there and here."""
    with played("world", "vm web1 preferred=n1", "trouble web1 hung=online", "start", "run 10") as world:
        hold(world)
        change_group(world, "web1", lambda group: msgspec.structs.replace(group, preferred_owners=("n2",)))
        assert world.where("web1") == []
        play(world, "admin n2 cluster.confirm_ownership", "run 5")
        assert settings_of(world).hold == HOLD
        play(world, "trouble web1", "run 5")
        assert world.where("web1") == ["n1"], "the start has come through"
        play(world, "admin n2 cluster.confirm_ownership", "run 10")
        assert settings_of(world).hold == ""
        assert (world.where("web1"), group_of(world, "web1").owner) == (["n1"], "n1")


def begin_to_confirm(world: World) -> None:
    """All nodes are just asked what runs there."""
    world.administer("n2", "cluster.confirm_ownership", {})
    while not world.database.entries(keys.SURVEYS):
        play(world, "run 0.001")


def change_now(world: World, key: str, record: msgspec.Struct) -> None:
    write = put(key, record)
    world.loop.call_soon(lambda: world.database.commit([], [write]))
    play(world, "run 0.001")


def test_what_changes_while_ownership_is_confirmed_is_asked_again() -> None:
    """A resource that came to the group meanwhile may run where nobody has looked for it."""
    with played("world", *TWO_VMS) as world:
        hold(world)
        begin_to_confirm(world)
        change_now(world, keys.GROUPS + "web1", msgspec.structs.replace(group_of(world, "web1"), preferred_owners=()))
        play(world, "run 10")
        assert settings_of(world).hold == HOLD
        play(world, "admin n2 cluster.confirm_ownership", "run 10")
        assert settings_of(world).hold == ""


def test_a_group_that_is_made_while_ownership_is_confirmed_keeps_its_owner() -> None:
    """As a VM does that runs there and is taken in meanwhile. Nobody was asked where that runs."""
    with played("world", *TWO_VMS) as world:
        hold(world)
        begin_to_confirm(world)
        change_now(world, keys.GROUPS + "late", Group("late", (), owner="n3", epoch=1, wanted=Wanted.ONLINE))
        play(world, "run 10")
        assert settings_of(world).hold == ""
        assert (group_of(world, "late").owner, group_of(world, "late").epoch) == ("n3", 1)


def test_a_hold_that_began_while_another_one_was_confirmed_stands() -> None:
    with played("world", *TWO_VMS) as world:
        hold(world)
        begin_to_confirm(world)
        settings = msgspec.structs.replace(settings_of(world), hold=f"{UNFINISHED}, the one of today")
        change_now(world, keys.CLUSTER, settings)
        play(world, "run 10")
        assert settings_of(world).hold.startswith(UNFINISHED)


def settings_of(world: World) -> Settings:
    return msgspec.json.decode(world.database.entries(keys.CLUSTER)[0].value, type=Settings)
