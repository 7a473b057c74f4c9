"""Does a guest hang? And what is to be done about it?

Rule 1: a guest gives a *sign of life* when its agent answers, when it computes, or when it asks its disks for anything.
It hangs when `heartbeat_threshold` looks in a row found none, and never for less: what works is not reset, however deaf
its agent is.
Rule 2: nothing is held against a guest whose agent has not answered since it was started (it boots, or has none), is
away (it was stopped in order, which closes its end of the channel), or that stands still (paused). Whoever is away or
reset begins anew.
Rule 3: what could not be asked or counted is no sign of death.

Rule 4: guests do not hang together. Where several do at once, and more than half of those that are asked on a node, it
is the node, or its storage, and to reset them would only lose what they hold: nothing is done about any of them.

A kernel that spins in an endless loop computes: this does not see it, and pvpanic or a watchdog device in the VM does.
"""

import enum

import msgspec

from outlast.model.guest import GuestCare, OnHang
from outlast.model.inside import Answer, Finding

BUSY_SHARE = 0.10
"""Of one processor: who uses more works. (Measured, in plain emulation: a Linux guest that only writes a line a second
0.022, one that does nothing 0.005.)"""


class H(enum.Enum):
    """How a guest is. The words appear in `vm show`, in events and docs."""

    UNWATCHED = "not watched"
    """It has no channel for an agent, or is not to be asked."""
    AWAITED = "its agent has not answered yet"
    ANSWERS = "answers"
    BUSY = "does not answer, but works"
    QUIET = "does not answer"
    HANGS = "hangs"
    AWAY = "its agent is away"
    STANDS = "paused"


class Sign(enum.Enum):
    """What one look has found."""

    ANSWERED = "answered"
    WORKED = "worked"
    NONE = "neither"
    """No answer and no work: the only one that counts against it."""
    ABSENT = "agent away"
    NO_WAY = "no agent"
    STOOD = "paused"
    UNTOLD = "cannot be told"


class Beats(msgspec.Struct, frozen=True):
    """What is known of a guest since it was started. Times are the monotonic clock of its node."""

    state: H = H.AWAITED
    came: bool = False
    """Its agent has answered since."""
    none: int = 0
    """Looks in a row that found no sign of life."""
    looked_at_s: float | None = None
    answered_at_s: float | None = None
    cpu_s: float | None = None
    io_requests: int | None = None


TRANSITIONS: dict[tuple[bool, Sign], H] = {
    # Nobody has answered since it was started: nothing is held against it.
    (False, Sign.ANSWERED): H.ANSWERS,
    (False, Sign.WORKED): H.AWAITED,
    (False, Sign.NONE): H.AWAITED,
    (False, Sign.ABSENT): H.AWAITED,
    (False, Sign.NO_WAY): H.UNWATCHED,
    (False, Sign.STOOD): H.STANDS,
    # Its agent has answered before.
    (True, Sign.ANSWERED): H.ANSWERS,
    (True, Sign.WORKED): H.BUSY,
    (True, Sign.NONE): H.QUIET,  # and HANGS with the last of so many in a row
    (True, Sign.ABSENT): H.AWAY,
    (True, Sign.NO_WAY): H.UNWATCHED,
    (True, Sign.STOOD): H.STANDS,
}
"""By whether its agent has come, and the sign. What cannot be told changes nothing."""


def sign(before: Beats, found: Finding, now_s: float) -> Sign:
    if found.stands:
        return Sign.STOOD
    match found.answer:
        case Answer.YES:
            return Sign.ANSWERED
        case Answer.ABSENT:
            return Sign.ABSENT
        case Answer.NO_WAY:
            return Sign.NO_WAY
        case Answer.UNTOLD:
            return Sign.UNTOLD
    counts = (before.cpu_s, found.cpu_s, before.io_requests, found.io_requests, before.looked_at_s)
    if None in counts or now_s <= (before.looked_at_s or 0.0):
        return Sign.UNTOLD
    computed_s = (found.cpu_s or 0.0) - (before.cpu_s or 0.0)
    asked = (found.io_requests or 0) - (before.io_requests or 0)
    worked = asked != 0 or computed_s < 0 or computed_s / (now_s - (before.looked_at_s or 0.0)) >= BUSY_SHARE
    return Sign.WORKED if worked else Sign.NONE


def looked(before: Beats, found: Finding, care: GuestCare, now_s: float) -> Beats:
    """After a look at it."""
    seen = sign(before, found, now_s)
    state = TRANSITIONS.get((before.came, seen), before.state)
    none = before.none + 1 if seen is Sign.NONE and before.came else before.none if seen is Sign.UNTOLD else 0
    if state is H.QUIET and none >= care.heartbeat_threshold:
        state = H.HANGS
    return Beats(
        state=state,
        # Who is back after he was away may be another agent, on another guest: it must answer first.
        came=seen is Sign.ANSWERED or (before.came and seen not in (Sign.ABSENT, Sign.NO_WAY)),
        none=none,
        looked_at_s=now_s,
        answered_at_s=now_s if seen is Sign.ANSWERED else before.answered_at_s,
        cpu_s=found.cpu_s,
        io_requests=found.io_requests,
    )


def unseen(before: Beats) -> Beats:
    """It was on its way to another node, or its host was away: what was counted before says nothing any more."""
    return msgspec.structs.replace(before, none=0, looked_at_s=None, cpu_s=None, io_requests=None)


FEWEST_TOGETHER = 3


def together(lifeless: int, watched: int) -> str:
    """Why nothing is done about a guest that hangs, for people; empty when it hangs for itself. `lifeless`: of the
    `watched` guests of this node whose agents have answered, those that gave no sign of life when looked at last."""
    if lifeless < FEWEST_TOGETHER or 2 * lifeless <= watched:
        return ""
    return f"{lifeless} of {watched} guests here give no sign of life at once, which is no guest's own fault"


def stands(before: Beats) -> Beats:
    """Something has stopped it: it is not asked before it goes on."""
    return msgspec.structs.replace(unseen(before), state=H.STANDS)


class Remedy(enum.Enum):
    NOTHING = "nothing"
    RESET = "reset"
    FAIL = "fail"
    """Here nothing more can be done for it: it has failed, and goes where a failure takes it."""


REMEDIES: dict[tuple[OnHang, bool], Remedy] = {
    (OnHang.REPORT, False): Remedy.NOTHING,
    (OnHang.REPORT, True): Remedy.NOTHING,
    (OnHang.RESET, False): Remedy.RESET,
    (OnHang.RESET, True): Remedy.FAIL,
}
"""By what was asked for, and whether its resets are spent."""


def remedy(beats: Beats, care: GuestCare, resets: int, left_alone: str) -> Remedy:
    """`resets`: within the period that is now. `left_alone`: why nothing is to be healed now; empty: it is."""
    if beats.state is not H.HANGS or left_alone:
        return Remedy.NOTHING
    return REMEDIES[care.on_hang, resets >= care.resets]


def within(at_s: list[float], period_s: float, now_s: float) -> list[float]:
    """Those that lie in the period before now."""
    return [one for one in at_s if now_s - one < period_s]
