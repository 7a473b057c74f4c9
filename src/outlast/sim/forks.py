"""What is a member of the simulated database, and what does it share with the others?

What was committed is one row of entries (commits of the store, and changes of who belongs to it), a `Fork`; each member
has the beginning of it on its `Disk`, up to its own index. A member that goes on alone makes another fork of it.
`outlast.sim.consensus` says who may add to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from outlast.sim.machine import Machine
from outlast.sim.process import Process
from outlast.sim.store import SimStore

_DOMAIN = ".simulated"


def address_of(host: str) -> str:
    return host + _DOMAIN


def client_url(host: str) -> str:
    return f"http://{address_of(host)}:2379"


def peer_url(host: str) -> str:
    return f"http://{address_of(host)}:2380"


def host_of(url: str) -> str:
    return url.removeprefix("http://").partition(_DOMAIN)[0]


@dataclass(frozen=True, slots=True)
class Seat:
    """One member in the row's own word about who belongs to it."""

    id: str
    host: str
    learner: bool = False


@dataclass(slots=True)
class Fork:
    """One row of entries that members share."""

    store: SimStore
    seats: list[tuple[int, tuple[Seat, ...]]]
    """Who belongs to it, from which index on."""
    parent: "Fork | None" = None
    index: int = 0
    term: int = 1
    leader: "Member | None" = None
    former: "Member | None" = None
    """Who led last, and when it could no longer."""
    lost_at_s: float = 0.0
    removed: dict[str, int] = field(default_factory=dict)
    """Who belongs to it no more, since which index."""
    named: set[str] = field(default_factory=set)
    """Who has ever started."""
    election: object = None

    def seats_at(self, index: int) -> tuple[Seat, ...]:
        return next(seats for since, seats in reversed(self.seats) if since <= index)

    def revision_at(self, index: int) -> int:
        return index - sum(1 for since, _ in self.seats if 0 < since <= index)

    def descends_from(self, other: "Fork") -> bool:
        fork: Fork | None = self
        while fork is not None and fork is not other:
            fork = fork.parent
        return fork is other


@dataclass(slots=True)
class Disk:
    """What of a member outlives its process."""

    id: str = ""
    fork: Fork | None = None
    index: int = 0
    """How much of the row it has in its log."""
    term: int = 0
    known: int = 0
    """How much of it was known to be committed when its end came, at `got_at_s`; it hears of that a moment later."""
    got_at_s: float = float("-inf")
    tail: tuple[Callable[[SimStore], object], ...] = ()
    """Writes beyond that, which no majority has; nobody has heard that they were done."""
    marks: Mapping[str, str] = field(default_factory=dict)
    set_back: bool = False
    """It is from the past."""


class Member:
    """The member of one machine: its disk, and its process when it runs."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.host = machine.name
        self.disk = Disk()
        self.trouble = ""
        """"read-only" or "corrupt": its process ends soon after each start."""
        self.fsync_s = 0.0
        self.process: Process | None = None
        self.lost_at_s: float | None = 0.0
        """When it has heard a leader last; None: it hears one now."""

    @property
    def alive(self) -> bool:
        """Is there a process, frozen or not?"""
        return self.process is not None and self.process.alive

    @property
    def up(self) -> bool:
        return self.process is not None and self.process.runs

    @property
    def fork(self) -> Fork | None:
        return self.disk.fork

    @property
    def seats(self) -> tuple[Seat, ...]:
        return self.disk.fork.seats_at(self.disk.index) if self.disk.fork else ()
