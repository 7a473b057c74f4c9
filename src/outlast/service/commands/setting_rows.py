"""What can be set of the cluster, a group and a resource: what it means, what it is, what it is when nobody sets it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from outlast.core import meanings
from outlast.core.group.deletion import VM
from outlast.core.spelling import choices, several, spelled, takes
from outlast.model.group import Group, Resource
from outlast.model.guest import GuestCare
from outlast.model.setting_answers import SettingRow
from outlast.model.settings import Settings
from outlast.service.commands import group_settings, guest_settings, resource_settings, settings
from outlast.service.commands.context import Command, Context, Named, Nothing

FIXED: Mapping[str, Any] = {"node_timeout_s": float}
"""What cannot be changed while the cluster runs."""
AT_ITS_CREATION = "the times of every node rest on it: it is set when the cluster is created"
DEFINED = "it is what the VM's definition says"


async def of_the_cluster(context: Context, _: Nothing) -> list[SettingRow]:
    """The cluster's settings, with what each means and takes."""
    present = context.store.written_settings
    fixed = _rows(FIXED, meanings.OF_THE_CLUSTER, present, Settings)
    return [
        *_rows(settings.SETTINGS, meanings.OF_THE_CLUSTER, present, Settings),
        *(msgspec.structs.replace(row, fixed=AT_ITS_CREATION) for row in fixed),
    ]


async def of_a_group(context: Context, want: Named) -> list[SettingRow]:
    """A group's settings, with what each means and takes."""
    return _rows(group_settings.SETTINGS, meanings.OF_A_GROUP, context.group(want.name), Group)


async def of_a_resource(context: Context, want: Named) -> list[SettingRow]:
    """A resource's settings, with what each means and takes; of a VM also how its guest is looked after."""
    resource = resource_settings.need(context, want.name)
    of_a_guest = guest_settings.SETTINGS
    own = {name: kind for name, kind in resource_settings.SETTINGS.items() if name not in of_a_guest}
    rows = _rows(own, meanings.OF_A_RESOURCE, resource, Resource)
    if resource.type != VM:
        return rows
    sizes = resource_settings.OF_A_VM
    defined = [msgspec.structs.replace(row, fixed=DEFINED) if row.name in sizes else row for row in rows]
    return [*defined, *_rows(of_a_guest, meanings.OF_A_RESOURCE, resource.guest, GuestCare)]


def _rows(
    kinds: Mapping[str, Any], means: Mapping[str, str], record: msgspec.Struct, noun: type[msgspec.Struct]
) -> list[SettingRow]:
    defaults = {field.name: field.default for field in msgspec.structs.fields(noun)}
    return [
        SettingRow(
            name,
            means[name],
            spelled(getattr(record, name)),
            spelled(defaults[name]),
            takes(kind),
            choices(kind),
            several(kind),
        )
        for name, kind in kinds.items()
    ]


COMMANDS: dict[str, Command] = {
    "cluster.settings": (Nothing, of_the_cluster),
    "group.settings": (Named, of_a_group),
    "resource.settings": (Named, of_a_resource),
}
