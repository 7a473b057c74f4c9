"""What runs in a node of the lab, and with which settings? Service directories for s6, and outlast.toml.

On SQLite the settings are written here. On etcd they are written by `outlast cluster create` and `join` in the nodes
themselves, as on real machines; only what the lab knows better (its watchdog, its fence agent) is given to them.
"""

import base64
import hashlib
import os
import sys
from pathlib import Path

from outlast.lab import layout
from outlast.lab.layout import NodePaths
from outlast.lab.state import LabState

RUN = """\
#!/bin/sh
exec >>/var/log/{name}.log 2>&1
exec {command}
"""

# A machine that belongs to no cluster has nothing to run: its service waits to be started by the one who sets it up.
RUN_WHEN_SET_UP = """\
#!/bin/sh
exec >>/var/log/{name}.log 2>&1
[ -e {config} ] || exec s6-svc -d .
exec {command}
"""

SQLITE = """\
node = "{node}"
address = "{address}"
database = "sqlite:{database}"
node_timeout_s = {node_timeout_s:.1f}
"""

MORE = """\
{watchdog}fence_action = "off"
migration = "lab"
memory_mib = {memory_mib}

[[fence]]
agent = "fence_outlast_lab"

[fence.parameters]
plug = "{node}"
path = "{power_socket}"
"""


WITHOUT_PRIVILEGES = "setpriv --no-new-privs --bounding-set=-all --inh-caps=-all"
"""A user of its own could not read this installation, which may lie in somebody's home."""
HOST_MIB = 1024
"""What this machine itself needs."""


def install(node: NodePaths, state: LabState) -> None:
    config = node.etc / "outlast"
    config.mkdir(exist_ok=True)
    if state.database == "sqlite":
        _write_secrets_key(node)
        own = SQLITE.format(
            node=node.name,
            address=layout.address_of(node.name),
            database=node.lab.database,
            node_timeout_s=state.node_timeout_s,
        )
        (config / "outlast.toml").write_text(own + _more(node, state))
    elif node.name in state.nodes:
        (node.etc / "outlast-lab/settings.toml").write_text(_more(node, state))
    _install_services(node, state)


def _more(node: NodePaths, state: LabState) -> str:
    watchdog = f'watchdog = "lab:{layout.WATCHDOG_SOCKET}"\n' if state.watchdog else ""
    memory_mib = state.memory_mib or _share_mib(len(state.nodes))
    return MORE.format(node=node.name, watchdog=watchdog, power_socket=layout.POWER_SOCKET, memory_mib=memory_mib)


def _share_mib(nodes: int) -> int:
    """All nodes are this one machine: what one of them may give away, the others may not."""
    memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)
    return max(1, (memory_mib - HOST_MIB) // nodes)


def _write_secrets_key(node: NodePaths) -> None:
    """The same on all nodes of a lab, as joining a cluster would make it. A lab's secrets are none."""
    key = base64.urlsafe_b64encode(hashlib.sha256(f"a lab's secrets: {node.lab.name}".encode()).digest())
    (node.etc / "outlast/secrets.key").write_bytes(key)
    (node.etc / "outlast/secrets.key").chmod(0o600)


def _install_services(node: NodePaths, state: LabState) -> None:
    programs = f"{sys.prefix}/bin"
    if node.name in state.nodes:
        _install(node, "libvirtd", RUN, "/usr/sbin/libvirtd --listen")
        if state.service or state.database == "etcd":  # there, only until somebody sets the node up
            _install(node, "outlastd", RUN_WHEN_SET_UP, f"{programs}/outlastd --config {layout.CONFIG}")
        if state.web:
            _install(node, "outlast-web", RUN_WHEN_SET_UP, f"{WITHOUT_PRIVILEGES} {programs}/outlast-web")
    else:
        _install(node, "outlast-witness", RUN_WHEN_SET_UP, f"{programs}/outlast-witness --config {layout.CONFIG}")
    if state.database == "etcd":
        _install(node, "outlast-etcd", RUN, "env GOGC=40 /usr/bin/etcd --config-file /var/lib/outlast/etcd.json")
        # Its cluster service starts it, nobody else.
        (_directory(node, "outlast-etcd") / "down").touch()


def _install(node: NodePaths, name: str, run: str, command: str) -> None:
    directory = _directory(node, name)
    directory.mkdir(parents=True)
    (directory / "run").write_text(run.format(name=name, command=command, config=layout.CONFIG))
    (directory / "run").chmod(0o755)


def _directory(node: NodePaths, name: str) -> Path:
    return node.etc / "outlast-lab/services" / name
