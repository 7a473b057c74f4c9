"""Shared volumes in the simulated world: one is made, is lost on a node, and is back.

What lies on a volume that its node has lost goes on there as if nothing were, because nobody can say when its next I/O
fails; but nothing that needs it starts there. Whoever coordinates a volume fails where it is lost, as the real plugin
has it.
"""

from outlast.core.volume.volumes import LIMIT_S
from outlast.model.group import Group, Resource
from outlast.model.policy import Balance
from outlast.sim import records
from outlast.sim.vms import VOLUME_TYPE, SimVm
from outlast.sim.words import BadCommand, Commands, Words
from outlast.sim.world import World

_RETRY_S = 60.0
_MANY = 1000


def _volume(world: World, words: Words) -> None:
    how = words.next("of add, lost, back", dict.fromkeys(("add", "lost", "back")))
    if how == "add":
        _add(world, words)
        return
    node = words.next("node", world.machines)
    name = words.next("volume", {name: None for name, thing in world.vms.items() if thing.type == VOLUME_TYPE})
    lost = world.machines[node].troubles.lost_volumes
    world.checks.volumes.made(node, name, lost=how == "lost")
    (lost.add if how == "lost" else lost.discard)(name)
    world.tell(f"{node} {'does not see the volume' if how == 'lost' else 'sees the volume again:'} {name}")


def _add(world: World, words: Words) -> None:
    """As `outlast volume add` writes it."""
    name = words.next("name")
    if name in world.vms:
        raise BadCommand(f"volume: there is {name} already")
    limit_s = words.seconds("limit", LIMIT_S)
    thing = SimVm(name, world.identity(name), VOLUME_TYPE, boot_s=0.1, shutdown_s=0.1)
    properties = {"path": path_of(name), "limit_s": limit_s}
    group = Group(
        name,
        (name,),
        wanted_by="administrator",
        failover_threshold=_MANY,
        retry_after_s=_RETRY_S,
        balance=Balance.NEVER,
    )
    records.add_group(world, group)
    records.add_resource(
        world, thing, Resource(name, VOLUME_TYPE, name, identity=thing.identity, properties=properties)
    )


def path_of(volume: str) -> str:
    return f"/srv/{volume}"


VOLUMES: Commands = {"volume": (_volume, "volume add NAME [limit=S] | volume lost|back NODE NAME")}
