"""How do the records of a world come into its database: groups, resources, rules, nodes, the cluster's settings?

As administrators would have written them, without asking anybody: at the world's beginning, and whenever somebody who
may has to be played.
"""

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from outlast.model import keys
from outlast.model.group import Definition, Group, Resource
from outlast.model.node import Node
from outlast.model.rule import Rule
from outlast.model.settings import Settings
from outlast.ports.database import Put
from outlast.sim.vms import SIM_TYPE, SimVm

if TYPE_CHECKING:
    from outlast.sim.world import World

T = TypeVar("T")


def add_group(world: "World", group: Group) -> None:
    world.checks.wish(group.name, group.wanted)
    _write(world, keys.GROUPS + group.name, group)


def add_resource(world: "World", thing: SimVm, resource: Resource) -> None:
    """The thing itself, and its records; the last of its group."""
    world.vms[thing.name] = thing
    group = read(world, keys.GROUPS + resource.group, Group)
    if group is not None and resource.name not in group.resources:
        grown = msgspec.structs.replace(group, resources=(*group.resources, resource.name))
        _write(world, keys.GROUPS + group.name, grown)
    _write(world, keys.RESOURCES + resource.name, resource)
    _write(world, keys.DEFINITIONS + thing.name, Definition(thing.name, thing.definition))


def make_thing(world: "World", name: str, type: str) -> None:
    """That there is something for a resource that is about to be made; a VM is not made so."""
    if type == SIM_TYPE and name not in world.vms:
        world.vms[name] = SimVm(name, name, SIM_TYPE)


def add_rule(world: "World", rule: Rule) -> None:
    _write(world, keys.RULES + rule.name, rule)


def change_node(world: "World", name: str, **changes: Any) -> None:
    record = read(world, keys.NODES + name, Node)
    if record is not None:
        _write(world, keys.NODES + name, msgspec.structs.replace(record, **changes))


def change_cluster(world: "World", **changes: Any) -> None:
    settings = read(world, keys.CLUSTER, Settings)
    if settings is not None:
        _write(world, keys.CLUSTER, msgspec.structs.replace(settings, **changes))


def end_maintenance(world: "World") -> None:
    """Nodes are resumed, and nothing is held back any more."""
    settings = read(world, keys.CLUSTER, Settings)
    if settings is not None and (not settings.armed or settings.most_fenced >= 0):
        change_cluster(world, armed=True, most_fenced=-1)
    for node in _all(world, keys.NODES, Node):
        if node.paused or node.draining or node.quarantined or node.spared:
            opened = {"paused": False, "draining": False, "force_drain": False, "quarantined": "", "spared": ""}
            change_node(world, node.name, **opened, losses=(), fenced=())
    for group in _all(world, keys.GROUPS, Group):
        if group.maintenance:
            _write(world, keys.GROUPS + group.name, msgspec.structs.replace(group, maintenance=""))
    for resource in _all(world, keys.RESOURCES, Resource):
        if resource.maintenance:
            _write(world, keys.RESOURCES + resource.name, msgspec.structs.replace(resource, maintenance=""))


def _all(world: "World", prefix: str, type: type[T]) -> list[T]:
    return [msgspec.json.decode(entry.value, type=type) for entry in world.database.entries(prefix)]


def read(world: "World", key: str, type: type[T]) -> T | None:
    for entry in world.database.entries(key):
        if entry.key == key:
            return msgspec.json.decode(entry.value, type=type)
    return None


def _write(world: "World", key: str, record: object) -> None:
    world.write(Put(key, msgspec.json.encode(record)))
