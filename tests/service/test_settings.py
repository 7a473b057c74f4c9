"""Settings of the whole cluster: what may be set, and what is refused."""

from played import asked, events, play, played

from outlast.model.policy import Reserve
from outlast.model.watchdog import Strength

SETUP = ("world", "start", "run 10")


def test_a_setting_counts_for_all_nodes_and_the_event_log_tells_who_set_it() -> None:
    with played(*SETUP) as world:
        world.administer("n1", "cluster.set", {"values": {"vote_removal_s": 7, "fence_action": "off"}})
        play(world, "run 2")
        assert {node.node.store.settings.vote_removal_s for node in world.services.values()} == {7.0}
        assert events(world, "settings") == [
            "the cluster's fence_action is off, vote_removal_s is 7: an administrator on n1"
        ]


def test_settings_may_be_given_as_they_are_written_on_a_command_line() -> None:
    with played(*SETUP) as world:
        written = {"armed": "no", "survive_nodes": "1", "reserve": "refuse", "watchdog_strength": "hardware,kernel"}
        world.administer("n1", "cluster.set", {"values": written})
        play(world, "run 2")
        settings = world.services["n2"].node.store.settings
        assert (settings.armed, settings.survive_nodes, settings.reserve) == (False, 1, Reserve.REFUSE)
        assert settings.watchdog_strength == (Strength.HARDWARE, Strength.KERNEL)


def test_who_disarmed_and_armed_the_cluster_stands_in_the_event_log() -> None:
    with played(*SETUP) as world:
        for armed in ("no", "no", "yes"):
            world.administer("n1", "cluster.set", {"values": {"armed": armed}})
            play(world, "run 2")
        assert events(world, "armed") == [
            "the cluster is not armed any more: nothing is fenced, moved or restarted by it: an administrator on n1",
            "the cluster is armed again: an administrator on n1",
        ]


def test_while_it_is_not_armed_nothing_is_fenced_moved_or_restarted_and_afterwards_all_is() -> None:
    with played("world", "vm web1 preferred=n2", "vm web2 preferred=n3", "start", "run 10") as world:
        world.administer("n1", "cluster.set", {"values": {"armed": "no"}})
        play(world, "run 2", "power off n2", "kill vm web2", "run 60")
        assert world.where("web1") == []
        assert world.where("web2") == []
        assert (events(world, "node-silent"), events(world, "node-dead")) == ([], [])
        world.administer("n1", "cluster.set", {"values": {"armed": "yes"}})
        play(world, "run 40")
        assert len(world.where("web1")) == 1
        assert len(world.where("web2")) == 1


def test_a_node_that_loses_the_database_alone_stops_what_it_runs_also_while_the_cluster_is_not_armed() -> None:
    with played("world", "vm web1 preferred=n2", "start", "run 10") as world:
        world.administer("n1", "cluster.set", {"values": {"armed": "no"}})
        play(world, "run 2", "freeze service n2", "run 20")
        assert world.where("web1") == [], "its permit has ended"


def test_what_cannot_be_set_is_refused_and_nothing_is_changed() -> None:
    with played(*SETUP) as world:
        for values in ({"node_timeout_s": 2}, {"most_voters": 0}, {"vote_removal_s": "soon"}, {}):
            world.administer("n1", "cluster.set", {"values": values})
        play(world, "run 2")
        assert events(world, "settings") == []


def test_who_has_the_load_balanced_hears_how_much_of_it_may_be_moved_before_and_after() -> None:
    with played("world", "vm web1 balance=always", "vm web2", "start", "run 10") as world:
        words = (
            "balancing may move 1 of 2 groups; 1 stays where it is: web2: n2 is not set up for live migration "
            "(docs/migration.md) (balance=always moves it all the same)"
        )
        assert asked(world, "n1", "cluster.would_set", values={"balance": "continuous"}) == [words]
        assert asked(world, "n1", "cluster.set", values={"balance": "on-join"})["notes"] == (words,)
        assert asked(world, "n1", "cluster.set", values={"balance": "off"})["notes"] == ()
        assert asked(world, "n1", "cluster.set", values={"parallel_moves": "3"})["notes"] == ()


def test_who_names_a_network_for_migrations_hears_which_nodes_are_not_in_it() -> None:
    with played("world live", "network lost n2 migration", *SETUP[1:]) as world:
        heard = asked(world, "n1", "cluster.set", values={"migration_network": "10.1.0.0/24"})
        assert heard["warnings"] == ("n2 is not in the migration network: it has no address in 10.1.0.0/24",)
        play(world, "network back n2 migration", "run 20")
        assert asked(world, "n1", "cluster.set", values={"migration_network": "10.1.0.0/24"})["warnings"] == ()
        assert asked(world, "n1", "cluster.set", values={"migration_network": "none"})["migration_network"] == ""


def test_what_is_no_network_is_refused() -> None:
    with played(*SETUP) as world:
        world.administer("n1", "cluster.set", {"values": {"migration_network": "10.1.0.7/24"}})
        play(world, "run 2")
        assert events(world, "settings") == []


def test_each_setting_is_told_with_what_it_is_what_it_was_by_itself_and_what_it_takes() -> None:
    with played(*SETUP) as world:
        asked(world, "n1", "cluster.set", values={"backups_kept": 20})
        told = {row["name"]: row for row in asked(world, "n2", "cluster.settings")}
        assert (told["backups_kept"]["value"], told["backups_kept"]["default"]) == ("20", "14")
        assert told["backups_kept"]["takes"] == "a whole number from 1 to 1000"
        assert told["fence_action"]["choices"] == ("off", "reboot")
        assert told["watchdog_strength"]["several"] is True
        assert told["node_timeout_s"]["fixed"] != ""


def test_what_is_told_of_a_setting_can_be_set_again() -> None:
    world_of = ("world", "vm web1 preferred=n1", "group shop", "resource shop-ip in=shop", "start", "run 10")
    with played(*world_of) as world:
        of_all = (("cluster", ""), ("group", "web1"), ("resource", "web1"), ("resource", "shop-ip"))
        for verb, name in of_all:
            more = {"name": name} if name else {}
            told = asked(world, "n1", f"{verb}.settings", **more)
            values = {row["name"]: row["value"] for row in told if not row["fixed"]}
            asked(world, "n1", f"{verb}.set", **more, values=values)
            assert asked(world, "n1", f"{verb}.settings", **more) == told


def test_of_a_vm_it_is_told_how_its_guest_is_looked_after_and_of_nothing_else() -> None:
    with played("world", "vm web1", "group shop", "resource shop-ip in=shop", "start", "run 10") as world:
        of_the_vm = {row["name"]: row for row in asked(world, "n1", "resource.settings", name="web1")}
        of_another = {row["name"]: row for row in asked(world, "n1", "resource.settings", name="shop-ip")}
        assert of_the_vm["on_hang"]["choices"] == ("report", "reset")
        assert of_the_vm["memory_mib"]["fixed"] == "it is what the VM's definition says"
        assert "on_hang" not in of_another
        assert of_another["memory_mib"]["fixed"] == ""
