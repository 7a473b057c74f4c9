"""A VM's guest has panicked, or an I/O error has paused it: what does that amount to, by what is set for it?

An I/O error leaves the request that failed in QEMU, which repeats it when the VM goes on: the guest has seen nothing of
it. So trying is safe, as often as one likes, as long as this node may run the VM at all: if the disk still fails, it is
paused again at once, and nothing was lost. Waiting has a limit where another node can have it; but a disk without space
left is the same from everywhere.
"""

import enum

import msgspec

from outlast.model.guest import GuestCare, OnIoError, OnPanic
from outlast.model.health import Condition, Halt, Health

FIRST_TRY_S = 2.0
LAST_TRY_S = 30.0
"""Between two tries; it doubles from the first on."""
ASK_OTHERS_S = 15.0
"""Between two questions to the other nodes whether the disks answer there."""


def as_set(health: Health, care: GuestCare) -> Health:
    """What a plugin's word means by the policy."""
    if health.halt is not Halt.PANIC or care.on_panic is OnPanic.RESTART or health.condition is not Condition.FAILED:
        return health
    words = f"{health.why}; it is kept so (on_panic is keep)"
    condition = Condition.ONLINE if health.running else Condition.OFFLINE
    return msgspec.structs.replace(health, condition=condition, why=words)


class Step(enum.Enum):
    WAIT = "wait"
    TRY = "try"
    """Let it go on."""
    ASK_OTHERS = "ask others"
    """Does another node see its disks answer?"""
    FAIL = "fail"


class Halted(msgspec.Struct, frozen=True):
    """A VM that an I/O error has paused. Times are the monotonic clock of its node."""

    since_s: float
    tries: int = 0
    tried_at_s: float | None = None
    asked_at_s: float | None = None
    elsewhere: str = ""
    """The node that said its disks answer there, when it was asked last; empty: none did."""

    def next_try_s(self) -> float:
        if self.tried_at_s is None:
            return self.since_s + FIRST_TRY_S
        return self.tried_at_s + float(min(LAST_TRY_S, FIRST_TRY_S * 2.0**self.tries))


def next_step(halted: Halted, halt: Halt, care: GuestCare, now_s: float, left_alone: str) -> Step:
    """`left_alone`: why nothing is healed now; it is then not tried either: who mends it may have paused it so."""
    if left_alone:
        return Step.WAIT
    due = (
        care.on_io_error is OnIoError.MOVE and halt is Halt.IO_ERROR and now_s - halted.since_s >= care.io_error_limit_s
    )
    # Before it is given up here it is tried once more: what is well on another node may be well here by now.
    last_try = due and bool(halted.elsewhere)
    if last_try and (halted.tried_at_s or 0.0) >= (halted.asked_at_s or 0.0):
        return Step.FAIL
    if last_try or now_s >= halted.next_try_s():
        return Step.TRY
    if due and (halted.asked_at_s is None or now_s - halted.asked_at_s >= ASK_OTHERS_S):
        return Step.ASK_OTHERS
    return Step.WAIT
