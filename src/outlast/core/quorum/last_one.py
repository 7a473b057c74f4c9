"""Two members vote, and the other one is gone: may this one go on alone?

With two voters everything that was ever committed is on both disks, so whoever goes on loses nothing, as long as it
keeps all that is on its own: it hears that something is committed only after it has said that it has it. So its whole
log counts as committed from then on (`ports/members.py`), and it does not go on when that cannot be. What must never
happen is that both do. A node goes on alone only if it is certain that the other one runs nothing and will not do the
same: it has been confirmed *off* by its fence devices after contact was lost. When it boots, it is in another life,
without a session that was valid until the loss, and so it can never take this step itself: it is one of two, has no
majority, and waits for this node (`core/quorum/roll_call.py`).

Both may be alive and cut off from each other, and would fence each other at the same time. So the less valuable one,
with fewer VMs, waits a while first: most likely it is off by then. One of them is confirmed off first, and that one
never gets as far as going on.

The other one may also say by itself that its data is gone; then nobody need be fenced, for it cannot vote any more. And
one that was confirmed off, but whose member answers as if nothing had happened, has a fence device that lies.
"""

import msgspec

from outlast.core.quorum.leaderless import Look
from outlast.model.roll import Stage

LESS_VALUABLE_WAITS_S = 10.0
"""Longer than a fence device usually takes: the more valuable node has been confirmed off, or has won, by then."""


class LastOneView(msgspec.Struct, frozen=True):
    """Times in seconds; ages, not moments. By this node's own clock."""

    me: str
    look: Look | None
    """The last look at the own member; None: it did not answer."""
    other_is_witness: bool = False
    session_until_loss: bool = False
    """This life of the node had a valid session when its member saw a leader last, and had renewed it since these two
    were all that vote: then this member acknowledged, and the other one knows, that nobody else has a vote."""
    had_session: bool = False
    """It had a valid session then, whoever voted."""
    unheard_s: float = 0.0
    """For how long the other one's service has not answered on its own link, asked again and again."""
    other_stage: Stage | None = None
    """How far the other one's member is, as its service answered a moment ago; None: it did not answer."""
    node_timeout_s: float = 5.0
    my_vms: int = 0
    others_vms: int = 0
    fence_devices: bool = False
    armed: bool = True
    """As the cluster was when this node read its settings last: nobody is fenced while it is not."""
    confirmed_off: str = ""
    """The word of the other one's fence devices, asked for after the loss; "" until then."""
    last_error: str = ""


class Idle(msgspec.Struct, frozen=True):
    """It is not for this node to go on alone now."""

    why: str = ""
    """For people; "" when all is well."""


class Patience(msgspec.Struct, frozen=True):
    """It may come to that."""

    why: str
    wake_in_s: float


class FenceOther(msgspec.Struct, frozen=True):
    """Get the other one confirmed off."""

    other: str
    why: str


class GoAlone(msgspec.Struct, frozen=True):
    other: str
    why: str


Step = Idle | Patience | FenceOther | GoAlone


def last_one(view: LastOneView) -> Step:
    look = view.look
    if look is None:
        return Idle("its own member of the database, which does not answer")
    if look.leaderless_since_s is None:
        return Idle()
    other = look.pair
    if not other:
        return Idle(_not_a_pair(look))
    if not view.session_until_loss:
        why = "this node had no valid session when contact was lost"
        if view.had_session:
            why = f"{other} had been the only other voter for a moment only when contact was lost"
        return Idle(f"{other}, or an administrator: {why}, so {other} may have gone on without it")
    if view.other_is_witness:
        return Idle(f"the witness {other}, which cannot be fenced, or an administrator")
    if view.other_stage is Stage.EMPTY:
        return GoAlone(other, f"{other} says that its data is gone: this member holds all that there is")
    if view.other_stage in (Stage.STARTED, Stage.RUNS):
        return Idle(f"the member of {other}: it runs and its service answers, so it is not fenced")
    if view.confirmed_off:
        return GoAlone(other, f"{other} is off: {view.confirmed_off}")
    if view.other_stage is not None:
        return Idle(f"the member of {other}: its service answers, so it is not fenced")
    return _fence(view, other, min(look.at_s - look.leaderless_since_s, view.unheard_s))


def _fence(view: LastOneView, other: str, silent_s: float) -> Step:
    if not view.armed:
        return Idle(f"{other}, or an administrator: the cluster is not armed, so {other} is not fenced")
    if not view.fence_devices:
        return Idle(
            f"{other}, or an administrator: {other} has no fence device that could confirm that it is off, so it is "
            "not certain that this node is the last one"
        )
    after_s = view.node_timeout_s
    why = f"{other} has been silent for {silent_s:.1f} s on all links"
    if _less_valuable(view, other):
        after_s += LESS_VALUABLE_WAITS_S
    if silent_s < after_s:
        first = f"; {other} is given time to go first, it has more VMs" if after_s > view.node_timeout_s else ""
        return Patience(f"{why}; it is fenced after {after_s:g} s{first}", after_s - silent_s)
    error = f" (last answer: {view.last_error})" if view.last_error else ""
    return FenceOther(other, f"{why}; its fence devices must confirm that it is off{error}")


def _less_valuable(view: LastOneView, other: str) -> bool:
    """Of two with the same number of VMs it is the one whose name comes later."""
    return (view.my_vms, other) < (view.others_vms, view.me)


def _not_a_pair(look: Look) -> str:
    if not look.i_vote:
        return "members that vote: this node's member does not"
    if look.learners and len(look.voters) == 2:
        return "the other members: one is just joining, so it is not certain who votes"
    missing = len(look.voters) // 2
    others = ", ".join(name for name in look.voters if name != look.me)
    return f"{missing} of {others}: then a majority votes again" if missing else "its own member to lead"
