"""Random faults from many seeds: after every step the invariants hold, and when faults stop, all is well in time."""

import os

import pytest

from outlast.sim.campaign import play_seeds
from outlast.sim.seeds import Size, play_script, play_seed, script, shrink

SEEDS = 200


def test_no_seed_breaks_an_invariant() -> None:
    jobs = min(2, os.cpu_count() or 1)
    failed = [timed.outcome for timed in play_seeds(range(SEEDS), Size(), jobs=jobs) if timed.outcome.broken]
    if failed:
        failed.sort(key=lambda outcome: outcome.seed)
        seeds = ", ".join(str(outcome.seed) for outcome in failed)
        pytest.fail(f"seeds that failed: {seeds}. The first, as a scenario:\n{shrink(failed[0]).scenario}")


def test_a_seed_plays_the_same_each_time() -> None:
    size = Size(vms=4, minutes=3)
    assert play_log(11, size) == play_log(11, size)


def play_log(seed: int, size: Size) -> tuple[tuple[str, ...], ...]:
    from outlast.sim.scenario import play, read

    return play(read("\n".join([*script(seed, size), "----"]))).logs


def test_a_seed_is_a_scenario_that_repeats_it() -> None:
    outcome = play_seed(5, Size(vms=3, minutes=2))
    assert play_script(outcome.script) == outcome.broken


def test_shrinking_keeps_the_failure_and_leaves_out_what_it_does_not_need() -> None:
    lines = (
        "world unfenced bugs=take-over-without-proof",
        "vm web1",
        "vm web2",
        "start",
        "run 10",
        "kill vm web1",
        "run 5",
        "clock n1 jump=10",
        "run 5",
        "freeze n2",
        "run 10",
        "guest shutdown web1",
        "run 20",
    )
    from outlast.sim.seeds import Outcome

    whole = Outcome(0, play_script(lines), lines)
    assert whole.broken
    least = shrink(whole)
    assert "invariant 3" in least.broken[0]
    assert [line for line in least.script if not line.startswith("run ")] == [*lines[:4], "freeze n2"]


def test_a_world_of_five_nodes_holds_as_well() -> None:
    for seed in range(3):
        assert play_seed(seed, Size(nodes=5, vms=12, minutes=5)).broken == ()
