"""What would happen if nodes were lost now? Asked of any node; nothing is changed."""

import msgspec

from outlast.core.foresight.what_if import node_down
from outlast.model.foresight import Forecast
from outlast.service.commands.context import Command, CommandError, Context


class NodeDown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    nodes: tuple[str, ...]


async def foresee_node_down(context: Context, want: NodeDown) -> Forecast:
    lost = tuple(dict.fromkeys(want.nodes))
    if not lost:
        raise CommandError("usage", "name the nodes that would be lost")
    for name in lost:
        context.need_node(name)
    view = context.view()
    if not view.observed.voters:  # only the coordinator looks at them all the time
        observed = msgspec.structs.replace(view.observed, voters=tuple(sorted(context.store.members)))
        view = msgspec.structs.replace(view, observed=observed)
    return node_down(view, lost)


COMMANDS: dict[str, Command] = {"what_if.node_down": (NodeDown, foresee_node_down)}
