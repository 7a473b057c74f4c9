"""Too many wrong passwords: for one name, from one address."""

from outlast.core.access.limiting import (
    MOST_KEPT,
    PER_ADDRESS,
    PER_USER,
    WINDOW_S,
    Failures,
    failed,
    forgiven,
    succeeded,
    wait_s,
)


def test_after_so_many_failures_a_name_waits_wherever_it_is_tried_from() -> None:
    failures = Failures()
    for number in range(PER_USER):
        assert wait_s(failures, "anna", "10.0.0.9", 100.0 + number) == 0
        failed(failures, "anna", f"10.0.0.{number}", 100.0 + number)
    assert wait_s(failures, "anna", "10.0.0.99", 110.0) == WINDOW_S - 10.0
    assert wait_s(failures, "otto", "10.0.0.99", 110.0) == 0


def test_an_address_waits_whatever_names_it_tries() -> None:
    failures = Failures()
    for number in range(PER_ADDRESS):
        failed(failures, f"user{number}", "10.0.0.9", 100.0)
    assert wait_s(failures, "anna", "10.0.0.9", 100.0) == WINDOW_S
    assert wait_s(failures, "anna", "10.0.0.8", 100.0) == 0


def test_it_is_over_when_the_time_has_passed() -> None:
    failures = Failures()
    for _ in range(PER_USER):
        failed(failures, "anna", "10.0.0.9", 100.0)
    assert wait_s(failures, "anna", "10.0.0.9", 100.0 + WINDOW_S) == 0


def test_a_right_password_clears_the_name_and_takes_one_failure_from_the_address() -> None:
    failures = Failures()
    for _ in range(PER_ADDRESS):
        failed(failures, "anna", "10.0.0.9", 100.0)
    succeeded(failures, "anna", "10.0.0.9")
    assert wait_s(failures, "anna", "10.0.0.9", 100.0) == 0
    failed(failures, "otto", "10.0.0.9", 100.0)
    assert wait_s(failures, "anna", "10.0.0.9", 100.0) > 0


def test_what_said_nothing_of_a_password_is_not_counted_and_clears_nothing() -> None:
    failures = Failures()
    for _ in range(PER_USER - 1):
        failed(failures, "anna", "10.0.0.9", 100.0)
    for _ in range(PER_ADDRESS):
        failed(failures, "anna", "10.0.0.9", 100.0)
        forgiven(failures, "anna", "10.0.0.9")
    assert wait_s(failures, "anna", "10.0.0.9", 100.0) == 0
    failed(failures, "anna", "10.0.0.9", 100.0)
    assert wait_s(failures, "anna", "10.0.0.9", 100.0) > 0


def test_what_is_kept_is_bounded() -> None:
    failures = Failures()
    for number in range(MOST_KEPT + 50):
        failed(failures, f"user{number}", "10.0.0.9", 100.0)
    assert len(failures.times) <= MOST_KEPT
    assert wait_s(failures, "anna", "10.0.0.9", 100.0) > 0, "the address was used again and again: it is not forgotten"
