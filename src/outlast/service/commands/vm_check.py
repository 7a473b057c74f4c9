"""Could every node run this VM now? What `vm protect` found out grows old: nodes join, and storage comes and goes."""

import msgspec

from outlast.core.placement import placement
from outlast.core.placement.sight import Answers, learned, told
from outlast.model import keys
from outlast.model.answers import VmChecked
from outlast.model.group import Definition, Resource
from outlast.ports.database import Compare, Write
from outlast.service.commands import disks, vms
from outlast.service.commands.context import Command, CommandError, Context, Named
from outlast.service.store import READ_TIMEOUT_S, put


async def check(context: Context, want: Named) -> VmChecked:
    """Asks every member, and remembers who could; what is protected depends on it."""
    resource = vms.need(context, want.name)
    snapshot = await context.store.database.read(keys.DEFINITIONS + resource.name, timeout_s=READ_TIMEOUT_S)
    entry = next((entry for entry in snapshot.entries if entry.key == keys.DEFINITIONS + resource.name), None)
    if entry is None:
        raise CommandError("failed", f"the definition of {resource.name} is gone from the cluster database")
    definition = msgspec.json.decode(entry.value, type=Definition).text
    members = sorted(placement.members(context.view()))
    owner = context.group(resource.group).owner
    home = owner if owner in members else ""
    found = await disks.sightings(context, definition, members, home)
    parsed = await vms.parse_definition(context, definition)
    if learned(_as_read(resource, parsed), found.answers, context.store.nodes) != resource:
        await _remember(context, resource, found.answers, parsed)
    doubts = {node: answer.why for node, answer in found.answers.items() if answer is not None and answer.doubt}
    return VmChecked(resource.name, {node: tuple(problems) for node, problems in found.problems.items()}, doubts)


def _as_read(resource: Resource, parsed: vms.Parsed) -> Resource:
    """With what its definition says of it."""
    return msgspec.structs.replace(resource, networks=parsed.networks, cpu=parsed.cpu, host_devices=parsed.host_devices)


async def _remember(context: Context, resource: Resource, answers: Answers, parsed: vms.Parsed) -> None:
    def make() -> tuple[list[Compare], list[Write]]:
        known = _as_read(vms.need(context, resource.name), parsed)
        record = learned(known, answers, context.store.nodes)
        event = context.journal.event("group-changed", told(record), group=resource.group)
        return context.store.unchanged(keys.RESOURCES + record.name), [put(keys.RESOURCES + record.name, record), event]

    await context.write(make)


COMMANDS: dict[str, Command] = {"vm.check": (Named, check)}
