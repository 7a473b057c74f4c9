"""Where is the screen of a VM? Its owner's plugin tells; who may not operate the VM is not told."""

import msgspec

from outlast.model.answers import Screen
from outlast.service.commands import disks, vms
from outlast.service.commands.context import Command, CommandError, Context, Named


async def show(context: Context, want: Named) -> Screen:
    """On which node it is, and on that node also where."""
    resource = vms.need(context, want.name)
    owner = context.group(resource.group).owner
    if not owner:
        raise CommandError("impossible", f"{want.name} has no owner now, so it has no screen")
    if owner != context.store.me:
        return Screen(resource.name, owner)
    found = msgspec.convert(await disks.ask_here(context, "screen", {"name": resource.identity}), _Place)
    return Screen(resource.name, owner, found.host, found.port)


class _Place(msgspec.Struct):
    host: str
    port: int


COMMANDS: dict[str, Command] = {"vm.screen": (Named, show)}
