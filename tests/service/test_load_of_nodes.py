"""What the nodes had to do in the last day, asked of any of them: the real service, in the simulated world."""

from typing import Any

import pytest
from played import Refused, asked, play, played

from outlast.model import keys
from outlast.sim.load import CPUS, HOST_CPUS, HOST_MIB, MEMORY_MIB, VM_CPUS
from outlast.sim.world import World

CLUSTER = ("world nodes=3", "vm web1 memory=512 preferred=n1", "vm web2 memory=512 preferred=n1", "start", "run 20")
QUIET = HOST_CPUS / CPUS
BUSY = (HOST_CPUS + 2 * VM_CPUS) / CPUS


def load(world: World, of: str, by: str = "n2", **arguments: Any) -> dict[str, Any]:
    (found,) = asked(world, by, "node.load", node=of, **arguments)
    assert found["node"] == of
    return dict(found) | {"steps": list(found["steps"])}


def at(found: dict[str, Any]) -> list[int]:
    return [step["at_s"] for step in found["steps"]]


def test_any_node_tells_it_of_all_of_them() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 300")
        for by in ("n1", "n2", "n3"):
            found = {one["node"]: one for one in asked(world, by, "node.load")}
            assert sorted(found) == ["n1", "n2", "n3"]
            assert [one["why"] for one in found.values()] == ["", "", ""]
            assert found["n1"]["now"]["cpu"] == pytest.approx(BUSY)
            assert found["n1"]["now"]["vms"] == 2
            assert found["n1"]["now"]["memory_mib"] == HOST_MIB + 2 * 512
            assert found["n3"]["now"]["cpu"] == pytest.approx(QUIET)
            assert found["n3"]["now"]["vms"] == 0
            assert (found["n3"]["cpus"], found["n3"]["memory_mib"]) == (CPUS, MEMORY_MIB)


def test_each_minute_is_there_with_its_peak_and_several_are_one_step() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 270", "admin n2 group.offline name=web1", "run 320")
        minutes = load(world, "n1")
        assert [late - early for early, late in zip(at(minutes), at(minutes)[1:], strict=False)] == [60] * 10
        (off,) = (step for step in minutes["steps"] if step["cpu"] < step["cpu_peak"])
        assert off["cpu_peak"] == pytest.approx(BUSY), "web1 ran for a part of that minute"
        assert minutes["day"]["cpu_peak"] == off["cpu_peak"]
        assert minutes["day"]["cpu"] < off["cpu_peak"]
        steps = load(world, "n1", step_min=5)
        assert {one % 300 for one in at(steps)} == {0}
        assert len(steps["steps"]) == 3
        assert steps["day"] == minutes["day"]


def test_nothing_of_it_is_written_to_the_database() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 60")
        before = {entry.key: entry.revision for entry in world.database.entries("")}
        play(world, "run 300")
        changed = {entry.key for entry in world.database.entries("") if before.get(entry.key) != entry.revision}
        assert {key for key in changed if not key.startswith(keys.SESSIONS)} == set()


def test_a_restart_of_the_service_loses_no_more_than_the_present_minute() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 300")
        before = load(world, "n1")
        play(world, "kill service n1", "run 100")
        after = load(world, "n1")
        assert set(at(before)[:-1]) <= set(at(after))
        assert [one for one in after["steps"] if one["at_s"] <= at(before)[-2]] == before["steps"][:-1]


def test_a_node_that_lost_its_power_says_nothing_and_has_a_gap_when_it_is_back() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 200", "power off n1", "run 200")
        lost = load(world, "n1")
        assert lost["why"].startswith("it is dead: ")
        assert (lost["steps"], lost["day"], lost["now"]) == ([], None, None)
        assert load(world, "n3")["why"] == "", "the others do"
        play(world, "power on n1", "run 150")
        back = load(world, "n1")
        between = [late - early for early, late in zip(at(back), at(back)[1:], strict=False)]
        assert back["why"] == ""
        assert max(between) > 180, "the gap stays a gap"
        assert back["day"]["vms"] == 2, "what it had to do before is still there"


def test_a_link_that_is_cut_is_the_reason_that_is_told() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 100", "cut n1 n2 service")
        assert load(world, "n1", by="n2")["why"] == "n1 did not answer within 3.0 s"
        assert load(world, "n1", by="n3")["why"] == ""


def test_a_clock_that_is_set_leaves_a_gap_and_no_nonsense() -> None:
    with played(*CLUSTER) as world:
        play(world, "run 200", "clock n1 jump=7200", "run 200")
        found = load(world, "n1")
        assert max(step["cpu_peak"] for step in found["steps"]) <= BUSY + 0.001
        assert at(found) == sorted(set(at(found)))
        assert at(found)[-1] - at(found)[0] >= 7200


@pytest.mark.parametrize(
    ("arguments", "words"), [({"node": "n9"}, 'there is no node "n9"'), ({"step_min": 0}, "node.load cannot be done")]
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], words: str) -> None:
    with played(*CLUSTER) as world, pytest.raises(Refused, match=words) as refused:
        asked(world, "n1", "node.load", **arguments)
    assert refused.value.kind == "usage"
