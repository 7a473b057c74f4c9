"""What a resource host does about the run permit, by example. Times are seconds of one clock; now is 100."""

from outlast.core.membership.permit import RECORD_BYTES, Guard, Judgement, Order, PermitRecord, from_bytes, to_bytes

NOW_S = 100.0


def record(service: str = "ours", until_s: float = NOW_S + 5) -> PermitRecord:
    return PermitRecord(service, 1, until_s)


def guard_that_has_seen_its_permit() -> Guard:
    guard = Guard("ours")
    guard.judge(record(), NOW_S, service_gone=False)
    return guard


def order(guard: Guard, found: PermitRecord | None, *, service_gone: bool = False, now_s: float = NOW_S) -> Order:
    return guard.judge(found, now_s, service_gone=service_gone).order


def test_before_its_service_gives_a_permit_a_host_starts_nothing_and_stops_nothing() -> None:
    assert order(Guard("ours"), None) is Order.WAIT
    assert order(Guard("ours"), record("the service before", NOW_S - 50)) is Order.WAIT


def test_while_the_permit_lasts_things_run_and_the_host_sleeps_until_its_end() -> None:
    assert Guard("ours").judge(record(), NOW_S, service_gone=False) == Judgement(Order.RUN, NOW_S + 5)


def test_when_the_permit_has_passed_everything_is_stopped() -> None:
    guard = guard_that_has_seen_its_permit()
    assert order(guard, record(), now_s=NOW_S + 4.9) is Order.RUN
    assert order(guard, record(), now_s=NOW_S + 5) is Order.STOP


def test_the_latest_permit_counts_also_when_it_ends_earlier() -> None:
    assert order(guard_that_has_seen_its_permit(), record(until_s=NOW_S - 1)) is Order.STOP


def test_a_file_that_cannot_be_read_any_more_does_not_prolong_what_was_read_last() -> None:
    guard = guard_that_has_seen_its_permit()
    assert order(guard, None) is Order.RUN
    assert order(guard, None, now_s=NOW_S + 6) is Order.STOP


def test_the_end_of_the_service_is_no_reason_to_stop_anything_while_the_permit_lasts() -> None:
    assert order(guard_that_has_seen_its_permit(), record(), service_gone=True) is Order.RUN


def test_an_orphan_stops_everything_when_the_permit_has_passed() -> None:
    assert order(guard_that_has_seen_its_permit(), record(), service_gone=True, now_s=NOW_S + 6) is Order.STOP


def test_an_orphan_leaves_when_another_service_has_a_permit_because_its_hosts_guard_now() -> None:
    assert order(guard_that_has_seen_its_permit(), record("the next"), service_gone=True) is Order.LEAVE


def test_another_services_permit_that_has_passed_guards_nothing() -> None:
    guard = guard_that_has_seen_its_permit()
    found = record("the next", NOW_S + 1)
    assert order(guard, found, service_gone=True, now_s=NOW_S + 2) is Order.RUN
    assert order(guard, found, service_gone=True, now_s=NOW_S + 6) is Order.STOP


def test_an_orphan_that_never_had_a_permit_leaves_at_once() -> None:
    assert order(Guard("ours"), None, service_gone=True) is Order.LEAVE
    assert order(Guard("ours"), record("the service before"), service_gone=True) is Order.LEAVE


def test_a_record_survives_its_file() -> None:
    data = to_bytes(record())
    assert len(data) == RECORD_BYTES
    assert data.startswith(b"outlast-permit 1 ours 1 105.000000 ")
    assert from_bytes(data) == record()


def test_half_of_one_record_and_half_of_another_is_no_record() -> None:
    old, new = to_bytes(record(until_s=1000.0)), to_bytes(record(until_s=2222.5))
    torn = [new[:cut] + old[cut:] for cut in range(1, RECORD_BYTES) if new[:cut] + old[cut:] not in (old, new)]
    assert torn
    assert {from_bytes(data) for data in torn} == {None}


def test_an_empty_or_foreign_file_is_no_record() -> None:
    assert {from_bytes(data) for data in (b"", b"\0" * RECORD_BYTES, b"hello\n", b"a b c d e f")} == {None}
