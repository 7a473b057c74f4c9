"""An administrator asks a node of the simulated world for something; that is not held against the cluster."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from outlast.model.group import Wanted
from outlast.model.health import Json
from outlast.service.commands.context import CommandError, NotKnown
from outlast.sim import records

if TYPE_CHECKING:
    from outlast.sim.world import World

_AGAIN_S = 20.0
_TRIES = 10


def administer(
    world: "World",
    node: str,
    verb: str,
    arguments: Mapping[str, Json],
    who_listens: Callable[[], str] | None = None,
    tries: int = _TRIES,
) -> None:
    """What `outlast` asks of the node's control socket. How it ends is told when it does. `who_listens`: somebody who
    wants it done asks again, there, when nobody knows whether it was, or when it could not be done just then."""
    service = world.services.get(node)
    if service is None or not service.process.runs:
        world.tell(f"administrator on {node}: no contact with the cluster")
        return
    moved, asked_at_s = expect(world, verb, arguments), world.now
    if verb == "quorum.force" and world.engine.members:
        world.engine.consensus.forced.add(node)

    async def ask() -> None:
        answer: Json = None
        try:
            async for kind, value in service.node.command(verb, arguments):
                if kind == "result":
                    answer = value
        except CommandError as error:
            known = not isinstance(error, NotKnown)
            if moved and known:
                world.checks.restraint.refused(moved, asked_at_s)
            became = "was refused" if known else "may have been done"
            world.tell(f"administrator on {node}: {verb} {became}: {error}")
            if who_listens is not None and tries > 1 and error.kind == "impossible":
                await asyncio.sleep(_AGAIN_S)
                administer(world, who_listens(), verb, arguments, who_listens, tries - 1)
        else:
            world.tell(f"administrator on {node}: {verb}: {_words(answer)}")

    service.process.context.run(world.loop.create_task, ask())


def expect(world: "World", verb: str, arguments: Mapping[str, Json]) -> str:
    """What an administrator asks for himself is not held against the cluster. Returns what may move by it."""
    name = str(arguments.get("name", ""))
    for wished, wanted in wishes_of(verb, arguments):
        # The word about a resource that is all of its group is one about the group.
        world.checks.wish(world.checks.group_of.get(wished, wished), wanted)
        world.checks.wish_resource(wished, wanted)
    if verb in ("group.move", "vm.move", "node.fence", "group.online"):  # which may start it where there is room
        world.checks.restraint.ask(name)
        return name
    if verb == "resource.online":  # likewise, when it is all of its group
        group = world.checks.group_of.get(name, name)
        world.checks.restraint.ask(group)
        return group
    if verb == "resource.create":
        records.make_thing(world, name, str(arguments.get("type", "")))
    if verb == "vm.unprotect":
        world.checks.let_go.add(name)
    if verb == "resource.fail":
        world.checks.restraint.ask(f"fail {name}")
    elif verb == "balance.run":
        world.checks.restraint.ask("*")
    elif verb == "cluster.release":
        world.checks.restraint.released()
    return ""


def wishes_of(verb: str, arguments: Mapping[str, Json]) -> list[tuple[str, Wanted]]:
    """Which groups a command of the administrator wants to be otherwise."""
    wanted = {"online": Wanted.ONLINE, "start": Wanted.ONLINE, "offline": Wanted.OFFLINE, "stop": Wanted.OFFLINE}
    wanted["shutdown"] = Wanted.OFFLINE
    noun, _, what = verb.partition(".")
    nouns = ("group", "vm", "resource")
    if noun not in nouns or what not in wanted:
        return []
    names = [str(arguments[which]) for which in ("name", "resource") if which in arguments]
    return [(name, wanted[what]) for name in names]


def _words(answer: Json) -> str:
    """Words are told; tables are for those who asked."""
    return answer if isinstance(answer, str) else "done"
