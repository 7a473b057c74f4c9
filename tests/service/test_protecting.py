"""When is a VM not taken under protection, or not let go of, because a second copy could come of it?"""

from played import asked, events, group_of, play, played, resource_of

from outlast.sim.world import World


def ask(world: World, node: str, verb: str, **arguments: str) -> None:
    world.administer(node, verb, arguments)
    play(world, "run 10")


def exists(world: World, group: str) -> bool:
    return any(entry.key.endswith(f"/{group}") for entry in world.database.entries("control/groups/"))


def test_a_vm_is_not_unprotected_while_nobody_knows_whether_its_owner_still_runs_it() -> None:
    with played("world unfenced", "vm web1 preferred=n2", "start", "run 10", "freeze n2", "run 10") as world:
        ask(world, "n1", "vm.unprotect", name="web1")
        assert group_of(world, "web1").owner == "n2"
        play(world, "thaw n2", "run 30")
        ask(world, "n1", "vm.unprotect", name="web1")
        assert not exists(world, "web1")


def test_who_lets_a_vm_go_in_the_middle_of_its_shutdown_is_not_told_that_it_stays_off() -> None:
    with played("world", "vm web1 preferred=n2", "start", "run 10") as world:
        world.administer("n1", "group.offline", {"name": "web1"})
        play(world, "run 0.05")
        ask(world, "n1", "vm.unprotect", name="web1")
        (words,) = (words for words in events(world, "group-changed") if "no longer protected" in words)
        assert "nobody looks after it now on n2, where it is offline pending" in words


def test_a_limit_of_failures_that_never_holds_is_refused() -> None:
    with played("world", "vm web1", "start", "run 10") as world:
        for values in ({"failover_threshold": -1}, {"failover_period_s": 0}):
            world.administer("n1", "group.set", {"name": "web1", "values": values})
        play(world, "run 10")
        group = group_of(world, "web1")
        assert (group.failover_threshold, group.failover_period_s) == (None, None)
        world.administer("n1", "group.set", {"name": "web1", "values": {"possible_owners": ["n1", "n2"]}})
        play(world, "run 10")
        assert any("web1 was changed (possible_owners=n1,n2)" in words for words in events(world, "intent"))


def test_a_vm_that_runs_past_the_cluster_is_protected_where_it_runs_and_nowhere_else() -> None:
    with played("world", "vm web1 preferred=n2", "start", "run 10") as world:
        ask(world, "n1", "vm.unprotect", name="web1")
        assert world.where("web1") == ["n2"]
        ask(world, "n1", "vm.protect", definition=world.vms["web1"].definition)
        assert not exists(world, "web1")
        ask(world, "n2", "vm.protect", name="web1")
        assert group_of(world, "web1").owner == "n2"
        assert world.where("web1") == ["n2"]


def test_a_node_that_joined_later_was_not_asked_for_a_vms_disks_and_a_check_asks_it() -> None:
    with played("world nodes=2", "vm web1", "start n1", "run 20") as world:
        definition = world.vms["web1"].definition
        asked(world, "n1", "vm.unprotect", name="web1")
        play(world, "console stop web1", "run 5")
        asked(world, "n1", "vm.protect", definition=definition)
        play(world, "run 10", "cut n1 n2 service", "start n2", "run 20")
        assert resource_of(world, "web1").seen_by == ("n1",)
        row = asked(world, "n1", "group.show", name="web1")
        assert row["protection"] == "at risk"
        (risk,) = row["at_risk_because"]
        assert risk == "nobody has asked n2 whether it sees the disks of web1; `outlast vm check web1` does"
        for node in ("n2", "n1"):  # whoever is asked, the owner's disks count
            assert asked(world, node, "vm.check", name="web1")["nodes"] == {"n1": (), "n2": ()}
        play(world, "run 5")
        assert resource_of(world, "web1").seen_by == ("n1", "n2")
        assert asked(world, "n1", "group.show", name="web1")["protection"] == "protected"
        told = [words for words in events(world, "group-changed") if "could run on n1, n2, disks and all" in words]
        assert len(told) == 1
