"""Fence devices: what can switch a node off from outside, and the agents (programs) that know how."""

import enum
from collections.abc import Mapping

import msgspec

FENCE_SECONDS = 20.0
"""What one device may take, unless it is told otherwise (power_timeout of the fence agents)."""


class FenceDevice(msgspec.Struct, frozen=True):
    """A fence agent and its parameters, as it would be given them on standard input."""

    agent: str
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Without the secret ones, wherever it is stored. Whoever hands a device to the `Fence` port has filled them in."""
    name: str = ""
    """Unique among the devices of its node; empty: as its agent."""
    level: int = 1
    """Levels are tried in order. The devices of one level belong together: all of them must confirm."""
    timeout_s: float = FENCE_SECONDS
    """For all its attempts on one round of the levels."""
    delay_s: float = 0.0
    """Waited once before it is first used."""
    attempts: int = 2
    """On one round of the levels, as far as its time allows. After the last level the first is tried again anyway."""
    hidden: tuple[str, ...] = ()
    """Names of its secret parameters."""
    sealed: str = ""
    """Where they are: `secrets/fence/ID`, encrypted. Another ID with each change. Empty: it has none."""


class Power(enum.Enum):
    ON = "on"
    OFF = "off"


class FenceAction(enum.Enum):
    """What becomes of a node after its death was proven by switching it off."""

    OFF = "off"
    """It stays off until somebody switches it on."""
    REBOOT = "reboot"
    """It is switched on again, but only after the proof was written down."""


class FenceParameter(msgspec.Struct, frozen=True):
    """One parameter, as an agent's metadata describe it."""

    name: str
    type: str = "string"
    """string | boolean | integer | second | select."""
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    words: str = ""
    deprecated: bool = False
    replaces: str = ""
    """The older name that means the same."""
    secret: bool = False


class FenceAgent(msgspec.Struct, frozen=True):
    """A program that knows one kind of device."""

    name: str
    words: str = ""
    description: str = ""
    parameters: tuple[FenceParameter, ...] = ()
    actions: tuple[str, ...] = ()
    gives_back: bool = False
    """Its "on" belongs to the start of a node (unfencing): what its "off" takes away is not the power."""
