"""What must this node do next with a resource of a group? From the group's record and what is here.

Whether the node may run anything at all (its session, its permit) is a question of its own:
`core/membership/membership.py`.

A report that nothing runs is a promise: the coordinator may give the group away because of it. So an owner that has
reported *offline* or *failed* at an epoch starts nothing at that epoch before it has taken the report back in the
database (ANNOUNCE), where that and the coordinator's decision exclude one another (rule 1).
"""

import enum

import msgspec

from outlast.core.owner.ordering import ALONE, Place
from outlast.core.owner.resource import S, runs_nothing
from outlast.model.group import AWAY, Group, Stop, Wanted

FAILS_OVER_S = 10.0
"""So long after it failed another node may be about to start it: longer than any answer takes that ends no session."""


class Duty(enum.Enum):
    RUN = "run"
    SHUT_DOWN = "shut down"
    TURN_OFF = "turn off"
    SAVE = "save"
    """Go offline with its state put away."""
    HAND_OVER = "hand over"
    """To the node where it is to move, as it runs."""
    RECEIVE = "receive"
    """Not ours yet: what its owner hands over may stand here, still, and nothing of it may run."""
    LEAVE = "leave"
    """Not ours: whatever of it is here is terminated, and nothing is left behind."""


class Step(enum.Enum):
    NOTHING = "nothing"
    ANNOUNCE = "announce"
    """Report that it is about to be brought online; start it when that stands in the database."""
    ONLINE = "online"
    OFFLINE = "offline"
    SAVE = "save"
    TERMINATE = "terminate"
    FORGET = "forget"
    HAND_OVER = "hand over"
    CALL_BACK = "call back"
    TAKE_UP = "take up"
    STAND_STILL = "stand still"


class Here(msgspec.Struct, frozen=True):
    """A resource as it stands on this node."""

    state: S
    failed_epoch: int = -1
    """At which epoch it failed here last."""
    promised: bool = False
    """A report of this node that nothing of it runs stands in the database, at the present epoch."""
    switched_off: bool = False
    """Somebody switched it off on purpose, and the record does not know it yet."""
    switched_on: bool = False
    """Likewise; or in maintenance, when it is left at that."""
    tries_again: bool = False
    """It failed here at the present epoch, and is to be tried again here, now (`core/owner/restarting.py`)."""
    place: Place = ALONE
    """What follows from the others of its group."""
    gate: str = ""
    """Not empty: its group is not to be started yet, or not by itself, and this says why."""
    turn: str = ""
    """Not empty: others of this node start first (`core/owner/turns.py`), and this says which."""
    stopping: bool = False
    """It runs, and its orderly stop was begun and is not known to be over (`core/owner/own_stop.py`)."""
    left_alone: str = ""
    """Not empty: it is neither healed nor moved, and this says why (maintenance, the cluster is not armed)."""
    tried_move: int = -1
    """The wish to move it for which it was last tried to hand it over, in vain."""
    handing_to: str = ""
    """To that node it is being handed over."""
    left_by_hand: bool = False
    """It was migrated away past the cluster, and runs nobody here knows where."""
    left_in: str = ""
    """In this life of the node."""
    handed_to: str = ""
    """It stands on that node, complete, and is about to be given to it."""
    can_save: bool = False
    """Its type can put its state away, and take it up again."""
    saved_in_vain: bool = False
    """It was to be saved by the present wish, and that failed."""
    may_be_saved: bool = False
    """It is off, and a service that died had begun to save it, by the present wish: its plugin knows how that ended."""
    has_state: bool = False
    """A saved state of it stands in the record, or is about to, and is to be taken out before it is brought online."""
    new_here: bool = False
    """It was seen here so short a while ago that the record may not be known yet by which it stands here."""
    adoptable: bool = False
    """Somebody brought or started it here past the cluster, and it may become this node's
    (`core/coordinator/adopting.py`)."""
    owner_heard: bool = False
    """Its owner would have told by now if it ran there as well."""
    told_of: bool = False
    """Its group's record says that it appeared here."""


def duty(group: Group, me: str) -> Duty:
    move_to = "" if group.queued else group.move_to
    live = group.wanted is Wanted.ONLINE and group.stop is Stop.LIVE and move_to not in ("", AWAY)
    if group.owner != me:
        return Duty.RECEIVE if live and group.owner and move_to == me else Duty.LEAVE
    if group.wanted is Wanted.ONLINE and move_to in ("", me):
        return Duty.RUN
    if live:
        return Duty.HAND_OVER
    return _BY_STOP.get(group.stop, Duty.SHUT_DOWN)


_BY_STOP = {Stop.TURN_OFF: Duty.TURN_OFF, Stop.SAVE: Duty.SAVE}
_IN_ORDER = (Duty.SHUT_DOWN, Duty.SAVE)


def next_step(group: Group, me: str, here: Here, *, hold: bool = False) -> Step:
    """`hold`: nobody has confirmed yet who owns what (`core/backup.py`), so nothing is started or stopped."""
    if hold:
        return Step.NOTHING
    if here.left_by_hand and group.owner == me:
        return Step.NOTHING  # it runs on somewhere else: whatever is wished of it here, it is not off
    match duty(group, me):
        case Duty.RUN:
            return _towards_online(group, here)
        case Duty.LEAVE:
            return _as_a_stranger(here)
        case Duty.RECEIVE:
            # Nothing runs here before the database says so, whoever started it.
            waits = runs_nothing(here.state) or here.state in (S.RECEIVED, S.UNCERTAIN)
            return Step.NOTHING if waits else Step.TERMINATE
        case Duty.HAND_OVER:
            return _towards_another(group, here)
        case how:
            if here.switched_on and group.wanted is Wanted.OFFLINE:
                return Step.NOTHING  # its new intent is about to be written down, or it is in maintenance
            if how in _IN_ORDER and here.handed_to:
                return Step.NOTHING  # there it is shut down
            if how in _IN_ORDER and here.state is S.RECEIVED and group.received_from:
                return Step.TAKE_UP  # a guest that stands still cannot shut down
            if here.left_alone and group.wanted is Wanted.ONLINE:
                return Step.NOTHING  # it would be taken offline for a move that is not made
            return _towards_offline(here, how)


def _as_a_stranger(here: Here) -> Step:
    if here.state in (S.RECEIVED, S.HOLDING) and (here.new_here or here.adoptable):
        return Step.NOTHING  # what stands still harms nobody, and its record may be on its way
    if here.state is S.ONLINE and here.adoptable:
        return Step.STAND_STILL
    if not runs_nothing(here.state):
        return Step.TERMINATE
    return Step.NOTHING if here.told_of else Step.FORGET  # the group may be about to be given to this node for it


def _towards_offline(here: Here, how: Duty) -> Step:
    if here.place.held and not runs_nothing(here.state):
        return Step.NOTHING
    if how is Duty.SAVE and here.can_save and not here.stopping:
        return _towards_saved(here)
    return Step.TERMINATE if how is Duty.TURN_OFF else Step.OFFLINE


def _towards_saved(here: Here) -> Step:
    """Nothing that runs is shut down for it: what cannot be saved waits for another word."""
    if here.state is S.ONLINE:
        return Step.NOTHING if here.saved_in_vain else Step.SAVE
    if here.state is S.OFFLINE and here.may_be_saved:
        return Step.SAVE
    return Step.OFFLINE if runs_nothing(here.state) or here.state is S.HANDING_OVER else Step.NOTHING


def _towards_another(group: Group, here: Here) -> Step:
    """What does not run is not started for it: it goes as it is. What failed to go waits for the coordinator's word."""
    if here.state is S.RECEIVED:
        return _with_what_stands_here(group, here)
    if here.left_alone or here.switched_off or here.stopping:
        return Step.NOTHING
    if here.state is S.HANDING_OVER and here.handing_to not in ("", group.move_to):
        return Step.CALL_BACK  # by now it is to go elsewhere
    return Step.HAND_OVER if here.state is S.ONLINE and here.tried_move != group.moves else Step.NOTHING


def _with_what_stands_here(group: Group, here: Here) -> Step:
    """It goes on only if its last owner has said that this is all there is of it: else it is an old copy. That is no
    healing: also in maintenance nobody wants it to stand still half-way."""
    if group.received_from:
        return Step.TAKE_UP
    return Step.NOTHING if here.left_alone else Step.TERMINATE


def _towards_online(group: Group, here: Here) -> Step:
    if here.state is S.HANDING_OVER:
        return Step.CALL_BACK
    if here.handed_to:
        return Step.NOTHING  # it is about to run on somewhere else
    if here.state is S.RECEIVED:
        return _with_what_stands_here(group, here)
    if here.switched_off:
        return Step.NOTHING  # likewise
    if here.state is S.OFFLINE and here.may_be_saved:
        return Step.SAVE
    if here.place.by_word:
        how = Duty.TURN_OFF if group.stop is Stop.TURN_OFF else Duty.SHUT_DOWN  # as it was asked for last
        return Step.NOTHING if here.switched_on else _towards_offline(here, how)
    if here.stopping and not here.left_alone:
        return _towards_offline(here, Duty.SHUT_DOWN)  # first; after that it is brought online
    if here.place.barred or here.place.waits:
        # It may have failed itself: that is not forgotten because what it needs is gone as well.
        stays = here.left_alone or runs_nothing(here.state)
        return Step.NOTHING if stays else _towards_offline(here, Duty.SHUT_DOWN)
    starts_elsewhere = group.queued and group.move_to not in ("", group.owner)
    if not may_begin(group, here) or here.gate or here.turn or here.left_alone or starts_elsewhere:
        return Step.NOTHING
    # Whoever starts it takes its saved state out of the record first: so nobody can go on from it a second time.
    return Step.ANNOUNCE if here.promised or here.has_state else Step.ONLINE


def may_start_elsewhere(group: Group, me: str, *, failed_s: float | None, promised_off: bool) -> bool:
    """May another node be about to start what this one owns, by its word that nothing of it runs here: because it
    failed here `failed_s` ago (None: it has not), or is on its way there? `promised_off`: that word may stand, and is
    not that it was migrated away past the cluster, by which it comes to nobody but where it went."""
    if group.owner != me or group.wanted is Wanted.OFFLINE:
        return False
    fails_over = failed_s is not None and failed_s < FAILS_OVER_S
    return fails_over or (group.move_to not in ("", me) and promised_off)


def may_begin(group: Group, here: Here) -> bool:
    """Is it off, and not because it failed for good at this epoch?"""
    failed_before = here.state is S.FAILED and group.epoch > here.failed_epoch
    return here.state in (S.OFFLINE, S.HANDED_OVER) or failed_before or (here.state is S.FAILED and here.tries_again)
