"""How does each member of the database stand, in words for people?"""

from outlast.core.quorum.voting import VoteView, is_healthy, majority
from outlast.model.answers import VoterRow
from outlast.model.member import Member, Part

SLOW_DISK_S = 0.1
"""Etcd wants a tenth of it."""
JUST_NOW_S = 1.0
"""Whoever asks for the first time knows no age."""


def voter_row(member: Member, view: VoteView, leader: str, disk_s: float = 0.0) -> VoterRow:
    """`leader`: the id of who leads. `disk_s`: how long its disk takes for a write; 0: nobody has asked."""
    status = view.statuses.get(member.id)
    machine = view.machines.get(member.name)
    state, why = _state(member, view, leader)
    slow = f"its disk takes {disk_s:.1f} s for each write" if disk_s > SLOW_DISK_S else ""
    return VoterRow(
        name=member.name or ", ".join(member.peer_urls),
        part=(machine.part if machine is not None else Part.NODE).value,
        state=state,
        why="; ".join(filter(None, (why, slow, *(status.problems if status is not None else ())))),
        version=status.version if status is not None else "",
        behind=_behind(member, view),
        database_mib=round(status.database_bytes / 2**20, 1) if status is not None else 0.0,
    )


def _behind(member: Member, view: VoteView) -> int:
    status = view.statuses.get(member.id)
    furthest = max((other.index for other in view.statuses.values()), default=0)
    return furthest - status.index if status is not None else 0


def _state(member: Member, view: VoteView, leader: str) -> tuple[str, str]:
    if not member.name:
        return "starting", "it was added and has not started yet"
    status = view.statuses.get(member.id)
    if status is None:
        for_s = view.unanswered_s.get(member.id, 0.0)
        return "not well", f"it has not answered for {for_s:.0f} s" if for_s >= JUST_NOW_S else "it does not answer"
    if not status.leader:
        return "no leader", _why_no_leader(view)
    if member.learner:
        return "learns", "it does not vote before it has caught up"
    if not is_healthy(member, view):
        return "not well", f"it lacks {_behind(member, view)} entries of what the furthest one has"
    return ("leads" if member.id == leader else "votes"), ""


def _why_no_leader(view: VoteView) -> str:
    if any(status.leader for status in view.statuses.values()):
        return "it does not hear the one that leads"
    voters = [member for member in view.members if member.name and not member.learner]
    answering = [member for member in voters if member.id in view.statuses]
    few = len(answering) < majority(len(voters))
    return "it answers, but too few of the others do" if few else "those that vote have elected nobody yet"
