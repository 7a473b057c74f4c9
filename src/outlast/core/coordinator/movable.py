"""How much of what runs may load balancing move at all, and why not the rest? Said to whoever switches it on.

By default a group is moved only when nobody notices (`Group.balance`): a cluster whose groups all allow no more than
what their types can do stays as it is, however uneven, and whoever switched balancing on would wait for ever.
"""

from outlast.core.coordinator.balance import why_it_stays
from outlast.model.group import Wanted
from outlast.model.view import ClusterView

TOLD = 3
"""So many groups of one reason, and so many reasons, are told one by one."""


def words(view: ClusterView) -> str:
    wanted = [group for group in view.groups.values() if group.wanted is Wanted.ONLINE]
    stay: dict[str, list[str]] = {}
    for group in wanted:
        why = why_it_stays(group, view)
        if why:  # the same on whatever node is one reason
            stay.setdefault(why.replace(f" on {group.owner} ", " "), []).append(group.name)
    kept = sum(len(names) for names in stay.values())
    may = f"balancing may move {len(wanted) - kept} of {len(wanted)} group{'' if len(wanted) == 1 else 's'}"
    if not kept:
        return may
    largest = sorted(stay.items(), key=lambda item: (-len(item[1]), item[0]))
    reasons = [f"{_some(sorted(names))}: {why}" for why, names in largest[:TOLD]]
    left = sum(len(names) for _, names in largest[TOLD:])
    more = [f"and {left} for other reasons (`outlast balance --what-if`)"] if left else []
    stays = "1 stays where it is" if kept == 1 else f"{kept} stay where they are"
    return f"{may}; {stays}: {'; '.join([*reasons, *more])}"


def _some(names: list[str]) -> str:
    more = len(names) - TOLD
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:TOLD])} and {more} more"
