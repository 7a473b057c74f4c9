"""What is a virtual machine in the simulated world, or another thing that runs, and how does it misbehave?

A `SimVm` is the thing itself, the same on every node that may run it; a `Copy` is one running QEMU of it on one node.
Its definition, which the cluster keeps as the real one keeps domain XML, is the line `vm NAME uuid=UUID`. What is
no VM (a file share, an address) is of the type `sim`: libvirt is nothing to it, and nobody shuts it down from inside.
"""

import enum
from dataclasses import dataclass, field

import msgspec

from outlast.model.health import Condition, EndedBy, Halt, Health
from outlast.sim.guests import PANICKED, Guest

VM_TYPE = "vm"
SIM_TYPE = "sim"
"""Whatever else can be a resource."""
VOLUME_TYPE = "shared_volume"
"""What runs of it is the role of its coordinator."""


@dataclass(slots=True)
class SimVm:
    name: str
    identity: str
    type: str = VM_TYPE
    boot_s: float = 1.0
    """From the start of QEMU until the guest serves."""
    shutdown_s: float = 2.0
    """An orderly shutdown of the guest."""
    failing_starts: int = 0
    """So many of the next starts fail, wherever they are tried."""
    starts_only_on: tuple[str, ...] = ()
    """Empty: everywhere. Elsewhere a start fails: an emulator or a network is missing there."""
    memory_mib: int = 512
    networks: tuple[str, ...] = ()
    """The bridges that it is joined to."""
    agent: bool = False
    """What runs in it says that it answers, once it serves."""
    ignores_shutdown: bool = False
    """The guest does not react to ACPI: only force ends it."""
    start_problem: str = ""
    """Why no start of it succeeds anywhere; empty when they do."""
    transfer_s: float = 1.5
    """How long it takes to hand it over to another node as it runs."""
    switch_s: float = 0.03
    """From the moment in which the copy on the destination is complete until the source has heard it."""
    migration_problem: str = ""
    """Why it cannot be handed over; empty when it can."""
    hangs_again: int = 0
    """So many times it hangs again after it was started anew."""
    ails: bool = False
    """What its probes ask about is not well."""
    ailed_until_s: float = float("-inf")
    """When that, or its disk, changed last."""
    save_s: float = 0.8
    """How long it takes to save its state."""
    save_problem: str = ""
    """Why its state cannot be saved; empty when it can."""
    restores_only_on: tuple[str, ...] = ()
    """Empty: it goes on from its state everywhere."""
    states: "dict[str, Stored]" = field(default_factory=dict)
    """What lies on the shared disk, by path."""
    started_by_hand_s: float = float("-inf")
    """When somebody started it past the cluster last."""
    volume: str = ""
    """On which its disk lies; empty: on none."""
    ran_until_s: float = float("-inf")
    """When a copy of it that ran ended last."""
    hung_calls: set[str] = field(default_factory=set)
    """Calls of the plugin about this VM that do not return: "online", "offline", "is_alive", ..."""
    failing_calls: set[str] = field(default_factory=set)
    """Calls that raise what nobody foresaw."""
    crashing_calls: set[str] = field(default_factory=set)
    """Calls that take their host process along."""

    @property
    def disk(self) -> str:
        return f"/srv/{self.volume}/{self.name}.img" if self.volume else f"/srv/{self.name}.img"

    @property
    def definition(self) -> str:
        return f"{self.type} {self.name} uuid={self.identity}"


@dataclass(frozen=True, slots=True)
class Job:
    """A change of what lies on a shared volume. It goes with the role of who coordinates that."""

    id: str
    ends_at_s: float


@dataclass(slots=True)
class Copy:
    vm: SimVm
    since_s: float
    serves: bool = False
    is_saved: bool = False
    """Its state is being written."""
    job: Job | None = None
    stands: bool = False
    """It has just been handed over, and does not know yet that all is well."""
    guest: Guest = field(default_factory=Guest)
    brought: bool = False
    """It came from another node as it ran."""

    @property
    def health(self) -> Health:
        """Of one whose guest nothing has stopped."""
        if self.stands and not self.is_saved:  # libvirt cannot tell what leaves again from what has just come
            return msgspec.structs.replace(LEAVES, stands=self.brought, brought=self.brought)
        if self.brought:
            return BROUGHT
        if self.is_saved:
            return SAVING
        return ANSWERS if self.serves and self.vm.agent else ALIVE


@dataclass(slots=True)
class Stored:
    """A state on the shared disk."""

    as_of_s: float
    serves: bool
    used: bool = False
    """It was gone on from."""


class Ended(enum.Enum):
    """Why a running copy ended. The value is how the log says it."""

    KILLED = "QEMU was killed"
    GUEST = "shut down inside the guest"
    PANIC = "its guest panicked"
    CONSOLE = "switched off from the host's console"
    POWER = "its node lost power"
    CALLED = "its resource host was told to stop it"
    PERMIT = "its resource host stopped it: the run permit ran out"
    SAVED = "its state was saved"
    HANDED_OVER = "it was handed over as it ran"
    MIGRATED = "somebody migrated it away as it ran"


_FROM_CONSOLE = Health(Condition.OFFLINE, "switched off from the host's console", ended_by=EndedBy.CONSOLE)
_STARTS = Health(Condition.UNKNOWN, "a start of it is under way", running=True)
_LEFT = Health(Condition.OFFLINE, "migrated away from this node", moved_away=True)
_HEALTH = {
    Ended.KILLED: Health(Condition.FAILED, "QEMU ended with signal 9"),
    Ended.GUEST: Health(Condition.OFFLINE, "shut down inside the guest", ended_by=EndedBy.GUEST),
    Ended.PANIC: PANICKED,
    Ended.CONSOLE: _FROM_CONSOLE,
    # To everyone but the host that did it, libvirt cannot tell these from a hand at the console.
    Ended.CALLED: _FROM_CONSOLE,
    Ended.PERMIT: _FROM_CONSOLE,
    Ended.SAVED: Health(Condition.OFFLINE, "saved from the host's console"),
    Ended.HANDED_OVER: _LEFT,
    Ended.MIGRATED: _LEFT,
}

ALIVE = Health(Condition.ONLINE, running=True)
BROUGHT = Health(Condition.ONLINE, running=True, brought=True)
STARTED = Health(Condition.ONLINE, "started at the host's console", running=True)
ANSWERS = Health(Condition.ONLINE, running=True, answers=True)
SAVING = Health(Condition.ONLINE, "paused while its state is saved", running=True, stands=True, halt=Halt.PAUSED)
LEAVES = Health(Condition.ONLINE, "paused by a migration", running=True, halt=Halt.PAUSED)
"""It is being handed over, and stands still for the last of it."""
NEVER_RAN = Health(Condition.OFFLINE, "not running", unexplained=True)
LIES = Health(Condition.FAILED, "its process ended, says its plugin")
CANNOT_TELL = Health(Condition.UNKNOWN, "libvirt does not answer", running=True)


def health_after(ended: Ended, type: str = VM_TYPE) -> Health:
    """What the plugin knows about a VM whose copy ended so. A node that lost power remembers nothing."""
    if type != VM_TYPE:
        return Health(Condition.FAILED, "its process ended with signal 9") if ended is Ended.KILLED else NEVER_RAN
    return _HEALTH[ended]


def words_of(ended: Ended, type: str) -> str:
    return "it was killed" if ended is Ended.KILLED and type != VM_TYPE else ended.value


def while_starting(health: Health) -> Health:
    """What the same word amounts to while a start is under way: that it runs, or will in a moment."""
    if health.running or health.condition in (Condition.ONLINE, Condition.UNKNOWN):
        return health
    failed = health.condition is Condition.FAILED
    return Health(Condition.FAILED, health.why, running=True) if failed else _STARTS
