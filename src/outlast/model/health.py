"""How a resource is, and what the cluster tells a plugin about it: the nouns that plugins share with the cluster.

Plugin authors import them from `outlast.plugin`.
"""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

ResourceName = str
Json = Any
"""What JSON can hold: None, bool, int, float, str, lists and dicts of these."""


class Condition(enum.Enum):
    """How a resource is, as far as its plugin can prove it."""

    ONLINE = "online"
    """It runs."""
    OFFLINE = "offline"
    """Nothing runs, on positive evidence, and somebody meant it so (guest shut down, administrator stopped it)."""
    FAILED = "failed"
    """Nothing runs, on positive evidence, and nobody meant it so; or it runs and does not serve (see `why`)."""
    UNKNOWN = "unknown"
    """It cannot be told. Never leads to a start elsewhere without proof of death."""


class Health(msgspec.Struct, frozen=True):
    condition: Condition
    why: str = ""
    """For people, without a full stop: "QEMU ended with signal 9"."""
    running: bool = False
    """True when something of the resource may still run: a FAILED one is then terminated first."""


class Spec(msgspec.Struct, frozen=True):
    """What the cluster knows about one resource."""

    name: ResourceName
    type: str
    definition: str = ""
    """In the type's own language; a VM's is its libvirt domain XML."""
    identity: str = ""
    """What makes the thing unique on every node; a VM's is its UUID."""
    properties: Mapping[str, Json] = msgspec.field(default_factory=dict)


class Found(msgspec.Struct, frozen=True):
    """A thing of this type that exists on this node, whether the cluster knows it or not."""

    identity: str
    name: str
    running: bool
