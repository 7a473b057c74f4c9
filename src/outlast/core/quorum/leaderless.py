"""Since when has this node's own member of the database seen no leader, without a moment in which one could have been?

That matters with exactly two voters, this node's member one of them: then nothing can be committed without its own
acknowledgement, so while it certainly follows nobody, nobody can decide anything (rule 11). It certainly follows nobody
between two looks that both show no leader at the same raft term, if they are closer together than an election's
time-out: a leader of a new term would have needed its vote, and contact with one of the same term lasts at least that
long, so a look would have seen it.

Who votes is told by that member itself, and it may be behind. One change matters that it can have missed: a learner
became a voter, this member acknowledged that, and it was cut off before it heard that it is committed. That there is a
learner it knows by then. So with a learner about, nothing is certain (`Look.pair`).
"""

from collections.abc import Sequence

import msgspec

from outlast.model.member import Member, MemberStatus

LONGEST_PAUSE = 0.8
"""Part of an election's time-out that may pass between two looks."""


class Look(msgspec.Struct, frozen=True):
    """What this node's own member said of itself. Times are this node's monotonic clock."""

    at_s: float
    """When it was asked: what is said here was so at some time after that."""
    voters: tuple[str, ...] = ()
    """Names."""
    learners: tuple[str, ...] = ()
    """Names; one that has not started yet has none, and stands here as ""."""
    i_vote: bool = False
    leader: str = ""
    """Its name (or its id, where the name is not known); "" when the member sees none."""
    term: int = 0
    index: int = 0
    member: str = ""
    """The id of this node's own member."""
    leaderless_since_s: float | None = None
    """No leader at this term from then until `at_s`, certainly; None while a leader is seen."""
    me: str = ""

    @property
    def pair(self) -> str:
        """The other one, when this member and that one are certainly all that vote; else ""."""
        if not self.i_vote or len(self.voters) != 2 or self.learners:
            return ""
        return next(name for name in self.voters if name != self.me)


class Leaderless:
    """Fed with every look at the own member; remembers the last one."""

    def __init__(self, me: str, election_s: float) -> None:
        self._me = me
        self._longest_pause_s = election_s * LONGEST_PAUSE
        self.last: Look | None = None

    def saw(self, status: MemberStatus, members: Sequence[Member], asked_at_s: float, answered_at_s: float) -> Look:
        """A look that was begun at `asked_at_s`, and what it showed."""
        by_id = {member.id: member for member in members}
        own = by_id.get(status.id)
        leader = by_id.get(status.leader)
        before, self.last = self.last, None
        since_s = None
        if not status.leader:
            since_s = answered_at_s
            if (
                before is not None
                and before.leaderless_since_s is not None
                and before.term == status.term
                and answered_at_s - before.at_s <= self._longest_pause_s
            ):
                since_s = before.leaderless_since_s
        self.last = Look(
            at_s=asked_at_s,
            voters=tuple(member.name for member in members if not member.learner and member.name),
            learners=tuple(member.name for member in members if member.learner or not member.name),
            i_vote=own is not None and not own.learner,
            leader=(leader.name if leader else "") or status.leader,
            term=status.term,
            index=status.index,
            member=status.id,
            leaderless_since_s=since_s,
            me=self._me,
        )
        return self.last

    def missed(self) -> None:
        """A look without an answer: nothing is known of the time since the last one."""
        self.last = None
