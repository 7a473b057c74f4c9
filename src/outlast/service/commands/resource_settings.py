"""Resources: their settings, and maintenance."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from outlast.core.group import dependencies
from outlast.core.group.deletion import VM
from outlast.core.spelling import DAY_S, Count, NotMeant, Seconds, assigned
from outlast.model import keys
from outlast.model.answers import ResourceRow
from outlast.model.group import Resource
from outlast.model.health import Json
from outlast.model.policy import OnStop, RestartAction
from outlast.ports.database import Compare, Write
from outlast.service.commands import guest_settings
from outlast.service.commands.admitting import allowed, outgrown
from outlast.service.commands.context import Command, CommandError, Context, Missing, similar
from outlast.service.commands.group_settings import Maintain, Period, told
from outlast.service.commands.properties import checked
from outlast.service.commands.rows import Rows
from outlast.service.store import put

SHORTEST_INTERVAL_S = 0.1
Interval = Annotated[float, msgspec.Meta(ge=SHORTEST_INTERVAL_S, le=DAY_S)]
SETTINGS: dict[str, Any] = {
    "depends_on": str,
    "restart_action": RestartAction,
    "restart_threshold": Count,
    "restart_period_s": Period,
    "restart_delay_s": Seconds,
    "retry_after_s": Annotated[float, msgspec.Meta(ge=-1, le=365 * DAY_S)],
    "on_console_stop": OnStop,
    "on_guest_shutdown": OnStop,
    "is_alive_interval_s": Interval,
    "looks_alive_interval_s": Annotated[float, msgspec.Meta(ge=0, le=DAY_S)],
    "online_timeout_s": Interval,
    "offline_timeout_s": Interval,
    "deadlock_timeout_s": Annotated[float, msgspec.Meta(ge=1, le=DAY_S)],
    "separate_host": bool,
    "state_dir": str,
    "memory_mib": Annotated[int, msgspec.Meta(ge=0, le=2**30)],
    "vcpus": Count,
    **guest_settings.SETTINGS,
}
"""What `resource.set` may change, and what each takes."""
OF_A_VM = ("memory_mib", "vcpus")


class SetResource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)
    properties: Mapping[str, Json] = msgspec.field(default_factory=dict)
    """In its type's own words; None takes one away. They count from its next start."""


async def set_values(context: Context, want: SetResource) -> ResourceRow:
    resource = need(context, want.name)
    changes = changed(want.values, resource.type)
    if not changes and not want.properties:
        raise CommandError("usage", f"nothing to set; a resource has: {', '.join(SETTINGS)}")
    warning = _promised(context, resource, changes)
    if want.properties and resource.type == VM:
        raise CommandError("usage", f"{resource.name} is a VM: it is what its definition says, and has no properties")
    if want.properties:
        await checked(context, msgspec.structs.replace(resource, properties=_merged(resource, want)))

    def make() -> tuple[list[Compare], list[Write]]:
        present = need(context, want.name)
        record = msgspec.structs.replace(guest_settings.applied(present, changes), properties=_merged(present, want))
        refuse_dependencies(context, record)
        _refuse_without_room(context, record)
        words = f"{record.name} was changed ({told({**changes, **want.properties})}): {context.by}"
        # The siblings too: two changes at once could make a circle of what one of them alone does not.
        siblings = [other for other in context.store.resources.values() if other.group == record.group]
        compared = siblings if "depends_on" in changes else [record]
        compares = context.store.unchanged(*(keys.RESOURCES + one.name for one in compared))
        return compares, [put(keys.RESOURCES + record.name, record), _event(context, record, words)]

    await context.write(make)
    return msgspec.structs.replace(row(context, want.name), warning=warning)


def _merged(present: Resource, want: SetResource) -> dict[str, Json]:
    merged = {**present.properties, **want.properties}
    return {name: value for name, value in merged.items() if value is not None}


def _promised(context: Context, resource: Resource, changes: Mapping[str, Any]) -> str:
    """What is to be said of the promise to survive lost nodes, when it is to need more memory."""
    view, record = context.view(), guest_settings.applied(resource, changes)
    if record.memory_mib <= resource.memory_mib:
        return ""
    then = msgspec.structs.replace(view, resources={**view.resources, record.name: record})
    return allowed(view, then, _not_given(record))


def _refuse_without_room(context: Context, record: Resource) -> None:
    group = context.store.groups.get(record.group)
    why = outgrown(context, group, record) if group is not None else ""
    if why:
        raise CommandError("impossible", f"{_not_given(record)}: {why}")


def _not_given(record: Resource) -> str:
    return f"{record.name} cannot be given {record.memory_mib} MiB"


def changed(values: Mapping[str, Json], type_name: str) -> dict[str, Any]:
    """The new values of a resource's settings."""
    try:
        changes = assigned(SETTINGS, values, "a resource")
        if "depends_on" in changes:
            changes["depends_on"] = dependencies.canonical(changes["depends_on"])
    except (NotMeant, dependencies.Malformed) as refusal:
        raise CommandError("usage", str(refusal)) from refusal
    if 0 < changes.get("looks_alive_interval_s", 0) < SHORTEST_INTERVAL_S:
        words = f"it takes 0 (it is not asked), or {SHORTEST_INTERVAL_S:g} s and more"
        raise CommandError("usage", f"looks_alive_interval_s cannot be {changes['looks_alive_interval_s']:g}: {words}")
    guest_settings.refuse_if_no_vm(changes, type_name)
    sizes = [name for name in OF_A_VM if name in changes]
    if type_name == VM and sizes:
        raise CommandError("usage", f"{sizes[0]} of a VM cannot be set: it is what the VM's definition says")
    return changes


def refuse_dependencies(context: Context, record: Resource) -> None:
    """Judged anew with each attempt: another resource may have been changed meanwhile."""
    problem = dependencies.problem(record, context.store.resources)
    if problem:
        raise CommandError("usage", f"{record.name} cannot depend on that: {problem}")


async def maintenance(context: Context, want: Maintain) -> ResourceRow:
    need(context, want.name)

    def make() -> tuple[list[Compare], list[Write]]:
        resource = need(context, want.name)
        why = (want.why or context.by) if want.on else ""
        words = (
            f"{want.name} is in maintenance, neither asked nor healed: {why}"
            if want.on
            else f"the maintenance of {want.name} is over: {context.by}"
        )
        record = msgspec.structs.replace(resource, maintenance=why)
        key = keys.RESOURCES + record.name
        return context.store.unchanged(key), [put(key, record), _event(context, record, words)]

    await context.write(make)
    return row(context, want.name)


def _event(context: Context, record: Resource, words: str) -> Write:
    return context.journal.event("group-changed", words, group=record.group)


def need(context: Context, name: str) -> Resource:
    found = context.store.resources.get(name)
    if found is None:
        raise Missing(f'there is no resource "{name}"{similar(name, context.store.resources)}')
    return found


def row(context: Context, name: str) -> ResourceRow:
    return Rows(context.view()).resource(need(context, name))


COMMANDS: dict[str, Command] = {
    "resource.set": (SetResource, set_values),
    "resource.maintenance": (Maintain, maintenance),
}
