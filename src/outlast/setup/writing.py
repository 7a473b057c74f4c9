"""What stands in a new node's outlast.toml? It is written once, and the administrator's own from then on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from outlast.adapters.member import PROGRAM, EtcdMember
from outlast.adapters.supervision import supervised
from outlast.core.joining import joining
from outlast.ports.members import FIRST_START, Start
from outlast.service.config import EtcdConfig, MemberConfig, NodeConfig, PeersConfig
from outlast.setup.checks import CLIENT_PORT, PEER_PORT
from outlast.setup.machine import Machine, SetupError

HEAD = """\
# Written by `outlast cluster {what}`. What can stand here: docs/settings.md. After a change: systemctl restart outlastd

"""
OWN = {"node", "database", "address", "cluster", "cluster_id", "etcd", "member", "peers"}
"""What `--settings` must leave to Outlast."""


class Cluster(msgspec.Struct, frozen=True):
    name: str
    id: str
    node_timeout_s: float
    etcd: EtcdConfig
    member: bool
    port: int = joining.PORT


def client_url(address: str) -> str:
    return f"https://{_bracketed(address)}:{CLIENT_PORT}"


def peer_url(address: str) -> str:
    return f"https://{_bracketed(address)}:{PEER_PORT}"


def etcd_access(machine: Machine, endpoints: Sequence[str], prefix: str) -> EtcdConfig:
    """To the etcd that Outlast runs: with the node's own certificate."""
    return EtcdConfig(
        tuple(endpoints),
        prefix=prefix,
        ca=str(machine.authority),
        certificate=str(machine.certificate),
        key=str(machine.key),
    )


def config(machine: Machine, node: str, address: str, cluster: Cluster, more: Mapping[str, object]) -> NodeConfig:
    """Raises `SetupError` for settings that cannot be."""
    taken = OWN & set(more)
    if taken:
        raise SetupError("usage", f"--settings must not say {', '.join(sorted(taken))}: that follows from the cluster")
    member = MemberConfig(
        data_dir=str(machine.data),
        client_url=client_url(address),
        peer_url=peer_url(address),
        supervisor=machine.supervisor,
    )
    links = PeersConfig(cluster.port, str(machine.authority), str(machine.certificate), str(machine.key))
    own = {
        "node": node,
        "database": "etcd",
        "address": address,
        "cluster": cluster.name,
        "cluster_id": cluster.id,
        "node_timeout_s": cluster.node_timeout_s,
        "etcd": cluster.etcd,
        "member": member if cluster.member else None,
        "peers": links,
    }
    try:
        return msgspec.convert(msgspec.to_builtins({**own, **more}), NodeConfig)
    except msgspec.ValidationError as error:
        raise SetupError("usage", f"--settings cannot be used: {error}") from error


def write_config(machine: Machine, config: NodeConfig, what: str) -> None:
    new = machine.config.with_suffix(".new")
    new.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new.write_text(HEAD.format(what=what) + tomli_w.dumps(_set(msgspec.to_builtins(config), config)))
    new.rename(machine.config)


def member(machine: Machine, config: NodeConfig) -> EtcdMember:
    """This machine's own, to leave a mark for its first start; the cluster service runs it."""
    if config.member is None:
        raise ValueError("this node carries no member")
    program = supervised(config.member.supervisor, PROGRAM)
    data = Path(config.member.data_dir)
    return EtcdMember(config.node, program, data, client_url=config.member.client_url, peer_url=config.member.peer_url)


def first_start(initial: Mapping[str, str], *, existing: bool) -> dict[str, str]:
    """The mark that tells the cluster service how its member starts for the first time."""
    return {FIRST_START: msgspec.json.encode(Start(initial, existing=existing)).decode()}


def _set(values: dict[str, Any], config: msgspec.Struct) -> dict[str, Any]:
    """Without what is left at its default, so that the file says what is special here."""
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(config)}
    found = {}
    for name, value in values.items():
        below = getattr(config, name)
        if isinstance(below, msgspec.Struct):
            found[name] = _set(value, below)
        elif value is not None and value != () and value != defaults.get(name):
            found[name] = value
    return found


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
