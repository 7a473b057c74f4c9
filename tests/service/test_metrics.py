"""What a node counts and measures, told by the verb `metrics`: the real service, in the simulated world."""

from typing import Any

import pytest
from played import asked, play, played

from outlast.model.metrics import Distribution
from outlast.service.measuring.instruments import Histogram, Histograms
from outlast.sim.world import World

NODES = ("n1", "n2", "n3")


def metrics(world: World, node: str) -> dict[str, Any]:
    found: dict[str, Any] = asked(world, node, "metrics")
    return found


def coordinator(world: World) -> str:
    answering = next(name for name in NODES if name in world.services)
    status = asked(world, answering, "status")
    return str(status["coordinator"])


def phases(found: dict[str, Any]) -> dict[tuple[str, str], int]:
    """How many of each there were."""
    told = {(one["cause"], one["phase"]): sum(one["times"]["counts"]) for one in found["failovers"]}
    return {key: count for key, count in told.items() if count}


def seconds(found: dict[str, Any], phase: str, cause: str = "node lost") -> float:
    (one,) = (one for one in found["failovers"] if (one["cause"], one["phase"]) == (cause, phase))
    return float(one["times"]["sum_s"])


def test_a_lost_node_is_counted_by_whoever_coordinates_and_by_nobody_else() -> None:
    with played("world", "vm web1 preferred=n1", "vm web2 preferred=n1", "start", "run 15", "power off n1") as world:
        play(world, "run 40")
        deciding = coordinator(world)
        (other,) = {"n2", "n3"} - {deciding}
        found = metrics(world, deciding)
        once, for_each_group = 1, 2
        assert phases(found) == {
            ("node lost", "detected"): once,
            ("node lost", "proven"): once,
            ("node lost", "decided"): for_each_group,
            ("node lost", "started"): for_each_group,
            ("node lost", "whole"): for_each_group,
        }
        assert 5.0 <= seconds(found, "detected") <= 6.0, "node_timeout is 5 s"
        assert seconds(found, "whole") >= for_each_group * (seconds(found, "detected") + seconds(found, "proven"))
        assert phases(metrics(world, other)) == {}
        made = {kind: count for kind, count in found["decisions"].items() if count}
        assert made == {"declare_silent": 1, "fence": 1, "record_proof": 1, "assign": 2}
        assert {one["name"]: one["state"] for one in metrics(world, other)["nodes"]}["n1"] == "dead"


def test_what_fails_on_a_living_node_is_a_failover_too() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 15", "kill vm web1", "run 15") as world:
        found = metrics(world, coordinator(world))
        told = {key for key in phases(found) if key[0] == "failed"}
        assert told == {("failed", "decided"), ("failed", "started"), ("failed", "whole")}
        assert phases(found).keys() == told


def test_a_guest_with_an_agent_says_itself_when_it_answers() -> None:
    with played("world", "vm web1 preferred=n1 agent", "start", "run 30", "power off n1", "run 60") as world:
        found = metrics(world, coordinator(world))
        assert phases(found)["node lost", "answered"] == 1
        assert seconds(found, "whole") < 20, "without the time until it answers"


def test_a_device_that_nobody_waits_for_any_more_is_no_failure() -> None:
    with played("world", "vm web1 preferred=n3", "start", "run 15", "fence n3 hangs", "power off n3") as world:
        play(world, "run 8")
        asked(world, coordinator(world), "node.confirm_down", name="n3")
        play(world, "run 20")
        told = metrics(world, coordinator(world))["fencing"]
        assert {one["result"]: one["count"] for one in told if one["node"] == "n3"} == {
            "confirmed": 0,
            "failed": 0,
            "ended": 1,
        }


def test_a_move_is_none() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 15") as world:
        asked(world, "n1", "group.move", name="web1", to="n2")
        play(world, "run 20")
        assert asked(world, "n1", "group.show", name="web1")["owner"] == "n2"
        assert [phases(metrics(world, name)) for name in NODES] == [{}, {}, {}]


@pytest.mark.parametrize(("device", "result"), [("confirms", "confirmed"), ("fails", "failed")])
def test_fence_devices_are_counted_by_what_came_of_it(device: str, result: str) -> None:
    with played("world", "vm web1 preferred=n3", "start", "run 15", f"fence n3 {device}", "power off n3") as world:
        before = metrics(world, coordinator(world))["fencing"]
        assert {(one["node"], one["result"], one["count"]) for one in before} >= {("n3", result, 0)}
        play(world, "run 20")
        told = metrics(world, coordinator(world))["fencing"]
        counts = {one["result"]: one["count"] for one in told if (one["node"], one["action"]) == ("n3", "off")}
        assert counts[result] > 0
        assert sum(counts.values()) == counts[result]


def test_a_database_that_does_not_answer_shows_in_its_age_the_permit_and_the_failures() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 15") as world:
        well = metrics(world, "n1")
        assert well["database_age_s"] == 0.0
        assert well["permit_s"] - well["permit_left_s"] <= 1.2, "renewed every 0.83 s"
        play(world, "database cut all", "run 10")
        ill = metrics(world, "n1")
        assert ill["database_age_s"] >= 8.0
        failures = {one["operation"]: sum(one["failures"].values()) for one in ill["database"]}
        assert failures["commit"] > 0
        (group,) = ill["groups"]
        assert (group["name"], group["owner"]) == ("web1", "n1"), "what is known is told all the same"


def test_gaps_between_session_records_show_how_near_the_time_out_they_come() -> None:
    with played("world", "start", "run 30", "power off n3", "run 30", "power on n3", "run 60") as world:
        gaps = {one["name"]: one["gaps"] for one in metrics(world, "n1")["nodes"]}
        for name, count in (("n1", 100), ("n3", 40)):
            beyond_2_s = sum(gaps[name]["counts"][gaps[name]["bounds_s"].index(2.0) + 1 :])
            assert (sum(gaps[name]["counts"]) > count, beyond_2_s) == (True, 0), "its death is no gap of a session"


def test_ends_of_resource_hosts_and_calls_of_plugins_are_counted() -> None:
    with played("world", "vm web1 preferred=n1", "start", "run 15", "kill host n1", "run 10") as world:
        found = metrics(world, "n1")
        counts = {(one["host"], one["why"]): one["count"] for one in found["hosts"]}
        assert {key: count for key, count in counts.items() if count} == {("shared", "died"): 1}
        assert counts["shared", "killed"] == counts["shared", "replaced"] == 0
        opened = next(one for one in found["calls"] if (one["type"], one["call"]) == ("vm", "open"))
        assert sum(opened["times"]["counts"]) == 2, "once by each host"


def test_who_votes_and_how_many_more_can_be_lost() -> None:
    with played("world members=3", "start", "run 30") as world:
        assert metrics(world, "n1")["quorum"] == {"quorum": True, "margin": 1, "voters": 3, "well": 3}
        play(world, "power off n3", "run 12")
        assert metrics(world, "n1")["quorum"]["margin"] == 0
    with played("world", "start", "run 15") as world:
        assert metrics(world, "n1")["quorum"] is None, "nobody votes"


def test_a_time_that_equals_a_bound_belongs_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for took_s in (0.5, 1.0, 1.5, 7.0):
        histogram.observe(took_s)
    assert histogram.read() == Distribution((1.0, 2.0), (2, 1, 1), 10.0)


def test_what_is_known_beforehand_is_there_with_nothing_in_it() -> None:
    histograms = Histograms((1.0,), known=("a",))
    histograms.observe("b", 3.0)
    assert dict(histograms.read()) == {"a": Distribution((1.0,), (0, 0), 0.0), "b": Distribution((1.0,), (0, 1), 3.0)}
    assert histograms.of("c") is None
