"""May a group start after these others? Only after groups that there are, and never in a circle: all of it would wait
until the limit of one has passed.
"""

import itertools
from collections.abc import Mapping

from outlast.model.group import Group


def why_not(group: Group, groups: Mapping[str, Group]) -> str:
    """For people; "" when it may. `group` as it would be; how it stands among `groups` does not count."""
    others = {**groups, group.name: group}
    named = [one.group for one in group.start_after]
    for name in named:
        if name == group.name:
            return f"{name} cannot start after itself"
        if name not in groups:
            return f'there is no group "{name}" that it could start after'
        if named.count(name) > 1:
            return f"{name} is named twice"
    path = _circle(group.name, others)
    if path:
        steps = ", ".join(f"{one} starts after {other}" for one, other in itertools.pairwise(path))
        return f"{steps}: each of them would wait for the other"
    return ""


def those_after(name: str, groups: Mapping[str, Group]) -> tuple[str, ...]:
    """The groups that start after this one."""
    return tuple(sorted(one.name for one in groups.values() if name in {other.group for other in one.start_after}))


def _circle(start: str, groups: Mapping[str, Group]) -> tuple[str, ...]:
    """The shortest way from the group back to itself; empty when there is none."""
    paths: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        group = groups.get(path[-1])
        for one in group.start_after if group is not None else ():
            if one.group == start:
                return (*path, start)
            if one.group not in seen:
                seen.add(one.group)
                paths.append((*path, one.group))
    return ()
