"""Settings of the whole cluster: what may be set, and what is refused."""

from played import events, play, played

SETUP = ("world", "start", "run 10")


def test_a_setting_counts_for_all_nodes_and_the_event_log_tells_who_set_it() -> None:
    with played(*SETUP) as world:
        world.administer("n1", "cluster.set", {"values": {"vote_removal_s": 7, "fence_action": "off"}})
        play(world, "run 2")
        assert {node.node.store.settings.vote_removal_s for node in world.services.values()} == {7.0}
        assert events(world, "settings") == [
            "the cluster's fence_action is off, vote_removal_s is 7.0: an administrator on n1"
        ]


def test_what_cannot_be_set_is_refused_and_nothing_is_changed() -> None:
    with played(*SETUP) as world:
        for values in ({"node_timeout_s": 2}, {"most_voters": 0}, {"vote_removal_s": "soon"}, {}):
            world.administer("n1", "cluster.set", {"values": values})
        play(world, "run 2")
        assert events(world, "settings") == []
