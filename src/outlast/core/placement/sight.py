"""Which nodes see what a resource needs, its disks above all, and which were asked and do not?

A node that answered *no* gets no group that needs it: the start would fail there, and a failover be spent. What was
answered grows old, so it is asked again (`core/owner/lookout.py`), and soonest where something waits because of it. A
node that has not answered is as it was before: silence is no answer. What nobody can tell is no reason not to try.
"""

from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.volume.volumes import Lost, lost_for
from outlast.model.group import Blind, Group, Resource
from outlast.model.view import ClusterView

Answers = Mapping[str, Blind | None]
"""Node to why it could not run it; None: it could, disks and all. Who did not answer is not in it."""


def blind(group: Group, view: ClusterView, lost: Lost) -> Mapping[str, tuple[str, Blind]]:
    """Nodes that are no place for the group, each with the resource of it that they could not run, or with the volume
    that is lost there. Mostly none. `lost`: the volumes that are lost on members."""
    found = lost_for(group, view.resources, lost) if lost else {}
    for name in group.resources:
        resource = view.resources.get(name)
        if resource is not None and resource.blind_on:
            for node, seen in resource.blind_on.items():
                if not seen.doubt:
                    found.setdefault(node, (name, seen))
    return found


def words(resource: str, seen: Blind) -> str:
    """Why the node cannot take it, for people."""
    return f"it does not see the disk {seen.disk} of {resource}" if seen.disk else f"{resource}: {seen.why}"


def not_shared(refused: Iterable[tuple[str, Blind]]) -> str:
    """Of nodes that do not see a disk, for people: those that miss the same one together."""
    by_disk: dict[str, list[str]] = {}
    for node, seen in sorted(refused, key=lambda one: one[0]):
        by_disk.setdefault(seen.disk, []).append(node)
    return "; ".join(
        f"{_some(nodes)} {'does' if len(nodes) == 1 else 'do'} not see {disk}" for disk, nodes in by_disk.items()
    )


def learned(resource: Resource, answers: Answers, nodes: Iterable[str]) -> Resource:
    """The resource with what was answered now. `nodes`: those of the cluster; of others nothing is kept."""
    seen_by, blind_on = set(resource.seen_by), dict(resource.blind_on)
    for node, answer in answers.items():
        if answer is None:
            seen_by.add(node)
            blind_on.pop(node, None)
        elif not answer.doubt:
            seen_by.discard(node)
            blind_on[node] = answer
        elif node not in seen_by:  # what was certain once is not less so because nobody can tell now
            blind_on[node] = answer
    known = set(nodes)
    return msgspec.structs.replace(
        resource,
        seen_by=tuple(sorted(seen_by & known)),
        blind_on={node: blind_on[node] for node in sorted(blind_on) if node in known},
    )


def told(resource: Resource) -> str:
    """Who could run it, for people."""
    able = f"{resource.name} could run on {', '.join(resource.seen_by) or 'no node'}, disks and all"
    unable = [f"not on {node}: {seen.why}" for node, seen in resource.blind_on.items() if not seen.doubt]
    return "; ".join((able, *unable))


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
