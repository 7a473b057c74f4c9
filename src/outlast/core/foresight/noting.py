"""What of the cluster's protection has changed since it was told last, in words for the event log?

An alarm is seen by whoever looks; that a promise was broken for an hour last night, nobody sees any more. So each
change is an event: of the promise to survive lost nodes, and of the level of each group that is to run. When a node
dies, hundreds change at once: those that change alike are one event, which counts them and names the first few.
"""

from collections.abc import Iterable, Sequence

import msgspec

from outlast.core.foresight.protection import Level, Protection, Protections
from outlast.core.placement.admission import broken_promise
from outlast.core.placement.placed import Placed
from outlast.model.group import Wanted
from outlast.model.noted import Noted
from outlast.model.policy import Priority
from outlast.model.view import ClusterView

NAMED = 3
"""So many groups, and so many reasons, are told one by one."""


class Told(msgspec.Struct, frozen=True):
    """An event."""

    kind: str
    words: str
    group: str = ""
    """The only one that it is about."""


class News(msgspec.Struct, frozen=True):
    now: Noted
    events: tuple[Told, ...] = ()


def news(before: Noted, view: ClusterView) -> News:
    placed = Placed(view)
    broken, found = broken_promise(placed), _levels(view, placed)
    now = Noted(bool(broken), {name: one.level.value for name, one in sorted(found.items())})
    return News(now, (*_of_promise(before, broken, view), *_of_levels(before, found, view)))


def _levels(view: ClusterView, placed: Placed) -> dict[str, Protection]:
    """What is to run and is less than protected. One node alone protects nothing, and what does not start by itself is
    not protected on purpose: neither is news."""
    if len(view.nodes) < 2:
        return {}
    protections = Protections(view, placed)  # the promise has an event of its own
    judged = (
        (group.name, protections.of(group))
        for group in view.groups.values()
        if group.wanted is Wanted.ONLINE and group.resources and group.priority is not Priority.NO_AUTO_START
    )
    return {name: one for name, one in judged if one.level is not Level.PROTECTED}


def _of_promise(before: Noted, broken: str, view: ClusterView) -> list[Told]:
    if before.broken is bool(broken):
        return []
    if broken:
        return [Told("promise", broken)]
    count = view.settings.survive_nodes
    nodes = "1 node" if count == 1 else f"{count} nodes"
    words = f"the promise to survive the loss of {nodes} is kept again" if count else "no promise is made any more"
    return [Told("promise", words)]


def _of_levels(before: Noted, found: dict[str, Protection], view: ClusterView) -> list[Told]:
    told = []
    for level in (Level.NOT_PROTECTED, Level.AT_RISK):
        new = {
            name: one for name, one in found.items() if one.level is level and before.levels.get(name) != level.value
        }
        if new:
            told.append(_told(sorted(new), f"{level.value}: {_reasons(new.values())}"))
    safe = sorted(
        name
        for name in before.levels
        if name not in found and name in view.groups and view.groups[name].wanted is Wanted.ONLINE
    )
    return [*told, *([_told(safe, "protected again")] if safe else [])]


def _told(names: Sequence[str], what: str) -> Told:
    if len(names) == 1:
        return Told("protection", f"{names[0]} is {what}", names[0])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    level, _, why = what.partition(": ")
    return Told("protection", f"{len(names)} groups are {level} ({', '.join(names[:NAMED])}{more}){why and f': {why}'}")


def _reasons(found: Iterable[Protection]) -> str:
    """The first of each, the most frequent first, with how many have it when they are several."""
    counts: dict[str, int] = {}
    for one in found:
        why = (*one.reasons, *one.risks)[0]
        counts[why] = counts.get(why, 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = "; ".join(f"{why} ({count})" for why, count in largest[:NAMED])
    left = sum(count for _, count in largest[NAMED:])
    return f"{words}; and {left} for other reasons" if left else words
