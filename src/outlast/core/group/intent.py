"""Which resources of a group are to be online, by all that administrators want of it?

In a group that is wanted online: those that are wanted online themselves, and of which the others that are to be online
are all that they need. What needs something that is off on purpose is off as well, and nothing is amiss with that.
"""

from collections.abc import Mapping

from outlast.core.group import dependencies
from outlast.model.group import Group, Resource, Wanted


def to_be_online(group: Group, resources: Mapping[str, Resource]) -> frozenset[str]:
    if group.wanted is Wanted.OFFLINE:
        return frozenset()
    left = {name for name in group.resources if name in resources and resources[name].wanted is Wanted.ONLINE}
    return _that_can_be(left, resources)


def would_go_with(name: str, group: Group, resources: Mapping[str, Resource]) -> tuple[str, ...]:
    """What goes offline with a resource that is taken offline, because it needs it."""
    before = to_be_online(group, resources)
    return tuple(sorted(before - {name} - _that_can_be(set(before - {name}), resources)))


def _that_can_be(wanted: set[str], resources: Mapping[str, Resource]) -> frozenset[str]:
    while True:
        able = {name for name in wanted if dependencies.may_start(resources[name], wanted)}
        if able == wanted:
            return frozenset(able)
        wanted = able
