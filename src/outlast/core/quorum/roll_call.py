"""May this node's own member of the database start?

In the same life of the node: at once. After a boot the others may have gone on without it, and a member that starts
with what it had then could, together with others like it, carry on a past that is over. So it starts only when

- a peer says that the cluster runs and that this member still belongs to it; or
- nobody runs, and every other node that votes has been heard, waits too, and none has gone further (a *generation* is
  counted up whenever members are left behind); one that is certainly off need not be heard; or
- an administrator says who is off (`outlast cluster force-quorum`).

A member that the running cluster knows no more, one whose disk is older than what its peers remember of it, and one
that cannot run with what it has, throw their data away and join again. That is only ever done while the cluster runs
without it.
"""

from collections.abc import Collection, Mapping

import msgspec

from outlast.model.member import Member
from outlast.model.roll import Noted, Roll, RollAnswer, Stage

HOPELESS_STARTS = 5
HEARD = frozenset({Stage.EMPTY, Stage.WAITS, Stage.STARTED})


class RollCallView(msgspec.Struct, frozen=True):
    me: str
    peer_url: str
    has_data: bool
    same_life: bool
    """This node has not lost power since its member last ran with certainty."""
    failed_starts: int = 0
    """How often the member has ended by itself since it last saw a leader."""
    noted: Noted = Noted()
    answers: Mapping[str, RollAnswer] = msgspec.field(default_factory=dict)
    """What each peer answered a moment ago."""
    off: frozenset[str] = frozenset()
    """Who is certainly off."""


class Begin(msgspec.Struct, frozen=True):
    """Start it."""

    why: str
    initial: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Name to peer address of all members; for one without data."""
    member: str = ""
    """The id that it will have, where it has no data yet."""


class Hold(msgspec.Struct, frozen=True):
    """Not yet."""

    why: str
    """What it waits for, for people."""


class Rejoin(msgspec.Struct, frozen=True):
    """Throw the data away and ask to be added."""

    why: str


Verdict = Begin | Hold | Rejoin


def roll_call(view: RollCallView) -> Verdict:
    running = _running(view.answers)
    if not view.has_data:
        return _empty(view, running)
    if running is not None and view.failed_starts >= HOPELESS_STARTS:
        return Rejoin(f"its member ended {view.failed_starts} times without ever following a leader")
    if view.same_life:
        return _same_life(view, running)
    return _nobody_runs(view) if running is None else _the_cluster_runs(view, running)


def _running(answers: Mapping[str, RollAnswer]) -> RollAnswer | None:
    """Who runs in the newest generation."""
    found = [answer for answer in answers.values() if answer.mine.stage is Stage.RUNS and answer.members]
    return max(found, key=lambda answer: answer.mine.generation, default=None)


def _empty(view: RollCallView, running: RollAnswer | None) -> Verdict:
    if running is None:
        return Hold("its database has no data, and no node answers that the cluster runs")
    mine = [member for member in running.members if view.peer_url in member.peer_urls]
    if any(not member.name for member in mine):
        initial = {member.name: member.peer_urls[0] for member in running.members if member.name}
        return Begin("it was added to the cluster", {**initial, view.me: view.peer_url}, mine[0].id)
    if mine:
        return Hold("the coordinator to take the member out whose data it no longer has")
    return Hold(running.words or "the coordinator to add it to the members of the database")


def _same_life(view: RollCallView, running: RollAnswer | None) -> Verdict:
    older = running is not None and running.mine.generation < view.noted.generation
    if running is None or older or _is_member(view.noted.member, running.members):
        return Begin("this node has not lost power since it last ran")
    return Rejoin(f"{running.mine.node} says that the cluster went on without it")


def _the_cluster_runs(view: RollCallView, running: RollAnswer) -> Verdict:
    said_by, generation = running.mine.node, running.mine.generation
    if view.noted.generation > generation:
        return Hold(
            f"an administrator: its database went further (generation {view.noted.generation}) than the one that "
            f"{said_by} runs (generation {generation}). One of the two must be given up: move this node's database "
            "aside and restart outlastd, or stop the other nodes and force the quorum here"
        )
    if not _is_member(view.noted.member, running.members):
        return Rejoin(f"{said_by} says that the cluster went on without it")
    past = _past(view)
    if past:
        return Rejoin(past)
    return Begin(f"{said_by} says that the cluster runs and that it belongs to it")


def _is_member(id: str, members: Collection[Member]) -> bool:
    return any(member.id == id for member in members)


def _past(view: RollCallView) -> str:
    for name, answer in sorted(view.answers.items()):
        if answer.yours is not None and answer.yours.beyond(view.noted.trace):
            return f"its disk is from the past: {name} remembers more of it than is on it"
    return ""


def _nobody_runs(view: RollCallView) -> Verdict:
    past = _past(view)
    if past:
        return Hold(f"the others to run without it ({past}); then it joins again")
    heard = {name: answer.mine for name, answer in view.answers.items() if answer.mine.stage in HEARD}
    ahead = sorted(roll.node for roll in heard.values() if roll.generation > view.noted.generation)
    if ahead:
        return Hold(f"{_names(ahead)}, which went on after this node was left behind")
    missing = must_be_heard(view.noted, view.me, heard, view.off)
    if missing:
        return Hold(
            f"word from {_names(missing)}: without it nobody knows who ran last. Power {_them(missing)} on; if "
            f"{_names(missing)} will not come back: outlast cluster force-quorum"
        )
    others = _names(sorted(set(view.noted.voters) - {view.me})) or "nobody else"
    return Begin(f"nobody runs yet, and {others} had a vote beside it; all that matter were heard or are off")


def must_be_heard(noted: Noted, me: str, heard: Mapping[str, Roll], off: Collection[str]) -> list[str]:
    """Who could have gone further than this member, and has said nothing of itself yet. A witness never could."""
    could = {*noted.voters, *noted.left_behind} - {me, *noted.witnesses}
    return sorted(could - set(heard) - set(off))


def _names(names: Collection[str]) -> str:
    return ", ".join(names)


def _them(names: Collection[str]) -> str:
    return "it" if len(names) == 1 else "them"
