"""How a VM's guest is looked after, and how it is: what an administrator may set, and what its owner tells of it."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.inside import Asked


class OnHang(enum.Enum):
    """What is done about a guest that hangs."""

    REPORT = "report"
    """It is told, and nothing is done."""
    RESET = "reset"
    """It is reset, as often as `resets` allows; then it has failed, and moves as any failure has it."""


class OnPanic(enum.Enum):
    """What is done when the guest's kernel panics, and the VM does not recover by itself (`on_crash`)."""

    RESTART = "restart"
    """It is a failure, as any other."""
    KEEP = "keep"
    """It is left as it is: kept in memory where `on_crash` is preserve, else off."""


class OnIoError(enum.Enum):
    """What is done when an I/O error of a disk has paused the VM."""

    WAIT = "wait"
    """It is tried again and again whether it can go on."""
    MOVE = "move"
    """Likewise; after `io_error_limit_s` it has failed, when another node sees its disks answer."""


class OnRed(enum.Enum):
    """What is done when a probe finds something not well."""

    REPORT = "report"
    RESTART = "restart"
    """It is a failure, as any other."""


class Probe(msgspec.Struct, frozen=True):
    """Something in a guest that is asked about again and again."""

    name: str
    asks: Asked
    what: str
    interval_s: float = 10.0
    timeout_s: float = 5.0
    threshold: int = 3
    """So many times in a row not well, and it is red."""
    on_red: OnRed = OnRed.REPORT


class GuestCare(msgspec.Struct, frozen=True):
    """What is set for one VM. The numbers are those of vSphere's VM monitoring at its middle setting, where it has
    them: no sign of life for 60 s, 3 resets; its period there is 24 h, and 1 h at the quickest, which is ours."""

    heartbeat: bool = True
    """Is the guest's agent asked, where the VM has a channel for one?"""
    heartbeat_interval_s: float = 10.0
    heartbeat_timeout_s: float = 5.0
    """So long the agent may take to answer."""
    heartbeat_threshold: int = 6
    """So many times in a row no answer and no work, and the guest hangs."""
    on_hang: OnHang = OnHang.REPORT
    """An agent may hang while its guest is well, and a reset loses what is not on its disk yet: so it is asked for."""
    resets: int = 3
    reset_period_s: float = 3600.0
    on_panic: OnPanic = OnPanic.RESTART
    on_io_error: OnIoError = OnIoError.MOVE
    io_error_limit_s: float = 60.0
    probes: tuple[Probe, ...] = ()


class ProbeStatus(msgspec.Struct, frozen=True):
    state: str
    """green | red | not green yet"""
    why: str = ""


class GuestStatus(msgspec.Struct, frozen=True):
    """What the owner tells of a guest, on change: nothing is written while a guest answers."""

    heartbeat: str
    """The words of `core/owner/heartbeat.py`."""
    came: bool = False
    """Its agent has answered since the guest was last started."""
    last_beat_at_s: float = 0.0
    """Wall clock, for people: when the agent answered last, if it does not any more."""
    resets: int = 0
    """Within the present period, on its present owner."""
    probes: Mapping[str, ProbeStatus] = msgspec.field(default_factory=dict)
    green: bool = False
    """It has probes, and all are green."""
