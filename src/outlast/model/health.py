"""How a resource is, and what the cluster tells a plugin about it: the nouns that plugins share with the cluster.

Plugin authors import them from `outlast.plugin`.
"""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from outlast.model.saved import SavedState

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


class Halt(enum.Enum):
    """What has stopped what runs in a resource, while the thing itself is there."""

    NOTHING = ""
    PAUSED = "paused"
    """By somebody, or by what is done to it just now."""
    IO_ERROR = "io error"
    NO_SPACE = "no space"
    """An I/O error, because nothing more fits on the disk."""
    PANIC = "panic"
    """It crashed by itself, and may be gone as well."""


class EndedBy(enum.Enum):
    """Who ended what is OFFLINE, so that bringing it online again loses nothing that he wanted to keep."""

    NOBODY = ""
    """Or nobody knows; or its state was saved, and whoever did that means it to stay off."""
    CONSOLE = "console"
    """Somebody at the host's console."""
    GUEST = "guest"
    """What runs in it."""


class Health(msgspec.Struct, frozen=True):
    condition: Condition
    why: str = ""
    """For people, without a full stop: "QEMU ended with signal 9"."""
    running: bool = False
    """True when something of the resource may still run: a FAILED one is then terminated first."""
    answers: bool = False
    """True when what runs in it says so itself (a VM's guest agent): groups may start after that."""
    stands: bool = False
    """True when what is here stands still (a paused guest): it may be what another node hands over."""
    held: bool = False
    """True when it `stands` because the cluster had it so (`stand_still`), and nobody else."""
    arrives: bool = False
    """True when what stands still here is not complete: another node is still handing it over."""
    brought: bool = False
    """True when what is here came from another node as it ran, and was not started here."""
    paused: bool = False
    """True when it is ONLINE and somebody at the host's console has it stand still."""
    unexplained: bool = False
    """True when it is OFFLINE, and it cannot be told any more who or what ended it."""
    ended_by: EndedBy = EndedBy.NOBODY
    """When it is OFFLINE: whose doing that is."""
    moved_away: bool = False
    """True when it is OFFLINE here because it went on to another node as it ran (a live migration)."""
    halt: Halt = Halt.NOTHING
    saved: SavedState | None = None
    """When it is OFFLINE: where somebody has put its state away past the cluster, for its next start to go on from. It
    stays the same as long as nothing runs."""


class Spec(msgspec.Struct, frozen=True):
    """What the cluster knows about one resource."""

    name: ResourceName
    type: str
    definition: str = ""
    """In the type's own language; a VM's is its libvirt domain XML."""
    identity: str = ""
    """What makes the thing unique on every node; a VM's is its UUID."""
    properties: Mapping[str, Json] = msgspec.field(default_factory=dict)
    state_dir: str = ""
    """Where saved states of it lie; empty: where its type keeps them."""


class Features(msgspec.Struct, frozen=True):
    """What the cluster wants to know of a definition."""

    memory_mib: int = 0
    vcpus: int = 0
    disks: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """Of each network adapter, as `model/network.py` has it."""
    machine: str = ""
    """Its machine type; empty: left open."""
    cpu: str = ""
    """As `Resource.cpu` has it."""
    host_devices: tuple[str, ...] = ()
    """As `Resource.host_devices` has it."""


class Redefinition(msgspec.Struct, frozen=True):
    """A resource's definition was changed on this node, and not by the cluster."""

    definition: str
    """As it is now; empty when there is none any more."""
    was: Features
    now: Features
    problem: str = ""
    """Not empty: why the cluster must not follow it, for people."""


class Found(msgspec.Struct, frozen=True):
    """A thing of this type that exists on this node, whether the cluster knows it or not."""

    identity: str
    name: str
    running: bool
    stands: bool = False
    """As in `Health`."""
    brought: bool = False
    """As in `Health`."""
