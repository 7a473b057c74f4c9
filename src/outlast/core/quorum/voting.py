"""Who should vote on what is committed? The coordinator's decision, one small change at a time.

Every change is committed by a majority of those who vote before it, and each leaves a majority of those who vote after
it alive: so no two groups can ever both commit. What is wanted:

- a node that is proven dead for a while votes no more, so that the rest can lose another one; so does a witness that
  nobody has reached for as long (it runs nothing, so nothing need be proven), and a node that left in order and whose
  member does not answer. It need not be off: a removal by majority is safe whoever is removed, but a quorum must not be
  forced on a node that may be out without knowing it, so whoever leaves in order notes that (`Noted.may_be_out`);
- a member whose machine says that its data is gone is taken out, and may join again;
- nodes that are back, and new ones, join as learners and vote once they have caught up; at most `most_voters`, an odd
  number where there is a choice;
- a witness votes when the nodes that do are even in number, and not when they are odd. The last node votes alone.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.member import Member, MemberRecord, MemberStatus, Part
from outlast.model.roll import Roll

LAG = 10_000
"""A voter that is this many entries behind counts for nothing until it has caught up."""
START_PATIENCE_S = 60.0
"""A member that was added starts within that time, or its place is given up."""
LEARN_PATIENCE_S = 600.0


class VoteView(msgspec.Struct, frozen=True):
    members: tuple[Member, ...]
    statuses: Mapping[str, MemberStatus] = msgspec.field(default_factory=dict)
    """By id, of the members that answered."""
    unanswered_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By id: for how long it has not answered."""
    present_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By id: for how long it has been known here as it is now (unstarted, learner or voter)."""
    machines: Mapping[str, MemberRecord] = msgspec.field(default_factory=dict)
    """Which machines carry members, or would."""
    dead_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Nodes whose death is proven, and since when they have been silent."""
    left: frozenset[str] = frozenset()
    """Nodes that have no session and are not silent: they left in order, so nothing runs there."""
    asking: Mapping[str, Roll] = msgspec.field(default_factory=dict)
    """Machines that have just asked to be added: they have no data."""
    asked_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """And how long ago."""
    joining: frozenset[str] = frozenset()
    """Peer addresses of members that belong to a join under way: who sets it up sees to them."""
    vote_removal_s: float = 60.0
    most_voters: int = 7


class AddLearner(msgspec.Struct, frozen=True, tag=True):
    name: str
    peer_url: str
    why: str


class Promote(msgspec.Struct, frozen=True, tag=True):
    """Let it vote, if it has caught up."""

    name: str
    id: str
    why: str


class Remove(msgspec.Struct, frozen=True, tag=True):
    name: str
    id: str
    why: str


class HandOver(msgspec.Struct, frozen=True, tag=True):
    """Let this one lead, because the one that does is about to be removed."""

    name: str
    id: str
    why: str


Step = AddLearner | Promote | Remove | HandOver


class VotePlan(msgspec.Struct, frozen=True):
    """The next change, if one is due, and what else is to be said, for people."""

    step: Step | None = None
    words: tuple[str, ...] = ()


def decide_votes(view: VoteView) -> VotePlan:
    round_ = _Round(view)
    step = round_.take_out() or round_.promote() or round_.add() or round_.take_out_the_needless()
    return VotePlan(step, tuple(round_.words))


class _Round:
    def __init__(self, view: VoteView) -> None:
        self.view = view
        self.words: list[str] = []
        self.voters = [member for member in view.members if member.name and not member.learner]
        self.healthy = {member.id for member in self.voters if is_healthy(member, view)}
        self.condemned = {member.id: why for member in self.voters if (why := self._why_out(member))}
        self.wanted = self._wanted()

    def take_out(self) -> Step | None:
        for member in self.voters:
            if member.id in self.condemned:
                why = self.condemned[member.id]
                if self._may_go(member):
                    return Remove(member.name, member.id, why)
                self.words.append(f"{member.name} should not vote ({why}), but too few of the others are well")
        return None

    def promote(self) -> Step | None:
        for member in self.view.members:
            if member.name and not member.learner:
                continue
            waited_s = self.view.present_s.get(member.id, 0.0)
            step: Step | None = None
            if not member.name:
                step = self._unstarted(member, waited_s)
            elif member.name not in self.wanted and not self._joins(member):
                step = Remove(member.name, member.id, f"{member.name} is not needed as a voter any more")
            elif self._is_empty(member):
                step = Remove(member.name, member.id, f"{member.name} says that its data is gone")
            elif member.id in self.view.statuses:
                step = Promote(member.name, member.id, f"{member.name} is here and learns what is written")
            elif waited_s > LEARN_PATIENCE_S and not self._joins(member):
                step = Remove(member.name, member.id, f"{member.name} was added and has not been heard of since")
            if step is not None:
                return step
        return None

    def add(self) -> Step | None:
        if any(member.learner or not member.name for member in self.view.members):
            return None  # etcd has room for one learner; and one change at a time is enough
        listed = {url for member in self.view.members for url in member.peer_urls}
        for name in self.wanted:
            roll = self.view.asking.get(name)
            if roll is not None and roll.peer_url not in listed:
                return AddLearner(name, roll.peer_url, f"{name} is here without data and should vote")
        return None

    def take_out_the_needless(self) -> Step | None:
        """Only once all who should vote do: a witness is worth something until then."""
        voting = {member.name for member in self.voters}
        if any(name not in voting for name in self.wanted):
            return None
        for member in self.voters:
            if member.name not in self.wanted and self._part(member.name) is Part.WITNESS and self._may_go(member):
                return self._hand_over(member) or Remove(
                    member.name,
                    member.id,
                    f"{_number(len(self.wanted))} vote, and the witness {member.name} is not needed",
                )
        return None

    def _wanted(self) -> list[str]:
        """Names of all who should vote: who does already first, then who learns, then who asks."""
        view = self.view
        keep = [member.name for member in self.voters if member.id not in self.condemned]
        learn = [member.name for member in view.members if member.name and member.learner]
        come = [*learn, *sorted(name for name in view.asking if name in view.machines)]
        nodes = [name for name in keep if self._part(name) is Part.NODE]
        witnesses = [name for name in dict.fromkeys([*keep, *come]) if self._part(name) is Part.WITNESS]
        newcomers = [name for name in dict.fromkeys(come) if self._part(name) is Part.NODE and name not in nodes]
        number = min(len(nodes) + len(newcomers), max(view.most_voters, len(nodes)))
        if number % 2 == 0 and number > len(nodes):
            with_witness = witnesses and number + 1 <= view.most_voters
            if number > 2 and not with_witness:
                number -= 1  # an even number of voters can lose no more of them than one less
        wanted = nodes + newcomers[: number - len(nodes)]
        left_out = newcomers[number - len(nodes) :]
        if left_out:
            self.words.append(f"{', '.join(left_out)} need not vote: {_number(len(wanted))} do")
        if witnesses and len(wanted) % 2 == 0 and len(wanted) < view.most_voters:
            wanted.append(witnesses[0])
        elif witnesses:
            self.words.append(f"the witness {witnesses[0]} need not vote: the nodes that do are odd in number")
        return wanted

    def _why_out(self, member: Member) -> str:
        view = self.view
        dead_s = view.dead_s.get(member.name)
        if dead_s is not None and dead_s >= view.vote_removal_s:
            return f"{member.name} has been dead for {dead_s:.0f} s"
        if self._is_empty(member):
            return f"{member.name} says that its data is gone"
        silent_s = view.unanswered_s.get(member.id, 0.0)
        if self._part(member.name) is Part.WITNESS and silent_s >= view.vote_removal_s:
            return f"the witness {member.name} has not answered for {silent_s:.0f} s"
        if member.name in view.left and silent_s >= view.vote_removal_s:
            return f"{member.name} left the cluster in order, and its member has not answered for {silent_s:.0f} s"
        return ""

    def _is_empty(self, member: Member) -> bool:
        """Its machine says that it has no data; and that is no older than the member as it is now."""
        asked_s = self.view.asked_s.get(member.name, 0.0)
        return member.name in self.view.asking and asked_s < self.view.present_s.get(member.id, 0.0)

    def _may_go(self, gone: Member) -> bool:
        """Is a majority well, of those that vote now (who commit it) and of those that remain?"""
        remaining = [member for member in self.voters if member.id != gone.id]
        well = sum(member.id in self.healthy for member in remaining)
        return len(self.healthy) >= majority(len(self.voters)) and bool(remaining) and well >= majority(len(remaining))

    def _unstarted(self, member: Member, waited_s: float) -> Step | None:
        if waited_s <= START_PATIENCE_S or self._joins(member):
            self.words.append(f"the member at {', '.join(member.peer_urls)} was added and has not started yet")
            return None
        return Remove("", member.id, f"the member at {', '.join(member.peer_urls)} was added and has not started")

    def _hand_over(self, going: Member) -> Step | None:
        leads = any(status.leader == going.id for status in self.view.statuses.values())
        if not leads:
            return None
        for member in self.voters:
            if member.id != going.id and member.id in self.healthy:
                return HandOver(member.name, member.id, f"{going.name} leads and is about to be taken out")
        return None

    def _joins(self, member: Member) -> bool:
        return any(url in self.view.joining for url in member.peer_urls)

    def _part(self, name: str) -> Part:
        record = self.view.machines.get(name)
        return record.part if record is not None else Part.NODE


def majority(voters: int) -> int:
    return voters // 2 + 1


def is_healthy(member: Member, view: VoteView) -> bool:
    """It answers, follows somebody, and is not far behind."""
    status = view.statuses.get(member.id)
    if status is None or not status.leader:
        return False
    furthest = max((other.index for other in view.statuses.values()), default=0)
    return furthest - status.index <= LAG


def _number(count: int) -> str:
    return "one node" if count == 1 else f"{count} machines"
