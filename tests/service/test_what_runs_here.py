"""What does an owner notice, and what becomes of it? Awkward moments of resource hosts, consoles and plugins."""

from played import events, group_of, play, played, session_of

from outlast.model.group import Wanted


def test_a_vm_that_was_started_at_the_console_after_its_host_was_replaced_is_followed() -> None:
    with played("world", "vm web1 preferred=n1 offline", "start", "run 10") as world:
        play(world, "admin n1 group.online name=web1", "run 10", "admin n1 group.offline name=web1", "run 30")
        assert world.where("web1") == []
        play(world, "kill host n1", "run 10", "console start web1 n1", "run 3")
        assert group_of(world, "web1").wanted is Wanted.ONLINE


def test_a_vm_that_was_started_at_the_console_is_followed_although_the_event_was_lost() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 10") as world:
        play(world, "admin n1 group.offline name=web1", "run 30", "reports lost n1", "console start web1 n1", "run 15")
        assert group_of(world, "web1").wanted is Wanted.ONLINE
        assert world.where("web1") == ["n1"]


def test_a_plugin_that_could_not_be_loaded_is_tried_again_when_it_is_mended() -> None:
    with played(
        "world", "vm web1 preferred=n1", "start", "run 10", "plugin damage n1", "kill host n1", "run 20"
    ) as world:
        broken = session_of(world, "n1")
        assert broken is not None
        assert broken.offers[0].problem
        assert world.where("web1") == ["n1"]
        play(world, "plugin repair n1", "run 20")
        mended = session_of(world, "n1")
        assert mended is not None
        assert mended.offers[0].problem == ""
        assert world.where("web1") == ["n1"]


def test_a_host_that_kept_dying_is_a_basis_for_protection_again_when_it_has_lived_for_long() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 10") as world:
        for _ in range(6):
            play(world, "kill host n1", "run 8")
        doubtful = session_of(world, "n1")
        assert doubtful is not None
        assert "times in a row" in doubtful.offers[0].problem
        play(world, "run 90")
        proven = session_of(world, "n1")
        assert proven is not None
        assert proven.offers[0].problem == ""
        assert world.where("web1") == ["n1"]


def test_what_nobody_can_tell_is_said_to_be_unknown_however_often_it_is_tried() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 10") as world:
        play(world, "plugin damage n1", "kill host n1", "run 20")
        assert any("web1" in words for words in events(world, "unknown"))


def test_any_number_of_vms_may_be_switched_off_at_the_same_moment() -> None:
    names = [f"vm{number}" for number in range(60)]
    with played("world nodes=1", *(f"vm {name}" for name in names), "start", "run 20") as world:
        play(world, *(f"console stop {name}" for name in names), "run 20")
        assert {group_of(world, name).wanted for name in names} == {Wanted.OFFLINE}


def test_an_announced_start_that_is_called_off_is_not_announced_for_ever() -> None:
    lines = ["world", "vm web1 preferred=n1", "start", "run 10", "admin n1 group.move name=web1 to=n2"]
    for pause_s in (0.0, 0.2, 0.5, 1.0, 2.0):
        with played(*lines, f"run {1.0 + pause_s}") as world:
            play(world, "admin n2 group.online name=web1", "admin n3 group.offline name=web1", "run 40")
            assert group_of(world, "web1").wanted is Wanted.OFFLINE
            assert world.where("web1") == []
            play(world, "settle")
