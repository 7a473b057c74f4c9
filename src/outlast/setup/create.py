"""How does a cluster come to be? On its first machine, which becomes its first node."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from outlast.adapters import pki
from outlast.adapters.etcd import Client, EtcdDatabase
from outlast.adapters.secrets import FileSecrets
from outlast.adapters.trust import AUTHORITY_KEY, write_secret
from outlast.core.joining import joining
from outlast.core.membership.timing import Impossible, timing
from outlast.model import keys
from outlast.model.settings import Settings
from outlast.ports.database import Unavailable
from outlast.service.config import EtcdConfig, NodeConfig
from outlast.setup import checks, libvirt, programs, service, writing
from outlast.setup.checks import Tell
from outlast.setup.machine import Machine, Mark, SetupError, one_at_a_time

FOREIGN_S = 10.0
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
"""It stands in the names of files, in certificates and in commands."""


class Foreign(msgspec.Struct, frozen=True):
    """An etcd that somebody else runs. Files are copied: what they say goes to each node that joins."""

    endpoints: tuple[str, ...]
    prefix: str = "outlast/"
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str = ""
    password_file: Path | None = None


class Wanted(msgspec.Struct, frozen=True):
    cluster: str
    node: str = ""
    address: str = ""
    node_timeout_s: float = 5.0
    settings: Path | None = None
    foreign: Foreign | None = None
    port: int = joining.PORT


class Created(msgspec.Struct, frozen=True):
    cluster: str
    id: str
    node: str
    address: str
    token: str
    unprovable: tuple[str, ...]
    """Nodes whose death nothing can prove."""
    warnings: tuple[str, ...] = ()


async def create(wanted: Wanted, machine: Machine, tell: Tell) -> Created:
    """Raises `SetupError`; then nothing of it is left here."""
    checks.require_root()
    checks.require_supervisor(machine)
    with one_at_a_time(machine):
        await _clear_earlier_try(machine, tell)
        checks.require_new(machine)
        node, address, more = await _check(wanted, machine, tell)
        machine.set_mark(Mark("create", node))
        try:
            cluster_id = uuid.uuid4().hex
            config = _write(wanted, machine, node, address, cluster_id, more)
            await _make_movable(machine, config, tell)
            tell("starting the cluster service and the database")
            programs.install(machine, witness=False)
            await machine.start_service()
            await service.wait_until_up(machine, node, tell)
        except BaseException:
            if machine.mark() is not None:  # else its service has a session meanwhile, and it is a node
                tell("taking back what was done")
                await libvirt.take_back(machine)
                await machine.sweep()
            raise
        machine.clear_mark()
    token = service.call(machine, "cluster.token")
    unprovable = service.call(machine, "cluster.unprovable")
    return Created(
        wanted.cluster,
        cluster_id,
        node,
        address,
        msgspec.convert(token, str),
        msgspec.convert(unprovable, tuple[str, ...]),
    )


async def _clear_earlier_try(machine: Machine, tell: Tell) -> None:
    mark = machine.mark()
    if mark is None:
        return
    if mark.what != "create":
        raise SetupError(
            "impossible",
            f"this machine was about to join the cluster of {mark.host} when that was cut short; end that first, with "
            "`outlast cluster join` as before, or `outlast cluster leave`",
        )
    tell("clearing away what an earlier try has left")
    await libvirt.take_back(machine)
    await machine.sweep()


async def _check(wanted: Wanted, machine: Machine, tell: Tell) -> tuple[str, str, Mapping[str, object]]:
    tell("looking at this machine")
    if not NAME.fullmatch(wanted.cluster):
        words = f'"{wanted.cluster}" cannot be a cluster\'s name: letters, digits, "-", "_" and "." inside, 63 at most'
        raise SetupError("usage", f"{words}; choose one with --name")
    try:
        timing(wanted.node_timeout_s)
    except Impossible as error:
        raise SetupError("usage", str(error)) from error
    node = checks.node_name(wanted.node)
    address = checks.own_address(wanted.address)
    checks.ports_are_free(address, wanted.port)
    if wanted.foreign is None:
        checks.etcd_program()
        checks.ports_are_free(address, checks.CLIENT_PORT, checks.PEER_PORT)
    else:
        await _check_foreign(wanted.foreign)
    await checks.libvirt_answers()
    return node, address, checks.settings_file(wanted.settings)


async def _check_foreign(foreign: Foreign) -> None:
    """It answers us, and our place in it is free."""
    client = Client(
        foreign.endpoints,
        prefix=foreign.prefix,
        ca=str(foreign.ca or ""),
        certificate=str(foreign.certificate or ""),
        key=str(foreign.key or ""),
        user=foreign.user,
        password_file=str(foreign.password_file or ""),
    )
    database = EtcdDatabase(client)
    try:
        found = await database.read(keys.CLUSTER, timeout_s=FOREIGN_S)
    except Unavailable as error:
        raise SetupError("impossible", f"cannot use this etcd: {error}") from error
    finally:
        await database.close()
    for entry in found.entries:
        there = msgspec.json.decode(entry.value, type=Settings)
        raise SetupError(
            "impossible",
            f'there is a cluster "{there.name}" in this etcd already, under "{foreign.prefix}": join it, or choose '
            "another place with --etcd-prefix",
        )


def _write(
    wanted: Wanted, machine: Machine, node: str, address: str, cluster_id: str, more: Mapping[str, object]
) -> NodeConfig:
    now = datetime.now(UTC)
    authority, authority_key = pki.create_authority(wanted.cluster, cluster_id, now)
    key = pki.create_key()
    certificate = pki.sign(authority, authority_key, pki.create_request(key), [node, address], now)
    write_secret(machine.etc / AUTHORITY_KEY, authority_key)
    FileSecrets(machine.etc).create()  # who joins is given it: what was sealed with it must be opened everywhere
    write_secret(machine.authority, authority)
    write_secret(machine.key, key)
    write_secret(machine.certificate, certificate)
    own = [writing.client_url(address)]
    access = (
        writing.etcd_access(machine, own, "outlast/") if wanted.foreign is None else _foreign(machine, wanted.foreign)
    )
    cluster = writing.Cluster(
        wanted.cluster, cluster_id, wanted.node_timeout_s, access, wanted.foreign is None, wanted.port
    )
    config = writing.config(machine, node, address, cluster, more)
    if config.member is not None:
        member = writing.member(machine, config)
        member.mark(writing.first_start({node: config.member.peer_url}, existing=False))
    return config


async def _make_movable(machine: Machine, config: NodeConfig, tell: Tell) -> None:
    """And the settings are written, last: they say which way live migrations go."""
    config = await libvirt.made_movable(machine, config, tell)
    writing.write_config(machine, config, "create")


def _foreign(machine: Machine, foreign: Foreign) -> EtcdConfig:
    def copied(source: Path | None, name: str) -> str:
        if source is None:
            return ""
        try:
            write_secret(machine.etc / name, source.read_text())
        except OSError as error:
            raise SetupError("usage", f"cannot read {source}: {error.strerror}") from error
        return str(machine.etc / name)

    return EtcdConfig(
        foreign.endpoints,
        prefix=foreign.prefix,
        foreign=True,
        ca=copied(foreign.ca, "pki/etcd-ca.crt"),
        certificate=copied(foreign.certificate, "pki/etcd.crt"),
        key=copied(foreign.key, "pki/etcd.key"),
        user=foreign.user,
        password_file=copied(foreign.password_file, "etcd-password"),
    )


def endpoints(text: str) -> tuple[str, ...]:
    """`--etcd-endpoints`. Raises `SetupError`."""
    found = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for url in found:
        if not url.startswith(("https://", "http://")):
            raise SetupError("usage", f'"{url}" is no address of etcd; for example: https://db1:2379,https://db2:2379')
    return found
