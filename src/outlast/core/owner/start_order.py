"""May a group be started now, or does it wait for others that start before it? Asked by its owner, just before.

An order of starts is policy, not safety: what the owner sees of the other groups may be old, and nothing rests on it.
Only a start waits. A group that runs is not touched when one that starts before it goes offline, and nobody waits
longer than the group's `start_limit_s`.

Whether groups may start after each other at all (no circles) is another question: `core/group/start_after.py`.
"""

from collections.abc import Callable, Mapping

import msgspec

from outlast.core.group.group_state import reported
from outlast.model.group import Group, Wanted
from outlast.model.policy import Priority, StartAfter, Until
from outlast.model.status import GroupStatus, State

SinceSeen = Callable[[StartAfter], float | None]
"""For how many seconds the owner has seen that group started; None: it is not."""


class Gate(msgspec.Struct, frozen=True):
    shut: str = ""
    """Why the group is not started yet, for people: "waits for db to be online"; empty when it may be started."""
    again_in_s: float | None = None
    """When to ask again although nothing has changed."""
    late: str = ""
    """Why it is started although it still waits: the limit has passed."""


OPEN = Gate()


def gate(group: Group, groups: Mapping[str, Group], seen_s: SinceSeen, waited_s: float) -> Gate:
    """`waited_s`: for how long the owner has wanted to start it."""
    waits: list[str] = []
    again_in_s: list[float] = []
    for one in group.start_after:
        other = groups.get(one.group)
        if other is None:
            continue  # it was deleted
        age_s = seen_s(one)
        if age_s is None:
            off = f" (it is wanted offline{f' by {other.wanted_by}' if other.wanted_by else ''})"
            waits.append(f"{one.group} {_WORDS[one.until]}{off if other.wanted is Wanted.OFFLINE else ''}")
        elif age_s < one.delay_s:
            waits.append(f"{one.group} {_WORDS[one.until]} for {one.delay_s:g} s")
            again_in_s.append(one.delay_s - age_s)
    left_s = group.start_limit_s - waited_s
    if not waits:
        return OPEN
    if left_s <= 0:
        return Gate(late=f"{' and '.join(waits)} was waited for, for {group.start_limit_s:g} s")
    return Gate(f"waits for {' and '.join(waits)}", min([left_s, *again_in_s]))


_WORDS = {Until.ONLINE: "to be online", Until.ANSWERS: "to answer"}


def has_started(group: Group, status: GroupStatus | None, incarnation: str, until: Until) -> bool:
    """By its owner's word. What is off on purpose in it does not count."""
    found = reported(group, status, incarnation)
    if found is None or status is None or found.state not in (State.ONLINE, State.PARTIAL):
        return False
    online = [one for name in group.resources if (one := status.resources[name]).state is State.ONLINE]
    return until is Until.ONLINE or all(one.answers for one in online)


def is_left_off(group: Group, status: GroupStatus | None, me: str) -> bool:
    """This node begins another life: does the group that it owns stay off, because it does not start by itself? Only
    when the word that wanted it online had been carried out; one that came later still stands."""
    if group.priority is not Priority.NO_AUTO_START or group.wanted is Wanted.OFFLINE or group.owner != me:
        return False
    known = (group.epoch, group.intents, me)
    if status is None or (status.epoch, status.intents, status.node) != known:
        return False
    return any(one.state is not State.OFFLINE for one in status.resources.values())
