"""What administrators may set about a VM's guest, what is refused, and what they see of it."""

from typing import Any

import pytest
from played import Refused, asked, events, play, played, resource_of

from outlast.model import keys
from outlast.model.guest import OnHang, OnIoError, OnPanic, OnRed, Probe
from outlast.model.inside import Asked
from outlast.sim.world import World

ONE = ("world", "vm web agent beat=1 preferred=n1", "resource share in=web", "start", "run 15")


def refusal(world: World, verb: str, /, **arguments: Any) -> str:
    with pytest.raises(Refused) as refused:
        asked(world, "n1", verb, **arguments)
    return f"{refused.value.kind}: {refused.value}"


def test_what_is_set_of_a_guest_is_set_beside_what_is_set_of_a_resource() -> None:
    with played(*ONE) as world:
        values = {
            "on_hang": "reset",
            "resets": "2",
            "on_panic": "keep",
            "on_io_error": "wait",
            "restart_threshold": "3",
        }
        row = asked(world, "n1", "resource.set", name="web", values=values)
        care = resource_of(world, "web").guest
        assert (care.on_hang, care.resets, care.on_panic, care.on_io_error) == (
            OnHang.RESET,
            2,
            OnPanic.KEEP,
            OnIoError.WAIT,
        )
        assert care.heartbeat_interval_s == 1  # what is not named stays
        assert resource_of(world, "web").restart_threshold == 3
        assert row["guest"]["on_hang"] == "reset"
        (told,) = events(world, "group-changed")
        assert "on_hang=reset" in told


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("web", {"on_hang": "panic"}, 'it takes "report" or "reset"'),
        ("web", {"heartbeat_threshold": "0"}, "a whole number from 1 to 1000"),
        ("web", {"heartbeat_interval_s": "0.1"}, "a number from 0.5"),
        ("share", {"on_hang": "reset"}, "on_hang is about a VM's guest, and this resource is of the type sim"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(name: str, values: dict[str, str], why: str) -> None:
    with played(*ONE) as world:
        before = resource_of(world, name)
        words = refusal(world, "resource.set", name=name, values=values)
        assert words.startswith("usage: ")
        assert why in words
        assert resource_of(world, name) == before


def test_a_probe_is_added_changed_seen_and_deleted() -> None:
    with played(*ONE) as world:
        add = {"name": "web", "probe": "http", "asks": "tcp", "what": "192.0.2.1:80"}
        asked(world, "n1", "vm.probe_add", **add, values={"interval_s": "1", "timeout_s": "1"})
        (row,) = asked(
            world, "n2", "vm.probe_add", **add, values={"interval_s": "1", "timeout_s": "1", "on_red": "restart"}
        )
        assert row["probe"]["on_red"] == "restart"
        assert resource_of(world, "web").guest.probes == (
            Probe("http", Asked.TCP, "192.0.2.1:80", 1.0, 1.0, 3, OnRed.RESTART),
        )
        play(world, "run 5")
        (row,) = asked(world, "n3", "vm.probe_list")
        assert (row["vm"], row["state"]) == ("web", "green")
        assert asked(world, "n1", "vm.show", name="web")["resource"]["guest_status"]["green"] is True
        assert asked(world, "n1", "vm.probe_delete", name="web", probe="http") == []
        assert "web is not probed by http any more: an administrator on n1" in events(world, "group-changed")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "wbe"}, 'there is no protected VM "wbe"'),
        ({"probe": "a b"}, 'a probe cannot be called "a b"'),
        ({"asks": "udp"}, 'a probe cannot ask "udp"; it asks command, unit, tcp'),
        ({"what": "192.0.2.1"}, "is no ADDRESS:PORT"),
        ({"what": "192.0.2.1:99999"}, "is no ADDRESS:PORT"),
        ({"asks": "unit", "what": "two words"}, "is no name of a unit"),
        ({"asks": "command", "what": "echo 'x"}, "is no command that a shell could read"),
        ({"asks": "command", "what": " "}, "is no command"),
        ({"values": {"colour": "red"}}, "a probe has no setting colour"),
    ],
)
def test_a_probe_that_could_never_be_asked_is_refused(changes: dict[str, Any], why: str) -> None:
    with played(*ONE) as world:
        arguments = {"name": "web", "probe": "http", "asks": "tcp", "what": "192.0.2.1:80", **changes}
        words = refusal(world, "vm.probe_add", **arguments)
        assert words.startswith("usage: ")
        assert why in words
        assert resource_of(world, "web").guest.probes == ()


def test_one_that_there_is_not_cannot_be_deleted() -> None:
    with played(*ONE) as world:
        assert 'web has no probe "http"' in refusal(world, "vm.probe_delete", name="web", probe="http")


def test_everybody_sees_that_a_guest_hangs_and_how_often_it_was_reset() -> None:
    with played(*ONE, "guest hang web again=5", "run 30") as world:
        (alarm,) = asked(world, "n2", "status")["alarms"]
        assert "The guest of web hangs on n1, and it is not reset; `outlast vm set web on_hang=reset`" in alarm
        assert [row["why"] for row in asked(world, "n3", "vm.list")] == ["its guest hangs"]
        told = asked(world, "n1", "explain.vm", name="web")["now"]
        assert "the guest of web: hangs (on_hang is report)" in told
        asked(world, "n1", "resource.set", name="web", values={"on_hang": "reset"})
        play(world, "run 10")
        assert asked(world, "n2", "status")["alarms"] == ()
        status = asked(world, "n3", "vm.show", name="web")["resource"]["guest_status"]
        assert (status["heartbeat"], status["resets"]) == ("answers", 1)


def test_nothing_is_written_while_a_guest_answers() -> None:
    with played("world", "vm web agent beat=1", "start", "run 30") as world:
        before = list(world.database.entries(keys.STATUS + "web"))  # with their revisions
        assert before
        play(world, "run 60")
        assert list(world.database.entries(keys.STATUS + "web")) == before
