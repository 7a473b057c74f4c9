"""Which shared volumes does a group need, and where are they lost?

A VM needs the volumes below whose paths its disks lie, and the group of a volume needs the volume itself: nobody
coordinates what he does not see. A node that has told that a volume is lost there is no place for what needs it. A node
that has told nothing is as it was before: silence is no answer.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import msgspec

from outlast.model.group import Blind, Group, Resource
from outlast.model.node import Session
from outlast.model.volume import VolumeState

TYPE = "shared_volume"
LIMIT_S = 60.0
"""So long a volume may be lost on a node before what needs it is moved. The original lets a VM whose storage is gone
wait for 30 minutes, and then turns it off where it is (AutomaticCriticalErrorActionTimeout). Here another node has just
written to the volume, so that there is something better to do."""
NEVER_S = -1.0


class Volume(msgspec.Struct, frozen=True):
    """One shared volume, as its resource's record has it."""

    name: str
    group: str
    path: str
    id: str
    limit_s: float = LIMIT_S
    """`NEVER_S`: what needs it is never moved because it is lost."""


class Lost(msgspec.Struct, frozen=True):
    """What is lost on members. Mostly nothing."""

    by_node: Mapping[str, Mapping[str, VolumeState]]
    known: Mapping[str, Volume]
    """All volumes of the cluster; none when nothing is lost."""

    def __bool__(self) -> bool:
        return bool(self.by_node)


NOTHING_LOST = Lost({}, {})


def volume_of(resource: Resource) -> Volume | None:
    if resource.type != TYPE:
        return None
    limit = resource.properties.get("limit_s", LIMIT_S)
    limit_s = float(limit) if isinstance(limit, int | float) else LIMIT_S
    return Volume(resource.name, resource.group, str(resource.properties.get("path", "")), resource.identity, limit_s)


def volumes(resources: Mapping[str, Resource]) -> dict[str, Volume]:
    """All of the cluster, by name."""
    found = (volume_of(one) for _, one in sorted(resources.items()) if one.type == TYPE)
    return {volume.name: volume for volume in found if volume is not None}


def lies_on(disk: str, path: str) -> bool:
    """Is that disk's path below that of a volume?"""
    return disk.startswith("/") and PurePosixPath(disk).is_relative_to(path)


def needed(group: Group, known: Mapping[str, Volume], resources: Mapping[str, Resource]) -> list[Volume]:
    """In the order of their names."""
    mine = [resources[name] for name in group.resources if name in resources]
    names = {one.name for one in mine if one.type == TYPE}
    disks = {disk for one in mine for disk in one.disks}
    return [
        volume
        for name, volume in known.items()
        if name in names or (volume.path and any(lies_on(disk, volume.path) for disk in disks))
    ]


def lost_on(members: Mapping[str, Session], resources: Mapping[str, Resource]) -> Lost:
    by_node = {}
    for name, session in members.items():
        if session.volumes:
            lost = {one.volume: one for one in session.volumes if one.lost}
            if lost:
                by_node[name] = lost
    return Lost(by_node, volumes(resources)) if by_node else NOTHING_LOST


def missed(group: Group, node: str, resources: Mapping[str, Resource], lost: Lost) -> list[VolumeState]:
    """What the group needs and does not have there."""
    there = lost.by_node.get(node)
    return [there[one.name] for one in needed(group, lost.known, resources) if one.name in there] if there else []


def lost_for(group: Group, resources: Mapping[str, Resource], lost: Lost) -> dict[str, tuple[str, Blind]]:
    """Nodes that are no place for the group, each with the volume that it lacks there."""
    found = {}
    for node in lost.by_node:
        states = missed(group, node, resources, lost)
        if states:
            found[node] = (states[0].volume, Blind(words(states[0])))
    return found


def words(state: VolumeState) -> str:
    """For people, of one node: "the volume is unavailable there: read-only file system"."""
    return f"the volume is unavailable there: {state.lost}"


def told_on(volume: str, node: str, sessions: Mapping[str, Session]) -> VolumeState | None:
    """What that node has said of it; None: nothing."""
    session = sessions.get(node)
    found = session.volumes if session is not None else ()
    return next((one for one in found if one.volume == volume), None)


def images(volume: Volume, resources: Iterable[Resource]) -> dict[str, list[str]]:
    """What lies on it and is some VM's disk, as the volume has it, to the VMs' resources."""
    found: dict[str, list[str]] = {}
    for resource in resources:
        for disk in resource.disks:
            if volume.path and lies_on(disk, volume.path):
                found.setdefault(str(PurePosixPath(disk).relative_to(volume.path)), []).append(resource.name)
    return found
