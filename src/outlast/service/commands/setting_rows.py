"""What can be set of the cluster and of a group: what it means, what it is now, and what it is when nobody sets it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from outlast.core import meanings
from outlast.core.spelling import choices, several, spelled, takes
from outlast.model.group import Group
from outlast.model.setting_answers import SettingRow
from outlast.model.settings import Settings
from outlast.service.commands import group_settings, settings
from outlast.service.commands.context import Command, Context, Named, Nothing

FIXED = {"node_timeout_s": (float, "the times of every node rest on it: it is set when the cluster is created")}
"""What cannot be changed while the cluster runs, and why."""


async def of_the_cluster(context: Context, _: Nothing) -> list[SettingRow]:
    """The cluster's settings, with what each means and takes."""
    present = context.store.written_settings
    fixed = [
        SettingRow(
            name, meanings.OF_THE_CLUSTER[name], spelled(getattr(present, name)), default, takes(kind), fixed=why
        )
        for name, (kind, why) in FIXED.items()
        for default in [spelled(_defaults(Settings)[name])]
    ]
    return [*_rows(settings.SETTINGS, meanings.OF_THE_CLUSTER, present, Settings), *fixed]


async def of_a_group(context: Context, want: Named) -> list[SettingRow]:
    """A group's settings, with what each means and takes."""
    return _rows(group_settings.SETTINGS, meanings.OF_A_GROUP, context.group(want.name), Group)


def _rows(
    kinds: Mapping[str, Any], means: Mapping[str, str], record: msgspec.Struct, noun: type[msgspec.Struct]
) -> list[SettingRow]:
    defaults = _defaults(noun)
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


def _defaults(noun: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(noun)}


COMMANDS: dict[str, Command] = {
    "cluster.settings": (Nothing, of_the_cluster),
    "group.settings": (Named, of_a_group),
}
