"""When is which member of the database made to give space back?"""

from outlast.core.quorum.upkeep import CallOff, Forget, Reclaim, Step, next_step
from outlast.model.upkeep import Size

MIB = 1024 * 1024


def size(name: str, total_mib: float = 200, used_mib: float = 20, **more: bool) -> Size:
    return Size(f"http://{name}", name, int(total_mib * MIB), int(used_mib * MIB), **more)


def reclaimed(step: Step | None) -> str:
    assert isinstance(step, Reclaim)
    return step.url.removeprefix("http://")


def played(*sizes: Size) -> list[str]:
    """The names of all steps of a round in which nothing changes."""
    done: list[Step] = []
    while step := next_step(sizes, done=done):
        done.append(step)
    return [reclaimed(step) if isinstance(step, Reclaim) else type(step).__name__ for step in done]


def test_what_pays_is_given_back_one_member_after_the_other_and_by_the_leader_last() -> None:
    assert played(size("n1", leads=True), size("n2"), size("n3")) == ["n2", "n3", "n1"]


def test_little_space_and_space_that_is_in_use_are_left_alone() -> None:
    assert played(size("n1", total_mib=60, used_mib=1), size("n2", used_mib=120)) == []


def test_nothing_is_given_back_while_a_member_is_away_for_then_each_other_one_is_needed() -> None:
    assert played(size("n1"), size("n2"), size("n3", reachable=False)) == []


def test_of_a_full_database_history_is_forgotten_first_then_space_given_back_then_the_alarm_called_off() -> None:
    full = [size("n1", 100, 99, full=True, leads=True), size("n2", 100, 99), size("n3", reachable=False)]
    assert played(*full) == ["Forget", "n2", "n1", "CallOff"]


def test_a_database_that_is_full_of_what_is_needed_is_tried_once_a_round() -> None:
    assert played(size("n1", 100, 99, full=True)) == ["Forget", "n1", "CallOff"]


def test_each_step_says_what_it_does_and_why() -> None:
    first = next_step([size("n1")], done=[])
    assert first is not None
    assert first.words == "n1 gives 180 MiB that are free back to its disk"
    assert isinstance(next_step([size("n1", full=True)], done=[]), Forget)
    last = next_step([size("n1", full=True)], done=[Forget(""), Reclaim("http://n1", "")])
    assert isinstance(last, CallOff)
    assert "may be written to again" in last.words
