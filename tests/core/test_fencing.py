"""Which fence device is tried next, and when is a node proven to be off?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.core.fence.fencing import (
    LONGEST_PAUSE_S,
    RETRY_S,
    Action,
    Confirmed,
    Failed,
    GiveUp,
    Ladder,
    Lied,
    Off,
    Proven,
    in_levels,
)
from outlast.model.fence import FenceDevice


def device(
    name: str, level: int = 1, *, attempts: int = 1, timeout_s: float = 20.0, delay_s: float = 0.0
) -> FenceDevice:
    return FenceDevice("fence_lab", name=name, level=level, attempts=attempts, timeout_s=timeout_s, delay_s=delay_s)


BOARD, OTHER_BOARD, STRIP = device("board"), device("other-board"), device("strip", 2)
LEFT, RIGHT = device("left"), device("right")


def asked(actions: list[Action]) -> list[str]:
    return [action.device for action in actions if isinstance(action, Off)]


def test_the_first_level_is_tried_first_and_its_word_is_enough() -> None:
    ladder = Ladder([STRIP, BOARD], 0.0)
    assert asked(ladder.handle(None, 0.0)) == ["board"]
    (proven,) = ladder.handle(Confirmed("board", "n2 is off"), 1.0)
    assert proven == Proven(("board",), "board confirmed: n2 is off")


def test_the_next_level_is_tried_at_once_when_one_has_failed() -> None:
    ladder = Ladder([BOARD, STRIP], 0.0)
    ladder.handle(None, 0.0)
    assert asked(ladder.handle(Failed("board"), 3.0)) == ["strip"]


def test_all_devices_of_a_level_are_asked_at_once_and_all_must_confirm() -> None:
    ladder = Ladder([LEFT, RIGHT], 0.0)
    assert asked(ladder.handle(None, 0.0)) == ["left", "right"]
    assert ladder.handle(Confirmed("left", "off"), 1.0) == []
    (proven,) = ladder.handle(Confirmed("right", "off"), 2.0)
    assert isinstance(proven, Proven)
    assert proven.devices == ("left", "right")


def test_one_power_supply_that_confirmed_is_nothing_when_the_other_has_failed() -> None:
    ladder = Ladder([LEFT, RIGHT, STRIP], 0.0)
    ladder.handle(None, 0.0)
    ladder.handle(Confirmed("left", "off"), 1.0)
    assert asked(ladder.handle(Failed("right"), 2.0)) == ["strip"]
    assert ladder.handle(Confirmed("left", "off"), 2.5) == [], "what comes late from another level counts for nothing"


def test_a_level_with_a_failed_device_does_not_wait_for_one_that_hangs() -> None:
    ladder = Ladder([LEFT, RIGHT, STRIP], 0.0)
    ladder.handle(None, 0.0)
    assert ladder.handle(Failed("right"), 2.0) == [GiveUp("left"), Off("strip", 20.0)]


def test_a_device_is_asked_again_as_often_as_it_may_while_its_time_lasts() -> None:
    ladder = Ladder([device("board", attempts=3), STRIP], 0.0)
    ladder.handle(None, 0.0)
    assert ladder.handle(Failed("board"), 1.0) == []
    assert ladder.deadline() == 1.0 + RETRY_S
    assert ladder.handle(None, 1.0 + RETRY_S) == [Off("board", 20.0 - 1.0 - RETRY_S)]
    ladder.handle(Failed("board"), 2.0)
    assert asked(ladder.handle(None, 2.0 + RETRY_S)) == ["board"]
    assert asked(ladder.handle(Failed("board"), 3.0)) == ["strip"]


def test_a_device_that_used_up_its_time_is_not_asked_again_on_this_round() -> None:
    ladder = Ladder([device("board", attempts=9), STRIP], 0.0)
    ladder.handle(None, 0.0)
    assert asked(ladder.handle(Failed("board"), 19.9)) == ["strip"]


def test_after_the_last_level_the_first_is_tried_again_with_pauses_that_grow_to_a_limit() -> None:
    ladder = Ladder([BOARD], 0.0)
    now, pauses = 0.0, []
    for _ in range(8):
        assert asked(ladder.handle(None, now)) == ["board"]
        assert ladder.handle(Failed("board"), now) == []
        deadline = ladder.deadline()
        assert deadline is not None
        pauses.append(deadline - now)
        now = deadline
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(2 * RETRY_S)
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_delay_is_waited_once_so_that_two_halves_do_not_shoot_each_other_at_the_same_moment() -> None:
    ladder = Ladder([device("board", delay_s=2.0)], 0.0, delay_s=3.0)
    assert ladder.handle(None, 0.0) == []
    assert ladder.deadline() == 5.0
    assert ladder.handle(None, 5.0) == [Off("board", 20.0)]
    ladder.handle(Failed("board"), 6.0)
    assert ladder.deadline() == 6.0 + 2 * RETRY_S


def test_a_level_whose_word_was_a_lie_has_failed() -> None:
    ladder = Ladder([BOARD, STRIP], 0.0)
    ladder.handle(None, 0.0)
    ladder.handle(Confirmed("board", "off"), 1.0)
    assert asked(ladder.handle(Lied(), 2.0)) == ["strip"]
    (proven,) = ladder.handle(Confirmed("strip", "off"), 3.0)
    assert isinstance(proven, Proven)


def test_without_a_device_nothing_is_asked_and_nothing_is_proven() -> None:
    ladder = Ladder([], 0.0)
    assert ladder.handle(None, 0.0) == []
    assert ladder.deadline() is None


DEVICES = st.lists(
    st.builds(device, st.sampled_from("abcdef"), st.integers(1, 3), attempts=st.integers(1, 3)),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.name,
)


@given(DEVICES, st.lists(st.sampled_from(["confirms", "fails", "time passes"]), max_size=40))
def test_whatever_the_devices_say_nothing_is_proven_but_by_a_whole_level_since_it_was_last_entered(
    devices: list[FenceDevice], answers: list[str]
) -> None:
    ladder, now = Ladder(devices, 0.0), 0.0
    waiting: list[str] = []
    since: dict[str, bool] = {}
    actions = ladder.handle(None, now)
    for answer in answers:
        for action in actions:
            match action:
                case Off(name):
                    waiting.append(name)
                    since[name] = False
                case GiveUp(name):
                    waiting.remove(name)
                case Proven(names):
                    assert all(since[name] for name in names)
                    assert names in [tuple(one.name for one in level) for level in in_levels(devices)]
                    return
        now += 1.0
        if answer == "time passes" or not waiting:
            now = max(now, ladder.deadline() or now)
            actions = ladder.handle(None, now)
        else:
            name = waiting.pop(0)
            since[name] = answer == "confirms"
            actions = ladder.handle(Confirmed(name, "off") if answer == "confirms" else Failed(name), now)
    assert waiting or ladder.deadline() is not None or actions, "it never stops trying"
