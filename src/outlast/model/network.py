"""Networks that guests need, and how they are on a node.

A network is written as its kind and its name: `bridge/br0`, `network/default` (one of libvirt's), `device/eth1` (what a
macvtap interface sits on). The same name may stand for another link on another node.
"""

import msgspec


class Link(msgspec.Struct, frozen=True):
    """One network interface of a machine, as its kernel tells it."""

    name: str
    kind: str = ""
    """As the kernel calls it: "bridge", "bond", "vlan", "veth", "tun", ...; empty for a physical one."""
    is_up: bool = True
    """Somebody has switched it on (`ip link set NAME up`)."""
    has_carrier: bool = True
    bridge: str = ""
    """Of which it is a port."""


class Place(msgspec.Struct, frozen=True):
    """What one of libvirt's networks amounts to on a node."""

    links: tuple[str, ...] = ()
    """Any of them will do. Empty, and no problem: there is nothing to be watched."""
    problem: str = ""
    """Why there is none, for people."""


class OwnAddress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a node is in the network for live migrations. Part of its session."""

    network: str
    """Which one that was."""
    address: str = ""
    """Empty: it has none there."""
    problem: str = ""
    """Why it has one that cannot be used, for people."""


class NetworkState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one network is on one node. Part of the node's session."""

    network: str
    lost: str = ""
    """Why nothing gets through, for people; empty: it is up."""
    is_missing: bool = False
    """It does not exist here, so that no VM with it could start."""
    uplinks: tuple[str, ...] = ()
    """What joins its bridge to the outside, as it was when there was anything."""
