"""What is a virtual machine in the simulated world, and how does it misbehave?

A `SimVm` is the thing itself, the same on every node that may run it; a `Copy` is one running QEMU of it on one node.
Its definition, which the cluster keeps as the real one keeps domain XML, is the line `vm NAME uuid=UUID`.
"""

import enum
from dataclasses import dataclass, field

from outlast.model.health import Condition, Health


@dataclass(slots=True)
class SimVm:
    name: str
    identity: str
    boot_s: float = 1.0
    """From the start of QEMU until the guest serves."""
    shutdown_s: float = 2.0
    """An orderly shutdown of the guest."""
    failing_starts: int = 0
    """So many of the next starts fail, wherever they are tried."""
    starts_only_on: tuple[str, ...] = ()
    """Empty: everywhere. Elsewhere a start fails: an emulator or a network is missing there."""
    ignores_shutdown: bool = False
    """The guest does not react to ACPI: only force ends it."""
    start_problem: str = ""
    """Why no start of it succeeds anywhere; empty when they do."""
    hung_calls: set[str] = field(default_factory=set)
    """Calls of the plugin about this VM that do not return: "online", "offline", "is_alive", ..."""
    failing_calls: set[str] = field(default_factory=set)
    """Calls that raise what nobody foresaw."""
    crashing_calls: set[str] = field(default_factory=set)
    """Calls that take their host process along."""

    @property
    def definition(self) -> str:
        return f"vm {self.name} uuid={self.identity}"


@dataclass(slots=True)
class Copy:
    vm: SimVm
    since_s: float
    serves: bool = False


class Ended(enum.Enum):
    """Why a running copy ended. The value is how the log says it."""

    KILLED = "QEMU was killed"
    GUEST = "shut down inside the guest"
    CONSOLE = "switched off from the host's console"
    POWER = "its node lost power"
    CALLED = "its resource host was told to stop it"
    PERMIT = "its resource host stopped it: the run permit ran out"


_FROM_CONSOLE = Health(Condition.OFFLINE, "switched off from the host's console")
_HEALTH = {
    Ended.KILLED: Health(Condition.FAILED, "QEMU ended with signal 9"),
    Ended.GUEST: Health(Condition.OFFLINE, "shut down inside the guest"),
    Ended.CONSOLE: _FROM_CONSOLE,
    # To everyone but the host that did it, libvirt cannot tell these from a hand at the console.
    Ended.CALLED: _FROM_CONSOLE,
    Ended.PERMIT: _FROM_CONSOLE,
}

ALIVE = Health(Condition.ONLINE, running=True)
NEVER_RAN = Health(Condition.OFFLINE, "not running")
CANNOT_TELL = Health(Condition.UNKNOWN, "libvirt does not answer", running=True)


def health_after(ended: Ended) -> Health:
    """What the plugin knows about a VM whose copy ended so. A node that lost power remembers nothing."""
    return _HEALTH[ended]
