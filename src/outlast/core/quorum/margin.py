"""How many members can still be lost before the database stops, and which?

Three voters of which one is gone can lose none: two are a majority, one is not. But a cluster of exactly two nodes goes
on with one, if the other can be confirmed off (`core/quorum/last_one.py`).
"""

from collections.abc import Collection

import msgspec

from outlast.core.quorum.voting import VoteView, is_healthy, majority
from outlast.model.member import Member, Part

LOST = "no quorum: "
_COUNT = ("no", "one", "two", "three")


class Margin(msgspec.Struct, frozen=True):
    margin: int
    """So many voters can be lost at once and the rest goes on; below 0: it does not go on now."""
    words: str
    vital: tuple[str, ...] = ()
    """Who cannot be lost now, if it goes on now: the database would stop with each of them."""


def margin(view: VoteView, fenced: Collection[str]) -> Margin:
    """`fenced`: nodes that have a fence device."""
    voters = [member for member in view.members if member.name and not member.learner]
    well = [member for member in voters if is_healthy(member, view)]
    spare = len(well) - majority(len(voters))
    names = ", ".join(sorted(member.name for member in well))
    if spare < 0:
        return Margin(spare, _none(voters, view))
    if spare > 0:
        return Margin(spare, f"can lose {_COUNT[spare] if spare < len(_COUNT) else spare} more of {names}")
    vital = tuple(sorted(member.name for member in well))
    if len(voters) == 1:
        return Margin(0, f"cannot lose {names}: it is the last one that votes", vital)
    if len(voters) == 2 and all(_is_node(member, view) for member in voters):
        return _pair(voters, fenced)
    return Margin(0, f"cannot lose any of {names}: without it there is no majority of {len(voters)}", vital)


def _none(voters: Collection[Member], view: VoteView) -> str:
    """Without a majority nobody is well; who answers is what tells where to look."""
    answering = sorted(member.name for member in voters if member.id in view.statuses)
    needed = majority(len(voters))
    if len(answering) >= needed:
        return f"{LOST}{len(answering)} of {len(voters)} voters answer, and do not go on together"
    who = f" ({', '.join(answering)})" if answering else ""
    return f"{LOST}{len(answering)} of {len(voters)} voters answer{who}, {needed} are needed"


def _pair(voters: Collection[Member], fenced: Collection[str]) -> Margin:
    first, second = sorted(member.name for member in voters)
    bare = [name for name in (first, second) if name not in fenced]
    if not bare:
        return Margin(1, f"can lose {first} or {second}: the other goes on alone when it is confirmed off")
    others = {first: second, second: first}
    words = f"cannot lose {' or '.join(bare)}: nothing could confirm that it is off"
    good = ", ".join(name for name in others if name not in bare)
    return Margin(0, words + (f"; can lose {good}" if good else "; a witness or fence devices would help"), tuple(bare))


def _is_node(member: Member, view: VoteView) -> bool:
    record = view.machines.get(member.name)
    return record is None or record.part is Part.NODE
