"""What a cluster service must be told before it can reach the cluster database (outlast.toml)."""

import msgspec

from outlast.model.node import FenceDevice


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One node's own settings. Everything else is in the database."""

    node: str
    database: str
    """"sqlite:/path/to/cluster.db"."""
    address: str = ""
    watchdog: str = ""
    """"lab:/path/to/watchdog.sock", or empty for none."""
    node_timeout_s: float = 5.0
    """Used only when this node creates the cluster's record."""
    cluster: str = "outlast"
    fence: tuple[FenceDevice, ...] = ()
    run_dir: str = "/run/outlast"
