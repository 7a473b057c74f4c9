"""Asks a node of the simulated world as `outlast-web` does, and as the control socket does."""

from typing import Any

import pytest
from played import Refused, play

from outlast.model.health import Json
from outlast.service.access.doors import Request
from outlast.service.commands.context import CommandError
from outlast.sim.asking import expect
from outlast.sim.world import World


def outside(
    world: World, verb: str, credential: str = "", /, *, as_seen: int = 0, node: str = "n1", **arguments: Json
) -> Any:
    """What `outlast-web` there would get; the world goes on until it is there. Raises `Refused`."""
    found: list[Json | CommandError] = []

    async def ask() -> None:
        request = Request(verb, arguments, credential, "10.9.9.9", as_seen)
        try:
            found.extend([value async for kind, value in service.node.doors.from_outside(request) if kind == "result"])
        except CommandError as error:
            found.append(error)

    service = world.services[node]
    expect(world, verb, arguments)
    service.process.context.run(world.loop.create_task, ask())
    while not found:
        play(world, "run 0.1")
    if isinstance(found[0], CommandError):
        raise Refused(found[0].kind, str(found[0]))
    return found[0]


def on_the_node(world: World, verb: str, /, **arguments: Json) -> None:
    """As the control socket asks, so that it is written down."""

    async def ask() -> None:
        async for _ in service.node.doors.on_the_node(Request(verb, arguments), "root"):
            pass

    service = world.services["n1"]
    service.process.context.run(world.loop.create_task, ask())
    play(world, "run 2")


def refusal(world: World, verb: str, credential: str = "", /, **arguments: Json) -> str:
    with pytest.raises(Refused) as refused:
        outside(world, verb, credential, **arguments)
    return refused.value.kind
