"""Would the checks notice? Each rule of safety is broken on purpose, and the same story must turn red by it."""

import pytest

from outlast.sim.bugs import Bug
from outlast.sim.seeds import Size, play_script, play_seed

SEEDS_UNTIL_FOUND = 250
TWO_VMS = ("vm web1", "vm web2", "start", "run 10")

STORIES: dict[Bug, tuple[int, str, tuple[str, ...]]] = {
    Bug.TAKE_OVER_WITHOUT_PROOF: (3, "world unfenced", (*TWO_VMS, "freeze n2", "run 30")),
    Bug.RENEW_FROM_ANSWER: (7, "world", (*TWO_VMS, "run 10")),
    Bug.FORGET_EPOCH: (4, "world", (*TWO_VMS, "kill vm web1", "run 10")),
    Bug.UNKNOWN_AS_FAILED: (3, "world", (*TWO_VMS, "libvirt silent n1", "run 20")),
    Bug.PERMIT_NOT_KEPT: (7, "world unfenced", (*TWO_VMS, "freeze service n2", "run 30")),
    Bug.SESSION_BEFORE_STOP: (
        3,
        "world unfenced",
        (*TWO_VMS, "kill service n2 restart=never", "kill host n2", "run 30", "service start n2", "run 30"),
    ),
    Bug.HEAL_WHAT_WAS_SWITCHED_OFF: (5, "world", (*TWO_VMS, "guest shutdown web1", "run 20")),
    Bug.RESET_WHAT_WORKS: (
        21,
        "world",
        ("vm web1 agent hang=reset", "start", "run 60", "guest hang web1 busy", "run 120"),
    ),
    Bug.START_WITHOUT_ROLL_CALL: (
        10,
        "world members=3",
        (
            *TWO_VMS,
            *("run 40", "power off n3", "run 5", "disk save n2", "run 50", "power off n1", "run 0.01", "power off n2"),
            *("disk restore n2", "power on n2", "power on n3", "run 30"),
        ),
    ),
    Bug.ASK_NOBODY: (11, "world", (*TWO_VMS, "run 40", "database cut all", "run 60")),
}
"""The invariant that must break, the world, and what happens in it."""


@pytest.mark.parametrize("bug", Bug)
def test_a_planted_bug_breaks_the_invariant_that_guards_its_rule(bug: Bug) -> None:
    invariant, world, lines = STORIES[bug]
    broken = play_script([f"{world} bugs={bug.value}", *lines])
    assert any(f"invariant {invariant}:" in words for words in broken), broken


@pytest.mark.parametrize("bug", Bug)
def test_without_the_bug_the_same_story_is_fine(bug: Bug) -> None:
    _, world, lines = STORIES[bug]
    assert play_script([world, *lines]) == ()


def test_a_fence_device_that_lies_is_noticed() -> None:
    lines = ["world", *TWO_VMS, "fence n2 lies", "freeze n2", "run 30"]
    assert any("invariant 3" in words for words in play_script(lines))


def test_fence_devices_that_lie_to_two_halves_are_noticed() -> None:
    """Each believes that the other one is off: before both have gone on alone, both count on it."""
    lies = ("fence n1 lies", "fence n2 lies", "split n1 n2", "run 60")
    broken = play_script(["world nodes=2 members=2", *TWO_VMS, "run 60", *lies])
    assert any("invariant 7" in words for words in broken), broken


@pytest.mark.parametrize("bug", Bug)
def test_random_seeds_find_a_planted_bug(bug: Bug) -> None:
    size = Size(nodes=3, vms=6, minutes=4)
    found = (play_seed(seed, size, frozenset([bug])).broken for seed in range(SEEDS_UNTIL_FOUND))
    assert any(found), f"{SEEDS_UNTIL_FOUND} seeds did not find {bug.value}"
