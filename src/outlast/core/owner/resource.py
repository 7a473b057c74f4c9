"""The life of one resource on one node, as a table.

Rule 1: every change of state is a row of TRANSITIONS. Nothing else sets a state.
Rule 2: a pair that is not in the table changes nothing: the same question is asked again when it can be answered.
Rule 3: OFFLINE and FAILED mean that nothing runs, on positive evidence: a stop that returned, or a report that says
so. A host that died proves nothing: what it had started may still run.

The shell (`service/hosting/resources.py`) carries out the calls, keeps their deadlines, and feeds the results back in.
"""

import enum

import msgspec

from outlast.model.health import Condition, Health
from outlast.model.status import State


class S(enum.Enum):
    """A resource's state on this node. The words appear in docs and logs."""

    DETACHED = "detached"
    """No host has it open: what runs is not known."""
    OPENING = "opening"
    OFFLINE = "offline"
    ONLINE_PENDING = "online pending"
    ONLINE = "online"
    UNCERTAIN = "uncertain"
    """It was online, and now its plugin cannot tell."""
    OFFLINE_PENDING = "offline pending"
    TERMINATING = "terminating"
    FAILING = "failing"
    """It failed, and what may be left of it is being terminated."""
    FAILED = "failed"
    STUCK = "stuck"
    """It could not be terminated: it may still run."""
    HANDING_OVER = "handing over"
    """It runs here, and is on its way to another node as it runs."""
    CALLING_BACK = "calling back"
    """Likewise, and it is to stay after all: how that ends is not known yet."""
    SAVING = "saving"
    """Its state is being put away: it ends here when that is done."""
    HANDED_OVER = "handed over"
    """It stands on another node, complete, and nothing of it runs here."""
    RECEIVED = "received"
    """What another node hands over stands here, still. It runs on when the database names this node its owner. So does
    what somebody brought or started here past the cluster."""
    HOLDING = "being held"
    """It ran here, which this node does not own, and is being made to stand still."""


class E(enum.Enum):
    WANT_ONLINE = "wanted online"
    WANT_OFFLINE = "wanted offline"
    WANT_TERMINATED = "wanted gone at once"
    ATTACH = "host ready"
    FOUND_ONLINE = "found online"
    FOUND_OFFLINE = "found offline"
    FOUND_FAILED = "found failed"
    FOUND_UNCERTAIN = "cannot tell"
    CALL_DONE = "call done"
    CALL_FAILED = "call failed"
    CALL_TIMED_OUT = "call timed out"
    FAILS = "fails, may still run"
    FOUND_TOO_LATE = "found online, where it is about to go"
    WANT_HANDED_OVER = "wanted handed over"
    WANT_SAVED = "wanted saved"
    WANT_CALLED_BACK = "wanted to stay"
    WANT_TAKEN_UP = "wanted to run on"
    WANT_STILL = "wanted to stand still"
    FOUND_STANDING = "found standing still"
    FOUND_LEFT = "found gone to another node"
    HOST_DIED = "host died"
    RETRY = "retry"


class Call(enum.Enum):
    NONE = ""
    OPEN = "open"
    ONLINE = "online"
    OFFLINE = "offline"
    TERMINATE = "terminate"
    HAND_OVER = "hand over"
    CALL_BACK = "call back"
    """Made beside the call that it is about, which goes on."""
    TAKE_UP = "take up"
    STAND_STILL = "stand still"
    SAVE = "save"


TRANSITIONS: dict[tuple[S, E], tuple[S, Call]] = {
    # A host opens it and finds out what is there; nothing is started by that (rule 7 of the design).
    (S.DETACHED, E.ATTACH): (S.OPENING, Call.OPEN),
    (S.OPENING, E.FOUND_ONLINE): (S.ONLINE, Call.NONE),
    (S.OPENING, E.FOUND_OFFLINE): (S.OFFLINE, Call.NONE),
    (S.OPENING, E.FOUND_FAILED): (S.FAILED, Call.NONE),
    (S.OPENING, E.FAILS): (S.FAILING, Call.TERMINATE),
    (S.OPENING, E.FOUND_UNCERTAIN): (S.UNCERTAIN, Call.NONE),
    (S.OPENING, E.CALL_FAILED): (S.DETACHED, Call.NONE),
    (S.OPENING, E.CALL_TIMED_OUT): (S.DETACHED, Call.NONE),
    # Online.
    (S.OFFLINE, E.WANT_ONLINE): (S.ONLINE_PENDING, Call.ONLINE),
    (S.FAILED, E.WANT_ONLINE): (S.ONLINE_PENDING, Call.ONLINE),
    (S.ONLINE_PENDING, E.CALL_DONE): (S.ONLINE, Call.NONE),
    (S.ONLINE_PENDING, E.CALL_FAILED): (S.FAILING, Call.TERMINATE),
    (S.ONLINE_PENDING, E.CALL_TIMED_OUT): (S.FAILING, Call.TERMINATE),
    (S.ONLINE_PENDING, E.FOUND_FAILED): (S.FAILING, Call.TERMINATE),
    (S.ONLINE_PENDING, E.FAILS): (S.FAILING, Call.TERMINATE),
    (S.ONLINE_PENDING, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    # While it is online, polls and reports say how it is.
    (S.ONLINE, E.FOUND_FAILED): (S.FAILED, Call.NONE),
    (S.ONLINE, E.FAILS): (S.FAILING, Call.TERMINATE),
    (S.ONLINE, E.FOUND_OFFLINE): (S.OFFLINE, Call.NONE),
    (S.ONLINE, E.FOUND_UNCERTAIN): (S.UNCERTAIN, Call.NONE),
    (S.UNCERTAIN, E.FOUND_ONLINE): (S.ONLINE, Call.NONE),
    # What a former host had begun with it may still be under way: that is ended first.
    (S.UNCERTAIN, E.ATTACH): (S.OPENING, Call.OPEN),
    (S.UNCERTAIN, E.FOUND_FAILED): (S.FAILED, Call.NONE),
    (S.UNCERTAIN, E.FAILS): (S.FAILING, Call.TERMINATE),
    (S.UNCERTAIN, E.FOUND_OFFLINE): (S.OFFLINE, Call.NONE),
    # A new host must have open what is off as well, to see when somebody starts it.
    (S.OFFLINE, E.ATTACH): (S.OFFLINE, Call.OPEN),
    (S.FAILED, E.ATTACH): (S.FAILED, Call.OPEN),
    # Somebody started it at the host's console.
    (S.OFFLINE, E.FOUND_ONLINE): (S.ONLINE, Call.NONE),
    (S.FAILED, E.FOUND_ONLINE): (S.ONLINE, Call.NONE),
    # In the moment in which it may be given to another node, by this one's word that nothing runs here.
    (S.FAILED, E.FOUND_TOO_LATE): (S.FAILING, Call.TERMINATE),
    (S.OFFLINE, E.FOUND_TOO_LATE): (S.TERMINATING, Call.TERMINATE),
    (S.HANDED_OVER, E.FOUND_TOO_LATE): (S.TERMINATING, Call.TERMINATE),
    # Offline, in order or at once.
    (S.ONLINE, E.WANT_OFFLINE): (S.OFFLINE_PENDING, Call.OFFLINE),
    (S.UNCERTAIN, E.WANT_OFFLINE): (S.OFFLINE_PENDING, Call.OFFLINE),
    (S.OFFLINE_PENDING, E.CALL_DONE): (S.OFFLINE, Call.NONE),
    (S.OFFLINE_PENDING, E.CALL_FAILED): (S.TERMINATING, Call.TERMINATE),
    (S.OFFLINE_PENDING, E.CALL_TIMED_OUT): (S.TERMINATING, Call.TERMINATE),
    (S.ONLINE, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    (S.UNCERTAIN, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    (S.OFFLINE_PENDING, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    (S.TERMINATING, E.CALL_DONE): (S.OFFLINE, Call.NONE),
    (S.TERMINATING, E.CALL_FAILED): (S.STUCK, Call.NONE),
    (S.TERMINATING, E.CALL_TIMED_OUT): (S.STUCK, Call.NONE),
    (S.FAILING, E.CALL_DONE): (S.FAILED, Call.NONE),
    (S.FAILING, E.CALL_FAILED): (S.STUCK, Call.NONE),
    (S.FAILING, E.CALL_TIMED_OUT): (S.STUCK, Call.NONE),
    (S.FAILED, E.WANT_OFFLINE): (S.OFFLINE, Call.NONE),
    (S.FAILED, E.WANT_TERMINATED): (S.OFFLINE, Call.NONE),
    (S.STUCK, E.RETRY): (S.FAILING, Call.TERMINATE),
    (S.STUCK, E.FOUND_FAILED): (S.FAILED, Call.NONE),
    (S.STUCK, E.FOUND_OFFLINE): (S.FAILED, Call.NONE),
    # Handed over as it runs. However that ends but well, it is looked at before anything else is done (rule 9).
    (S.ONLINE, E.WANT_HANDED_OVER): (S.HANDING_OVER, Call.HAND_OVER),
    (S.HANDING_OVER, E.CALL_DONE): (S.HANDED_OVER, Call.NONE),
    (S.HANDING_OVER, E.CALL_FAILED): (S.OPENING, Call.OPEN),
    (S.HANDING_OVER, E.CALL_TIMED_OUT): (S.DETACHED, Call.NONE),
    (S.HANDING_OVER, E.WANT_CALLED_BACK): (S.CALLING_BACK, Call.CALL_BACK),
    (S.HANDING_OVER, E.WANT_OFFLINE): (S.CALLING_BACK, Call.CALL_BACK),
    (S.HANDING_OVER, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    (S.CALLING_BACK, E.CALL_DONE): (S.HANDED_OVER, Call.NONE),
    (S.CALLING_BACK, E.CALL_FAILED): (S.OPENING, Call.OPEN),
    (S.CALLING_BACK, E.CALL_TIMED_OUT): (S.DETACHED, Call.NONE),
    (S.CALLING_BACK, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    (S.OPENING, E.FOUND_LEFT): (S.HANDED_OVER, Call.NONE),
    (S.ONLINE, E.FOUND_LEFT): (S.HANDED_OVER, Call.NONE),
    (S.UNCERTAIN, E.FOUND_LEFT): (S.HANDED_OVER, Call.NONE),
    (S.HANDED_OVER, E.ATTACH): (S.HANDED_OVER, Call.OPEN),
    (S.HANDED_OVER, E.WANT_ONLINE): (S.ONLINE_PENDING, Call.ONLINE),
    (S.HANDED_OVER, E.FOUND_ONLINE): (S.ONLINE, Call.NONE),
    (S.HANDED_OVER, E.FOUND_STANDING): (S.RECEIVED, Call.NONE),
    (S.HANDED_OVER, E.WANT_OFFLINE): (S.OFFLINE, Call.NONE),
    (S.HANDED_OVER, E.WANT_TERMINATED): (S.OFFLINE, Call.NONE),
    # Put away as it runs. However that ends but well, it is looked at before anything else is done. What is off may
    # have been saved through a service that died: its plugin knows.
    (S.ONLINE, E.WANT_SAVED): (S.SAVING, Call.SAVE),
    (S.OFFLINE, E.WANT_SAVED): (S.SAVING, Call.SAVE),
    (S.SAVING, E.CALL_DONE): (S.OFFLINE, Call.NONE),
    (S.SAVING, E.CALL_FAILED): (S.OPENING, Call.OPEN),
    (S.SAVING, E.CALL_TIMED_OUT): (S.DETACHED, Call.NONE),
    (S.SAVING, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    # What another node hands over.
    (S.OPENING, E.FOUND_STANDING): (S.RECEIVED, Call.NONE),
    (S.OFFLINE, E.FOUND_STANDING): (S.RECEIVED, Call.NONE),
    (S.FAILED, E.FOUND_STANDING): (S.RECEIVED, Call.NONE),
    (S.UNCERTAIN, E.FOUND_STANDING): (S.RECEIVED, Call.NONE),
    (S.RECEIVED, E.WANT_TAKEN_UP): (S.ONLINE_PENDING, Call.TAKE_UP),
    (S.RECEIVED, E.FOUND_ONLINE): (S.ONLINE, Call.NONE),
    (S.RECEIVED, E.FOUND_OFFLINE): (S.OFFLINE, Call.NONE),
    (S.RECEIVED, E.FOUND_LEFT): (S.OFFLINE, Call.NONE),
    (S.RECEIVED, E.FOUND_FAILED): (S.OFFLINE, Call.NONE),
    (S.RECEIVED, E.FAILS): (S.TERMINATING, Call.TERMINATE),
    (S.RECEIVED, E.WANT_OFFLINE): (S.TERMINATING, Call.TERMINATE),
    (S.RECEIVED, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    # Past the cluster it came to run here: it stands still until it is known whose it is. It may be all that there is
    # of it, so that this fails is no reason to end it at once.
    (S.ONLINE, E.WANT_STILL): (S.HOLDING, Call.STAND_STILL),
    (S.HOLDING, E.CALL_DONE): (S.RECEIVED, Call.NONE),
    (S.ONLINE, E.FOUND_STANDING): (S.RECEIVED, Call.NONE),
    (S.HOLDING, E.CALL_FAILED): (S.OPENING, Call.OPEN),
    (S.HOLDING, E.CALL_TIMED_OUT): (S.DETACHED, Call.NONE),
    (S.HOLDING, E.WANT_TERMINATED): (S.TERMINATING, Call.TERMINATE),
    # A host that died proves nothing. What was certainly not running before is certainly not running now.
    (S.OPENING, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.ONLINE_PENDING, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.ONLINE, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.UNCERTAIN, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.OFFLINE_PENDING, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.TERMINATING, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.FAILING, E.HOST_DIED): (S.STUCK, Call.NONE),
    (S.HANDING_OVER, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.CALLING_BACK, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.RECEIVED, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.HOLDING, E.HOST_DIED): (S.DETACHED, Call.NONE),
    (S.SAVING, E.HOST_DIED): (S.DETACHED, Call.NONE),
}

PUBLISHED = {
    S.DETACHED: State.UNKNOWN,
    S.OPENING: State.UNKNOWN,
    S.OFFLINE: State.OFFLINE,
    S.ONLINE_PENDING: State.ONLINE_PENDING,
    S.ONLINE: State.ONLINE,
    S.UNCERTAIN: State.UNKNOWN,
    S.OFFLINE_PENDING: State.OFFLINE_PENDING,
    S.TERMINATING: State.OFFLINE_PENDING,
    S.FAILING: State.OFFLINE_PENDING,
    S.FAILED: State.FAILED,
    S.STUCK: State.UNKNOWN,
    S.HANDING_OVER: State.ONLINE,
    S.CALLING_BACK: State.ONLINE,
    S.SAVING: State.OFFLINE_PENDING,
    S.HANDED_OVER: State.OFFLINE,
    S.RECEIVED: State.ONLINE_PENDING,
    S.HOLDING: State.ONLINE_PENDING,
}
"""What the cluster is told. FAILED only when nothing runs any more; until then it is on its way offline."""


def step(state: S, event: E) -> tuple[S, Call]:
    """The next state and the call to make. A pair that is not in the table changes nothing."""
    return TRANSITIONS.get((state, event), (state, Call.NONE))


def runs_nothing(state: S) -> bool:
    """Positive evidence (rule 8 of the design)."""
    return state in (S.OFFLINE, S.FAILED, S.HANDED_OVER)


def is_polled(state: S) -> bool:
    """States in which nothing is on its way: asking is the safety net for a report that got lost.

    Also when it is off: somebody may start it past the cluster, and then the report that it is off is no longer true.
    """
    return state in (S.ONLINE, S.UNCERTAIN, S.STUCK, S.OFFLINE, S.FAILED, S.HANDED_OVER, S.RECEIVED)


class Verdict(msgspec.Struct, frozen=True):
    """What a plugin's word about a resource amounts to."""

    event: E
    switched_off: bool = False
    """Somebody ended it on purpose, past the cluster: that is an intent (rule 10 of the design)."""
    switched_on: bool = False


def judge(
    state: S,
    health: Health,
    *,
    was_online: bool,
    permitted: bool,
    had_failed: bool = False,
    may_be_received: bool = False,
    had_left: bool = False,
    about_to_go: bool = False,
    wanted_off: bool = False,
    was_arriving: bool = False,
) -> Verdict:
    """`was_online`: it was seen online here since it was last started, or this life of the node reported it so at the
    present epoch. `permitted`: it may run here; when it may not, its end is the permit's doing, and neither a failure
    nor anybody's intent. `had_failed`: this life of the node reported it failed at the present epoch.
    `may_be_received`: by the records, what stands still here is what another node hands over. `had_left`: this node
    has told that it was migrated away past the cluster, and no administrator has spoken since. `about_to_go`: by this
    node's word nothing of it runs here, and another one may be about to start it (`duty.may_start_elsewhere`): what
    somebody starts here in that moment is ended at once (rule 1). `wanted_off`: its group is.
    `was_arriving`: when it was last looked at, somebody was migrating it here, past the cluster."""
    event = found(health)
    if health.arrives and wanted_off and runs_nothing(state):
        return Verdict(E.FOUND_OFFLINE)  # nothing of it runs here yet, and it may stay where it is
    starts = event is E.FOUND_ONLINE and (state is S.FAILED or not health.stands)
    if about_to_go and starts and state in (S.OFFLINE, S.FAILED, S.HANDED_OVER):
        return Verdict(E.FOUND_TOO_LATE)
    if (may_be_received or health.held) and event is E.FOUND_ONLINE and health.stands:
        return Verdict(E.FOUND_STANDING)
    if event is E.FOUND_LEFT and not permitted:
        event = E.FOUND_OFFLINE
    if had_left and state is S.OPENING and event is E.FOUND_OFFLINE and health.unexplained:
        event = E.FOUND_LEFT  # libvirt forgets that sooner than the cluster may
    if had_failed and state is S.OPENING and event in (E.FOUND_OFFLINE, E.FOUND_FAILED):
        return Verdict(E.FOUND_FAILED)  # a service that was started again does not start it again
    if not permitted or (state in (S.OPENING, S.UNCERTAIN) and not was_online):
        # Nor is what ended before this node was responsible for it.
        return Verdict(E.FOUND_OFFLINE if event is E.FOUND_FAILED else event)
    ran = state in (S.ONLINE, S.UNCERTAIN, S.OPENING)
    return Verdict(
        event,
        switched_off=permitted and ran and event is E.FOUND_OFFLINE and not was_arriving,
        switched_on=permitted and runs_nothing(state) and event is E.FOUND_ONLINE,
    )


def found(health: Health) -> E:
    """The event that a plugin's word about a resource amounts to."""
    match health.condition:
        case Condition.ONLINE:
            return E.FOUND_ONLINE
        case Condition.OFFLINE:
            return E.FOUND_LEFT if health.moved_away else E.FOUND_OFFLINE
        case Condition.FAILED:
            return E.FAILS if health.running else E.FOUND_FAILED
        case Condition.UNKNOWN:
            return E.FOUND_UNCERTAIN
