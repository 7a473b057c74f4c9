"""What a cluster service must be told before it can reach the cluster database (outlast.toml)."""

import msgspec

from outlast.model.fence import FenceAction, FenceDevice


class EtcdConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach etcd; the table [etcd]. Only with `database = "etcd"`."""

    endpoints: tuple[str, ...]
    """The first to be tried; the others are learnt from the members."""
    prefix: str = "outlast/"
    """Before every key, so that several clusters (and others) can share one etcd."""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    """Files. The client's certificate must have no common name (etcd's gateway refuses it with users)."""
    user: str = ""
    password_file: str = ""
    foreign: bool = False
    """It is somebody else's: Outlast leaves its members, its history and its disks alone."""


class MemberConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The member of etcd that Outlast runs on this node; the table [member]. Without it etcd is somebody else's."""

    data_dir: str = "/var/lib/outlast/etcd"
    client_url: str = ""
    peer_url: str = ""
    supervisor: str = "systemd"
    """"systemd", or "s6:/path/to/service/directories" (the lab)."""
    heartbeat_ms: int = 50
    election_ms: int = 500
    quota_mib: int = 2048
    """So large its data may become; then nothing is written any more until room is made."""


class PeersConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The links between the services; the table [peers]."""

    port: int = 7405
    ca: str = ""
    certificate: str = ""
    key: str = ""
    """Files. Without them the links are neither encrypted nor proven: for the lab's SQLite only."""


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One node's own settings. Everything else is in the database."""

    node: str
    database: str
    """"sqlite:/path/to/cluster.db" or "etcd" (then with the table [etcd])."""
    address: str = ""
    watchdog: str = ""
    """"device:/dev/watchdog", "process", "systemd", or empty for none (the lab: "lab:/path/to/watchdog.sock")."""
    node_timeout_s: float = 5.0
    """Used only when this node creates the cluster's record."""
    fence_action: FenceAction = FenceAction.REBOOT
    """Used only when this node creates the cluster's record."""
    cluster: str = "outlast"
    cluster_id: str = ""
    """Of the cluster that this node was set up for: with a database that belongs to another one, whatever its name, the
    service refuses to run. Empty: not checked."""
    fence: tuple[FenceDevice, ...] = ()
    """This node's own fence devices, until they are set by command."""
    run_dir: str = "/run/outlast"
    memory_mib: int | None = None
    """What resources may use of this machine's memory; None: all but `host_memory_mib`; 0: it is not limited."""
    cpus: int | None = None
    """Processors for resources; None: all that there are; 0: they do not count."""
    host_memory_mib: int = 1024
    """What the host itself needs."""
    migration: str = ""
    """How what runs is handed over to other nodes and taken from them (live migration): "tls:DIRECTORY" with the
    certificates for libvirt (cacert.pem, clientcert.pem, clientkey.pem), "lab" (all nodes are one
    machine and share one page cache; neither encrypted nor proven, but as "lab:DIRECTORY"), or empty: not at all."""
    etcd: EtcdConfig | None = None
    member: MemberConfig | None = None
    peers: PeersConfig | None = None
