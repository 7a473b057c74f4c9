"""outlast-witness: keeps a member of the cluster database on a machine that runs nothing else of Outlast's.

It has no session, no VMs and no say: its member votes on what is committed, and this program sees to that member
(start, roll call after a boot, joining again) and to its certificate. It holds no key of the cluster's authority.
"""

import asyncio

import msgspec
import structlog

from outlast.model import keys
from outlast.model.member import MemberRecord, Part
from outlast.model.node import Node
from outlast.model.settings import Settings
from outlast.ports.database import Unavailable
from outlast.service.config import NodeConfig
from outlast.service.entry import first_end, raise_bugs, start, usable_settings
from outlast.service.joining.certificates import keep_certificate
from outlast.service.plugging import WitnessWorld, witness_world
from outlast.service.quorum.member_keeper import MemberKeeper

log = structlog.get_logger()

LEARN_S = 60.0
LEARN_FIRST_S = 2.0
READ_S = 5.0


def main() -> None:
    start("outlast-witness", "A vote without a node.", _run)


async def _run(config: NodeConfig, told_to_end: asyncio.Event) -> None:
    with usable_settings():
        world = witness_world(config)
    work = [asyncio.create_task(_witness(config, world))]
    log.info("outlast-witness runs", name=config.node)
    await first_end(work, told_to_end)
    # The member goes on voting, as it does while this program is replaced by a newer one.
    raise_bugs(work)


async def _witness(config: NodeConfig, world: WitnessWorld) -> None:
    keeper = MemberKeeper(
        config.node,
        world.local_member,
        world.members,
        world.peers,
        world.clock,
        same_life=world.incarnations.member_began,
        part=Part.WITNESS,
        election_s=config.member.election_ms / 1000 if config.member else 0.5,
        on_start=world.incarnations.note_member_began,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(world.peers.serve())
        tasks.create_task(keeper.run())
        tasks.create_task(_keep_informed(config.node, keeper, world))
        tasks.create_task(keep_certificate(config.node, world.trust, world.peers, lambda: dict(keeper.calls.addresses)))


async def _keep_informed(me: str, keeper: MemberKeeper, world: WitnessWorld) -> None:
    """Who else is there: of all the database holds, all that a witness needs."""
    pause_s, database = LEARN_FIRST_S, world.database
    while True:
        await asyncio.sleep(pause_s)
        try:
            records = [
                msgspec.json.decode(entry.value, type=MemberRecord)
                for entry in (await database.read(keys.MEMBERS, timeout_s=READ_S)).entries
            ]
            nodes = [
                msgspec.json.decode(entry.value, type=Node)
                for entry in (await database.read(keys.NODES, timeout_s=READ_S)).entries
            ]
            settings = [
                msgspec.json.decode(entry.value, type=Settings)
                for entry in (await database.read(keys.CLUSTER, timeout_s=READ_S)).entries
            ]
        except Unavailable:
            continue
        pause_s = LEARN_S
        if any(record.name == me for record in records):
            world.trust.settled()
        addresses = {record.name: record.address for record in records} | {node.name: node.address for node in nodes}
        addresses = {name: address for name, address in addresses.items() if address and name != me}
        witnesses = tuple(sorted(record.name for record in records if record.part is Part.WITNESS))
        keeper.know(addresses, witnesses, max((found.generation for found in settings), default=0))


if __name__ == "__main__":
    main()
