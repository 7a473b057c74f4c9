"""What of the networks of guests administrators see and set, and that telling them writes nothing while all is well."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from played import Refused, asked, events, group_of, play, played, resource_of

from outlast.model import keys
from outlast.sim.world import World

LOST = "its uplink lan-up has no carrier"


@contextmanager
def joined(*lines: str, of: str = "networks=lan,dmz") -> Iterator[World]:
    with played("world nodes=2 live", f"vm web1 preferred=n1 {of}", "start", "run 15", *lines) as world:
        yield world


def test_each_node_shows_how_they_are_there() -> None:
    with joined("network lost n2 lan", "run 6") as world:
        assert asked(world, "n1", "node.show", name="n1")["networks"] == {"bridge/dmz": "", "bridge/lan": ""}
        assert asked(world, "n1", "node.show", name="n2")["networks"] == {"bridge/dmz": "", "bridge/lan": LOST}
        assert asked(world, "n1", "vm.show", name="web1")["placement"]["n2"] == f"the bridge lan is lost there: {LOST}"
        assert events(world, "network") == [f"the bridge lan is lost on n2: {LOST}"]


def test_what_runs_without_says_so_beside_its_state_and_everywhere_is_an_alarm() -> None:
    with joined("network lost n1 lan", "network lost n2 lan", "run 6") as world:
        row = asked(world, "n2", "group.show", name="web1")
        assert (row["state"], row["owner"], row["networks"]["bridge/lan"]) == ("online", "n1", LOST)
        assert "waits for a node that has it and can take it, since the bridge lan is lost on n1" in row["why"]
        assert any("The bridge lan is lost on every node" in one for one in asked(world, "n1", "status")["alarms"])


def test_an_administrator_says_which_count() -> None:
    with joined("network lost n1 lan", "network lost n2 lan", "run 6") as world:
        asked(world, "n1", "group.set", name="web1", values={"protected_networks": "dmz"})
        assert group_of(world, "web1").protected_networks == ("dmz",)
        assert asked(world, "n1", "group.show", name="web1")["why"] == ""
        asked(world, "n1", "group.set", name="web1", values={"protected_networks": "none"})
        assert group_of(world, "web1").protected_networks == ()
        asked(world, "n1", "group.set", name="web1", values={"protected_networks": "all"})
        assert group_of(world, "web1").protected_networks is None


def test_a_network_that_it_does_not_have_is_refused() -> None:
    with joined() as world, pytest.raises(Refused, match="web1 is not joined to the network lam; it has bridge/dmz"):
        asked(world, "n1", "group.set", name="web1", values={"protected_networks": "lam"})


def test_nobody_is_moved_by_hand_to_where_its_network_is_lost() -> None:
    with joined("network lost n2 lan", "run 6") as world, pytest.raises(Refused, match="the bridge lan is lost there"):
        asked(world, "n1", "group.move", name="web1", to="n2")


def test_a_check_finds_out_what_a_vm_is_joined_to() -> None:
    with played("world nodes=2", "vm web1 preferred=n1", "start", "run 15") as world:
        world.vms["web1"].networks = ("lan",)
        asked(world, "n1", "vm.check", name="web1")
        play(world, "run 5")
        assert resource_of(world, "web1").networks == ("bridge/lan",)
        assert asked(world, "n1", "node.show", name="n2")["networks"] == {"bridge/lan": ""}


def test_while_nothing_changes_only_sessions_are_written() -> None:
    with joined("run 30") as world:
        before = world.database.entries("")
        play(world, "network lost n2 lan", "run 2", "network back n2 lan", "run 30")
        after = world.database.entries("")
        changed = {entry.key for entry in after if entry not in before}
        assert all(key.startswith(keys.SESSIONS) for key in changed)


def test_a_service_that_was_started_again_goes_on_with_what_was_told() -> None:
    with joined("network lost n1 lan", "network lost n2 lan", "run 10", "kill service n1 restart=1", "run 10") as world:
        assert asked(world, "n1", "node.show", name="n1")["networks"]["bridge/lan"] == LOST
        assert events(world, "network").count(f"the bridge lan is lost on n1: {LOST}") == 1
