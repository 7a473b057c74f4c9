"""May an image on a shared volume be changed now, and what waits for that?

A program other than its QEMU that writes to the image of a running VM destroys it. So what is some VM's disk is changed
only while that VM is off on purpose, by the word of its owner; and while a change is under way, nothing that has the
image as a disk is started. The two exclude one another in the database: the change begins in a transaction that
compares the records of those VMs, their groups and the reports on them (`rests_on`). Who wants one of them online after
that has written later, so its owner knows of the change when it hears of the wish.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from outlast.core.group.deletion import may_run
from outlast.core.volume.volumes import Volume
from outlast.model import keys
from outlast.model.group import Group, Resource, Wanted
from outlast.model.view import ClusterView
from outlast.model.volume import Stage, Verb, VolumeChange

FORMATS = ("qcow2", "raw")
_OWN = ".outlast"
"""The cluster's own directory on a volume."""


def why_not(change: VolumeChange, volume: Volume, view: ClusterView) -> str:
    """For people; "" when it may begin."""
    users = _users(change, volume, view)
    if users and change.verb is Verb.DELETE:
        return (
            f"it is a disk of the VM {users[0].name}; take it out of its definition, or first: "
            f"`outlast vm unprotect {users[0].name}`"
        )
    for user in users:
        group = view.groups.get(user.group)
        why = _not_off(user, group, view) if group is not None else ""
        if why:
            return f"it is a disk of the VM {user.name}, {why}"
    return ""


def rests_on(change: VolumeChange, volume: Volume, view: ClusterView) -> list[str]:
    """Keys of the records that `why_not` looks at."""
    found = []
    for user in _users(change, volume, view):
        group = view.groups.get(user.group)
        found += [keys.RESOURCES + user.name, keys.GROUPS + user.group, keys.STATUS + user.group]
        found += [keys.SILENCES + group.owner] if group is not None and group.owner else []
    return sorted(set(found))


def held_up(
    group: Group, resources: Mapping[str, Resource], volumes: Mapping[str, Volume], changes: Iterable[VolumeChange]
) -> str:
    """Which change of an image of its disks is under way, for people; "" when none is: it is not started before."""
    for change in changes:
        volume = volumes.get(change.volume)
        if change.stage is not Stage.RUNNING or volume is None:
            continue
        paths = _paths(change, volume)
        for name in group.resources:
            resource = resources.get(name)
            if resource is not None and paths & set(resource.disks):
                return f"the end of a change ({change.verb.value}) of {change.image} on the volume {change.volume}"
    return ""


def no_name(image: str) -> str:
    """Why no image can be called so, for people; "" when it can."""
    path = PurePosixPath(image)
    if not image or image.endswith("/") or path.is_absolute() or ".." in path.parts or str(path) != image:
        return "the name of an image is its path below that of the volume"
    if path.parts[0] == _OWN:
        return f"{_OWN} is the cluster's own directory"
    if any(not letter.isprintable() for letter in image):
        return "it has letters that cannot be printed"
    return ""


def _users(change: VolumeChange, volume: Volume, view: ClusterView) -> list[Resource]:
    """VMs that have what is changed, or copied, as a disk."""
    if change.verb is Verb.CREATE and not change.arguments.get("source"):
        return []
    paths = _paths(change, volume)
    return [one for _, one in sorted(view.resources.items()) if paths & set(one.disks)]


def _paths(change: VolumeChange, volume: Volume) -> set[str]:
    read = change.arguments.get("source") if change.verb is Verb.CREATE else change.image
    return {str(PurePosixPath(volume.path) / str(read))} if read else set()


def _not_off(resource: Resource, group: Group, view: ClusterView) -> str:
    if group.wanted is not Wanted.OFFLINE and resource.wanted is not Wanted.OFFLINE:
        return f"which is wanted online; first: `outlast vm shutdown {resource.name}`"
    why = may_run(group, (resource.name,), view)
    return f"which may run: {why}" if why else ""
