"""What becomes of a VM that an I/O error has paused, or whose guest panicked?"""

import pytest

from outlast.core.owner.halting import Halted, Step, as_set, next_step
from outlast.model.guest import GuestCare, OnIoError, OnPanic
from outlast.model.health import Condition, Halt, Health

MOVE = GuestCare(on_io_error=OnIoError.MOVE, io_error_limit_s=60)
WAIT = GuestCare(on_io_error=OnIoError.WAIT)
FULL, FAILS = Halt.NO_SPACE, Halt.IO_ERROR


def halted(
    tries: int = 0, tried_at_s: float | None = None, asked_at_s: float | None = None, elsewhere: str = ""
) -> Halted:
    return Halted(1000.0, tries, tried_at_s, asked_at_s, elsewhere)


@pytest.mark.parametrize(
    ("at_s", "known", "halt", "care", "step"),
    [
        # It is tried again, first soon, then ever more seldom.
        (1001.9, halted(), FAILS, MOVE, Step.WAIT),
        (1002.0, halted(), FAILS, MOVE, Step.TRY),
        (1005.9, halted(1, 1002.0), FAILS, MOVE, Step.WAIT),
        (1006.0, halted(1, 1002.0), FAILS, MOVE, Step.TRY),
        (1059.0, halted(4, 1031.0), FAILS, MOVE, Step.WAIT),
        # Its limit has passed: does another node see its disks answer? Asked again and again, as long as none does.
        (1060.0, halted(4, 1031.0), FAILS, MOVE, Step.ASK_OTHERS),
        (1060.5, halted(4, 1031.0, 1060.0), FAILS, MOVE, Step.WAIT),
        (1074.0, halted(5, 1061.0, 1060.0), FAILS, MOVE, Step.WAIT),
        (1076.0, halted(5, 1061.0, 1060.0), FAILS, MOVE, Step.ASK_OTHERS),
        # One does: it is tried here once more, for it may answer here too by now; then it goes.
        (1061.0, halted(4, 1031.0, 1060.0, "n2"), FAILS, MOVE, Step.TRY),
        (1062.0, halted(5, 1061.0, 1060.0, "n2"), FAILS, MOVE, Step.FAIL),
        # A disk without space is the same from everywhere; and who is to wait, waits.
        (1090.0, halted(5, 1061.0), FULL, MOVE, Step.WAIT),
        (1091.0, halted(5, 1061.0), FULL, MOVE, Step.TRY),
        (9999.0, halted(50, 9990.0), FAILS, WAIT, Step.WAIT),
    ],
)
def test_it_tries_again_and_goes_where_its_disks_answer(
    at_s: float, known: Halted, halt: Halt, care: GuestCare, step: Step
) -> None:
    assert next_step(known, halt, care, at_s, "") is step


def test_what_is_left_alone_is_not_even_tried() -> None:
    assert next_step(halted(5, 1061.0, 1060.0, "n2"), FAILS, MOVE, 5000.0, "in maintenance: a disk") is Step.WAIT


PANIC = Health(Condition.FAILED, "the guest crashed (panic)", halt=Halt.PANIC)
KEPT = Health(Condition.FAILED, "the guest crashed (panic)", running=True, halt=Halt.PANIC)
KEEP = GuestCare(on_panic=OnPanic.KEEP)


@pytest.mark.parametrize(
    ("health", "care", "condition"),
    [
        (PANIC, GuestCare(), Condition.FAILED),
        (KEPT, GuestCare(), Condition.FAILED),
        (PANIC, KEEP, Condition.OFFLINE),
        (KEPT, KEEP, Condition.ONLINE),
        (Health(Condition.FAILED, "QEMU was ended by signal 9"), KEEP, Condition.FAILED),
        (Health(Condition.UNKNOWN, halt=Halt.PANIC), KEEP, Condition.UNKNOWN),
    ],
)
def test_a_panic_is_a_failure_unless_it_is_to_be_kept(health: Health, care: GuestCare, condition: Condition) -> None:
    assert as_set(health, care).condition is condition


def test_whoever_is_kept_says_so() -> None:
    assert "on_panic is keep" in as_set(PANIC, KEEP).why
