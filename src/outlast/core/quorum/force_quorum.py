"""An administrator forces the quorum on this node: what would that mean, and may it be done?

When enough of the voters are here that a majority could go on, and only nobody knows what became of the others
(`core/quorum/roll_call.py`), his word that those are off is enough: nothing is lost. Otherwise this node goes on alone,
with what is on its disk, and all others are left behind. That is refused where it is not needed, where another node has
more than this one, and while anybody could still run elsewhere: each of those left behind must be confirmed off, by its
fence devices or by his word; or say by itself that it has no data.

A node whose member has run since it lost power last, and that has a session or lost it without a word, votes in the
eyes of all others: its vote is only taken when its death is proven. So they cannot start without having heard it. Any
other node, also one that left in order and lives on (`core/quorum/voting.py`), may have been left behind, and whoever
did that starts without it: there going on alone is refused until the administrator says that the others' databases are
lost.
"""

from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.quorum.voting import majority
from outlast.model.roll import Noted, Roll, Stage

HERE = frozenset({Stage.WAITS, Stage.STARTED})


class ForceView(msgspec.Struct, frozen=True):
    me: str
    stage: Stage
    noted: Noted
    """Its voters are the last ones that this node's member knew."""
    heard: Mapping[str, Roll] = msgspec.field(default_factory=dict)
    """What the others answered a moment ago."""
    off: frozenset[str] = frozenset()
    """Who has been confirmed off, by a fence device or by the administrator."""
    same_life: bool = True
    """This node's member has run since it had no power last."""
    others_lost: bool = False
    """The administrator says that the others will never come back with the data that they had."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    why: str


class Confirm(msgspec.Struct, frozen=True, tag=True):
    """First these must be confirmed off."""

    machines: tuple[str, ...]
    alone: bool
    """And then this node would go on alone; else with the others that are here."""


class WaitNoLonger(msgspec.Struct, frozen=True, tag=True):
    """A majority is here, and goes on without those that are off. Nothing is lost."""

    off: tuple[str, ...]


class Alone(msgspec.Struct, frozen=True, tag=True):
    left_behind: tuple[str, ...]
    """Nodes that could be a majority together, if they came back without knowing."""
    others: tuple[str, ...]
    """All that vote no more."""


Outcome = Refused | Confirm | WaitNoLonger | Alone


def force_quorum(view: ForceView) -> Outcome:
    refusal = _why_not(view)
    if refusal:
        return Refused(refusal)
    noted = view.noted
    voters = {*noted.voters, *noted.alone_from, view.me}
    others = {*voters, *noted.left_behind} - {view.me}
    here = {name for name, roll in view.heard.items() if name in others and roll.stage in HERE}
    empty = {name for name, roll in view.heard.items() if roll.stage is Stage.EMPTY}
    # A witness has nothing that this node lacks and can begin nothing by itself; but its vote counts.
    missing = others - here - empty - set(noted.witnesses)
    alone = len(here & voters) + 1 < majority(len(voters))
    if not missing and not alone:
        return Refused(f"it is not needed: {_names(here | {view.me})} are all that matter, and start by themselves")
    if alone and not view.others_lost:
        since = _may_be_out(view)
        if since:
            return Refused(_may_have_gone_on(view.me, since, others))
    unconfirmed = tuple(sorted(missing - view.off))
    if unconfirmed:
        return Confirm(unconfirmed, alone)
    if not alone:
        return WaitNoLonger(tuple(sorted(missing)))
    return Alone(tuple(sorted(others - set(noted.witnesses))), tuple(sorted(others)))


def _why_not(view: ForceView) -> str:
    if view.stage is Stage.RUNS:
        return f"it is not needed: the database of {view.me} has a quorum"
    if view.stage is Stage.ABSENT:
        return f"{view.me} carries no member of the database; force it on a node that does"
    if view.stage is Stage.EMPTY:
        return f"the member of {view.me} has no data; force it on a node that has"
    running = sorted(name for name, roll in view.heard.items() if roll.stage is Stage.RUNS)
    if running:
        return f"the cluster runs, as {_names(running)} says; this node joins it by itself"
    if view.noted.voters and view.me not in view.noted.voters:
        return f"the member of {view.me} does not vote, so it may lack what was written last; force it on one that does"
    mine = view.noted.generation
    ahead = sorted(name for name, roll in view.heard.items() if roll.generation > mine)
    if ahead:
        return f"{_names(ahead)} went on after {view.me} was left behind: force it there, or bring it back"
    further = sorted(
        name
        for name, roll in view.heard.items()
        if roll.stage in HERE and name in view.noted.voters and roll.trace.index > view.noted.trace.index
    )
    if further and not _majority_here(view):
        return f"{_names(further)} has more of the database than {view.me}: force it there"
    return ""


def _may_be_out(view: ForceView) -> str:
    """Since what its vote may have been taken although nobody has proven its death; "" when it has not been."""
    if not view.same_life:
        return "has lost power since it was a member last"
    if view.noted.may_be_out:
        return "has not been in the cluster for long enough since it left in order or booted"
    return ""


def _may_have_gone_on(me: str, since: str, others: Iterable[str]) -> str:
    names = _names(others)
    return (
        f"{me} {since}, so {names} may have gone on without it, and would start "
        f"without it again. Bring them back. If their databases are lost for good, or you have moved them aside on "
        f"their disks, say so with --others-are-lost"
    )


def _majority_here(view: ForceView) -> bool:
    here = sum(1 for name, roll in view.heard.items() if name in view.noted.voters and roll.stage in HERE)
    return here + 1 >= majority(len(view.noted.voters))


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
