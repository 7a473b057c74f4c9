"""What does the cluster know of this node before it has a session, and is this node one of its nodes at all?

On SQLite, whoever opens the file is one. On etcd, only the node that creates the cluster writes itself down; all others
were written down when they joined. So a node that was evicted, and comes back with all it had, stays out.
"""

import msgspec
import structlog

from outlast.model import keys
from outlast.model.member import MemberRecord, Part
from outlast.model.node import Node
from outlast.model.settings import Settings
from outlast.ports.database import Compare, Database, Refused, Write
from outlast.ports.secrets import NoSecret
from outlast.service.config import NodeConfig
from outlast.service.fence.devices import FenceDevices
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, put

log = structlog.get_logger()


class NotOurs(Exception):
    """This node does not belong to the cluster of this database; the text says why, and what to do."""


async def write_records(config: NodeConfig, database: Database, devices: FenceDevices, journal: Journal) -> None:
    """Where they are missing or outdated. Raises `NotOurs` or `Unavailable`."""
    settings = Settings(
        name=config.cluster,
        id=config.cluster_id,
        node_timeout_s=config.node_timeout_s,
        fence_action=config.fence_action,
    )
    await database.transact(
        [Compare(keys.CLUSTER, 0)],
        [put(keys.CLUSTER, settings), *(_founder(config) if config.cluster_id else ())],
        timeout_s=READ_TIMEOUT_S,
    )
    if config.cluster_id:
        await _check_cluster(config, database)
    key = keys.NODES + config.node
    snapshot = await database.read(key, timeout_s=READ_TIMEOUT_S)
    present = next((entry for entry in snapshot.entries if entry.key == key), None)
    if present is None and config.cluster_id:
        raise NotOurs(evicted(config.node, config.cluster))
    if config.member is not None:
        # Its join was cut off before it could say so: it is a node all the same, and can carry a member.
        await database.transact([Compare(keys.MEMBERS + config.node, 0)], [_member(config)], timeout_s=READ_TIMEOUT_S)
    before = msgspec.json.decode(present.value, type=Node) if present else Node(config.node)
    record = msgspec.structs.replace(before, address=config.address)
    record, compares, writes = await _with_fence_devices(record, config, devices)
    if present is None or record != before:
        revision = present.revision if present else 0
        outcome = await database.transact(
            [Compare(key, revision), *compares],
            [put(key, record), journal.event("node-changed", f"{config.node} was added or changed"), *writes],
            timeout_s=READ_TIMEOUT_S,
        )
        if isinstance(outcome, Refused):  # two nodes sealed the cluster's first secret at once, for one
            await write_records(config, database, devices, journal)


def evicted(node: str, cluster: str) -> str:
    return (
        f'{node} belongs to the cluster "{cluster}" no longer: it was evicted. For a fresh start, here: '
        "outlast cluster leave --force, then outlast cluster join"
    )


def _founder(config: NodeConfig) -> list[Write]:
    node = put(keys.NODES + config.node, Node(config.node, config.address))
    return [node] if config.member is None else [node, _member(config)]


def _member(config: NodeConfig) -> Write:
    assert config.member is not None
    own = config.member
    record = MemberRecord(config.node, Part.NODE, config.address, own.client_url, own.peer_url)
    return put(keys.MEMBERS + config.node, record)


async def _check_cluster(config: NodeConfig, database: Database) -> None:
    """Two clusters of one name, or an address that leads elsewhere now: nothing is written to another one's."""
    snapshot = await database.read(keys.CLUSTER, timeout_s=READ_TIMEOUT_S)
    found = next(msgspec.json.decode(entry.value, type=Settings) for entry in snapshot.entries)
    if found.id != config.cluster_id:
        raise NotOurs(
            f'the database belongs to another cluster, "{found.name}" ({found.id or "without an id"}); '
            f'{config.node} is of "{config.cluster}" ({config.cluster_id}): correct `endpoints` in its settings'
        )


async def _with_fence_devices(
    record: Node, config: NodeConfig, devices: FenceDevices
) -> tuple[Node, list[Compare], list[Write]]:
    """Those of outlast.toml, until they are set by command."""
    if record.fence_by_command:
        return record, [], []
    try:
        fence, compares, writes = await devices.adopted(config.fence, record.fence)
    except NoSecret as error:
        log.error("the fence devices in outlast.toml are not taken over", why=str(error))
        return record, [], []
    return msgspec.structs.replace(record, fence=fence), compares, writes
