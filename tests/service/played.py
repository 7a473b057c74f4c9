"""Plays a story on the real service code in the simulated world, and hands over the world to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from outlast.model import keys
from outlast.model.event import Event
from outlast.model.group import Group, Resource
from outlast.model.health import Json
from outlast.model.node import Session
from outlast.model.status import GroupStatus, State
from outlast.service.commands.context import CommandError
from outlast.sim import commands
from outlast.sim.asking import expect
from outlast.sim.world import World


@contextmanager
def played(*lines: str) -> Iterator[World]:
    """The first line says how the world is. Nothing that must never happen may have happened, also at the end."""
    world = World(commands.setup_from(commands.parse(lines[0])))
    try:
        play(world, *lines[1:])
        yield world
        assert world.broken == []
    finally:
        world.close()


def play(world: World, *lines: str) -> None:
    for line in lines:
        commands.do(world, line)
        assert world.broken == [], f"after {line!r}: {world.broken}"


class Refused(Exception):
    """How the node's service refused what it was asked. `kind` and words as the command line gets them."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def asked(world: World, node: str, verb: str, /, **arguments: Json) -> Any:
    """The answer to what `outlast` would ask of that node; the world goes on until it is there. Raises `Refused`."""
    found: list[Json | CommandError] = []

    async def ask() -> None:
        try:
            found.extend([value async for kind, value in service.node.command(verb, arguments) if kind == "result"])
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


def session_of(world: World, node: str) -> Session | None:
    found = world.database.entries(keys.SESSIONS + node)
    return msgspec.json.decode(found[0].value, type=Session) if found else None


def incarnation_of(world: World, node: str) -> str:
    session = session_of(world, node)
    assert session is not None, f"{node} has no session"
    return session.incarnation


def beat_of(world: World, node: str) -> int:
    session = session_of(world, node)
    assert session is not None, f"{node} has no session"
    return session.beat


def group_of(world: World, name: str) -> Group:
    groups = {entry.key: entry.value for entry in world.database.entries(keys.GROUPS)}
    return msgspec.json.decode(groups[keys.GROUPS + name], type=Group)


def resource_of(world: World, name: str) -> Resource:
    resources = {entry.key: entry.value for entry in world.database.entries(keys.RESOURCES)}
    return msgspec.json.decode(resources[keys.RESOURCES + name], type=Resource)


def events(world: World, kind: str) -> list[str]:
    """The words of all events of that kind, oldest first."""
    found = sorted(world.database.entries(keys.EVENTS), key=lambda entry: entry.revision)
    decoded = (msgspec.json.decode(entry.value, type=Event) for entry in found)
    return [event.words for event in decoded if event.kind == kind]


def reported_state(world: World, group: str) -> State:
    """What the last report in the database says of a group of one resource."""
    reports = {entry.key: entry.value for entry in world.database.entries(keys.STATUS)}
    report = msgspec.json.decode(reports[keys.STATUS + group], type=GroupStatus)
    (status,) = report.resources.values()
    return status.state
