"""Does its owner still have room for a group of which more is to run, or which is to need more?

Who is asked for more memory than there is says no before anything starts: what runs already would suffer for it. A
group that is off can start elsewhere; one that runs must be moved first, and that is its administrator's word.
"""

from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates
from outlast.model.group import Group


def why_no_room(group: Group, before: Placed, after: Placed) -> str:
    """Why where it is (or moves to) has no room for it as it is to be, and what to do about that; "" when it has, or
    when it needs no more than before."""
    nodes = after.nodes(group.name)
    needs_mib = after.need(group).memory_mib
    if not nodes or nodes[-1] not in after.members or needs_mib <= before.need(group).memory_mib:
        return ""
    node = nodes[-1]
    if not after.lacks(group, node):
        return ""
    used = after.used(node)
    left_mib = max(0, used.has_mib - used.memory_mib + needs_mib)
    where = f"{node}, which owns it," if node == group.owner else f"{node}, where it moves to,"
    words = f"with it {group.name} needs {needs_mib} MiB of memory, and {where} has {left_mib} of {used.has_mib} for it"
    return f"{words}; {_what_to_do(group, node, after)}"


def _what_to_do(group: Group, node: str, placed: Placed) -> str:
    found = candidates(group, placed)
    others = [name for name in found.nodes if name != node]
    if not others:
        reasons = [f"{name}: {why}" for name, why in sorted(found.refused.items()) if name != node]
        return f"no other node has room: {'; '.join(reasons) or 'there is none'}"
    unlock = f", first `outlast group unlock {group.name}` (it is locked: {group.locked})" if group.locked else ""
    return f"move it first to {others[0]}, which has room: `outlast group move {group.name} --to {others[0]}`{unlock}"
