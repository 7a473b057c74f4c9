"""What the cluster asks of the inside of a resource (a VM's guest), and what it hears: the nouns that plugins share.

Plugin authors import them from `outlast.plugin`.
"""

import enum

import msgspec


class Asked(enum.Enum):
    PING = "ping"
    """Does what runs in it answer at all (a VM's guest agent)?"""
    COMMAND = "command"
    """A command that is run inside: green when its exit status is 0."""
    UNIT = "unit"
    """A unit of the guest's systemd: green when it is active."""
    TCP = "tcp"
    """ADDRESS:PORT, connected to from the node: green when somebody accepts."""


class Inquiry(msgspec.Struct, frozen=True):
    asked: Asked = Asked.PING
    what: str = ""
    """The command, the unit, or the address and port."""
    timeout_s: float = 5.0


class Answer(enum.Enum):
    YES = "yes"
    NO = "no"
    """Of a probe: what was asked about is not well."""
    SILENT = "no answer"
    """There is somebody to answer, and he did not in time."""
    ABSENT = "nobody there"
    """Nobody is there to answer: the agent was stopped, or has not started yet."""
    NO_WAY = "no way to ask"
    """This resource has nothing that could ever answer (no channel for an agent in its definition)."""
    UNTOLD = "not asked"
    """It could not be asked, which says nothing about it: libvirt does not answer, too many others wait."""


class Finding(msgspec.Struct, frozen=True):
    """`cpu_s` and `io_requests` count up since it was started; None where nobody can tell."""

    answer: Answer
    why: str = ""
    """For people: what a probe said, or why there is no answer."""
    stands: bool = False
    """It is paused: nobody in it can answer."""
    cpu_s: float | None = None
    """Processor time that it has used so far."""
    io_requests: int | None = None
    """Requests to its disks so far."""


class Incident(enum.Enum):
    """What a plugin saw happen to it, while the resource runs on."""

    REBOOTED = "rebooted"
    PANICKED = "panicked"
    WATCHDOG = "watchdog"
    """Its own watchdog device has gone off."""
    RESET = "reset"
    """Somebody at the host's console had it begin anew."""
    DEVICES = "devices"
    """Something was attached to it or detached from it as it runs, past the cluster."""
