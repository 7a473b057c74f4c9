"""Resources: looking at them, and their settings."""

from collections.abc import Mapping

import msgspec

from outlast.model import keys
from outlast.model.answers import ResourceRow
from outlast.model.group import Resource
from outlast.model.health import Json
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing, similar
from outlast.service.commands.rows import Rows
from outlast.service.store import put

SHORTEST_INTERVAL_S = 0.1
LONGEST_S = 86400.0


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json]


class ResourceValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `resource.set` may change. Seconds."""

    is_alive_interval_s: float | msgspec.UnsetType = msgspec.UNSET
    online_timeout_s: float | msgspec.UnsetType = msgspec.UNSET
    offline_timeout_s: float | msgspec.UnsetType = msgspec.UNSET


async def list_resources(context: Context, _: Nothing) -> list[ResourceRow]:
    rows = Rows(context.view())
    return [rows.resource(resource) for _, resource in sorted(context.store.resources.items())]


async def show(context: Context, want: Named) -> ResourceRow:
    return Rows(context.view()).resource(need(context, want.name))


async def set_values(context: Context, want: Set) -> ResourceRow:
    try:
        values = msgspec.convert(want.values, ResourceValues)
    except msgspec.ValidationError as error:
        known = ", ".join(ResourceValues.__struct_fields__)
        raise CommandError("usage", f"{error}; what can be set of a resource: {known}") from error
    changes = {name: value for name, value in msgspec.structs.asdict(values).items() if value is not msgspec.UNSET}
    check_times(changes)
    need(context, want.name)

    def make() -> tuple[list[Compare], list[Write]]:
        record = msgspec.structs.replace(need(context, want.name), **changes)
        words = f"{record.name} was changed ({', '.join(f'{k}={v:g}' for k, v in changes.items())})"
        event = context.journal.event("group-changed", words, group=record.group)
        return context.store.unchanged(keys.RESOURCES + record.name), [put(keys.RESOURCES + record.name, record), event]

    await context.write(make)
    return await show(context, Named(want.name))


def need(context: Context, name: str) -> Resource:
    found = context.store.resources.get(name)
    if found is None:
        raise CommandError("usage", f'there is no resource "{name}"{similar(name, context.store.resources)}')
    return found


def check_times(values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if not SHORTEST_INTERVAL_S <= value <= LONGEST_S:
            raise CommandError(
                "usage",
                f"{name} cannot be {value:.12g}: it must lie between {SHORTEST_INTERVAL_S:g} and {LONGEST_S:g} s",
            )


COMMANDS: dict[str, Command] = {
    "resource.list": (Nothing, list_resources),
    "resource.show": (Named, show),
    "resource.set": (Set, set_values),
}
