"""Calls that must not overtake each other, and calls that must not wait for each other."""

import threading

from outlast.rhs.lanes import Lane

HANG_S = 60.0


def wait(event: threading.Event) -> None:
    event.wait(HANG_S)


def test_the_jobs_of_a_lane_run_one_at_a_time_and_in_order() -> None:
    lane, done, order, running = Lane("it"), threading.Event(), list[int](), threading.Lock()

    def job(number: int) -> None:
        assert running.acquire(blocking=False)
        order.append(number)
        running.release()
        if number == 999:
            done.set()

    for number in range(1000):
        lane.submit(lambda number=number: job(number))  # type: ignore[misc]
    assert done.wait(HANG_S)
    assert order == list(range(1000))


def test_a_job_that_hangs_holds_up_its_own_lane_only() -> None:
    hold, other, behind = threading.Event(), threading.Event(), threading.Event()
    stuck = Lane("stuck")
    stuck.submit(lambda: wait(hold))
    stuck.submit(behind.set)
    Lane("other").submit(other.set)
    assert other.wait(HANG_S)
    assert not behind.is_set()
    hold.set()
    assert behind.wait(HANG_S)


def test_what_was_dropped_does_not_run_and_what_comes_later_does() -> None:
    hold, later, dropped = threading.Event(), threading.Event(), threading.Event()
    lane = Lane("it")
    lane.submit(lambda: wait(hold))
    lane.submit(dropped.set)
    lane.drop_waiting()
    lane.submit(later.set)
    hold.set()
    assert later.wait(HANG_S)
    assert not dropped.is_set()


def test_a_lane_without_work_has_no_thread() -> None:
    lane = Lane("a name of its own")
    done = threading.Event()
    lane.submit(done.set)
    assert done.wait(HANG_S)
    for thread in threading.enumerate():
        if thread.name == "a name of its own":
            thread.join(HANG_S)
    assert "a name of its own" not in {thread.name for thread in threading.enumerate()}
