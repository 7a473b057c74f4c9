"""Which adapters are the world of this node? As its settings say. With `main`, the only place that knows adapters."""

import random
from pathlib import Path
from typing import NamedTuple

import msgspec

from outlast.adapters.clock import SystemClock
from outlast.adapters.incarnations import FileIncarnations
from outlast.adapters.member import PROGRAM, EtcdMember
from outlast.adapters.peers import Certificates, TcpPeers
from outlast.adapters.supervision import supervised
from outlast.adapters.trust import FileTrust
from outlast.ports.database import Database
from outlast.ports.environment import Clock, Environment, Incarnations
from outlast.ports.members import LocalMember, Members
from outlast.ports.peers import Peers
from outlast.ports.trust import Trust
from outlast.ports.upkeep import Upkeep
from outlast.service.config import NodeConfig

STATE_DIR = Path("/var/lib/outlast")


def environment(config: NodeConfig) -> Environment:
    """Raises ValueError, with words, for settings that cannot be meant. Needs a running event loop."""
    # A witness must be small, and needs none of these.
    from outlast.adapters.backups import FileBackups
    from outlast.adapters.fence_agents import FenceAgents
    from outlast.adapters.hosts import ProcessHosts
    from outlast.adapters.load import FILE, FileLoadRecord
    from outlast.adapters.machine import capacity, processor
    from outlast.adapters.netlink import NetlinkLinks
    from outlast.adapters.notices import RealReceivers
    from outlast.adapters.openid import HttpOpenId
    from outlast.adapters.pam import HostPam
    from outlast.adapters.passwords import Argon2Passwords
    from outlast.adapters.secrets import FileSecrets
    from outlast.adapters.watchdog import chosen
    from outlast.adapters.web_certificate import FileWebCertificate

    database, members, upkeep = _database(config)
    run_dir = Path(config.run_dir)
    return Environment(
        clock=SystemClock(),
        random=random.Random(),
        database=database,
        hosts=ProcessHosts(run_dir),
        fence=FenceAgents(),
        watchdog=chosen(config.watchdog, run_dir),
        incarnations=FileIncarnations(run_dir, STATE_DIR),
        peers=peers(config),
        members=members,
        upkeep=upkeep,
        local_member=local_member(config),
        secrets=FileSecrets(),
        backups=FileBackups(STATE_DIR / "backups"),
        trust=FileTrust() if config.peers is not None and config.peers.certificate else None,
        links=NetlinkLinks(),
        passwords=Argon2Passwords(),
        pam=HostPam(),
        openid=HttpOpenId(),
        web_certificate=FileWebCertificate(run_dir),
        receivers=RealReceivers(),
        load=FileLoadRecord(STATE_DIR / FILE),
        capacity=capacity(),
        processor=processor(),
    )


class WitnessWorld(NamedTuple):
    clock: Clock
    database: Database
    members: Members
    local_member: LocalMember
    peers: Peers
    incarnations: Incarnations
    trust: Trust


def witness_world(config: NodeConfig) -> WitnessWorld:
    """As `environment`."""
    database, members, _ = _database(config)
    local, links = local_member(config), peers(config)
    if members is None or local is None or links is None:
        raise ValueError('a witness needs database = "etcd", and the tables [etcd], [member] and [peers]')
    incarnations = FileIncarnations(Path(config.run_dir), STATE_DIR)
    return WitnessWorld(SystemClock(), database, members, local, links, incarnations, FileTrust())


def peers(config: NodeConfig) -> Peers | None:
    if config.peers is None:
        return None
    files = config.peers
    certificates = Certificates(files.ca, files.certificate, files.key) if files.certificate else None
    return TcpPeers(config.node, certificates=certificates, port=files.port)


def local_member(config: NodeConfig) -> LocalMember | None:
    member, access = config.member, config.etcd
    if member is None or access is None:
        return None
    return EtcdMember(
        config.node,
        supervised(member.supervisor, PROGRAM),
        Path(member.data_dir),
        client_url=member.client_url,
        peer_url=member.peer_url,
        cluster=config.cluster_id or config.cluster,
        ca=access.ca,
        certificate=access.certificate,
        key=access.key,
        heartbeat_ms=member.heartbeat_ms,
        election_ms=member.election_ms,
        quota_mib=member.quota_mib,
    )


def _database(config: NodeConfig) -> tuple[Database, Members | None, Upkeep | None]:
    kind, _, where = config.database.partition(":")
    if kind == "sqlite" and where.startswith("/"):
        from outlast.adapters.sqlite import SqliteDatabase

        return SqliteDatabase.open(where), None, None
    if config.database != "etcd":
        raise ValueError(
            f'database = "{config.database}" is unknown; it must be "etcd" or "sqlite:/path/to/cluster.db"'
        )
    if config.etcd is None:
        raise ValueError('database = "etcd" needs a table [etcd] with `endpoints`')
    from outlast.adapters.etcd import Client, EtcdDatabase, EtcdMembers, EtcdUpkeep  # not where SQLite is used

    access = msgspec.structs.asdict(config.etcd)
    foreign = access.pop("foreign")
    client = Client(**access)
    if foreign:
        return EtcdDatabase(client), None, None
    return EtcdDatabase(client), EtcdMembers(client), EtcdUpkeep(client)
