"""What had the nodes to do in the last day? Each keeps it for itself, and is asked: the database has nothing of it."""

import asyncio
from typing import Annotated

import msgspec

from outlast.core.load import why_not_asked
from outlast.model.load import NodeLoad
from outlast.service.commands.context import Command, Context


class WantLoad(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: str = ""
    """Empty: all."""
    step_min: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 1
    """So many minutes are rolled up into one step."""


async def load(context: Context, want: WantLoad) -> list[NodeLoad]:
    """What the nodes had to do in the last day. A node that does not answer says why instead."""
    if want.node:
        context.need_node(want.node)
    names = [want.node] if want.node else sorted(context.store.nodes)
    view = context.view()

    async def ask(name: str) -> NodeLoad:
        why = why_not_asked(name, view)
        return NodeLoad(name, why=why) if why else await context.loads.of(name, want.step_min)

    return list(await asyncio.gather(*map(ask, names)))


COMMANDS: dict[str, Command] = {"node.load": (WantLoad, load)}
