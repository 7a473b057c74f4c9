"""The world, as one object: everything that the cluster service may touch. The simulator passes in its own."""

from dataclasses import dataclass
from random import Random
from typing import Protocol

from outlast.core.placement.capacity import UNKNOWN, Capacity
from outlast.ports.backups import Backups
from outlast.ports.database import Database
from outlast.ports.fence import Fence
from outlast.ports.hosts import Hosts
from outlast.ports.links import Links
from outlast.ports.load import LoadRecord
from outlast.ports.members import LocalMember, Members
from outlast.ports.notices import Receivers
from outlast.ports.openid import OpenId
from outlast.ports.pam import Pam
from outlast.ports.passwords import Passwords
from outlast.ports.peers import Peers
from outlast.ports.secrets import Secrets
from outlast.ports.trust import Trust
from outlast.ports.upkeep import Upkeep
from outlast.ports.watchdog import Watchdog
from outlast.ports.web_certificate import WebCertificate


class Clock(Protocol):
    """Time. Sleeping is `asyncio.sleep`, which the simulator's loop makes jump."""

    def now(self) -> float:
        """Seconds of this node's own monotonic clock, suspended time included (CLOCK_BOOTTIME)."""
        ...

    def wall(self) -> float:
        """Seconds since 1970. For people only; no decision may depend on it (rule 12)."""
        ...


class Incarnations(Protocol):
    """Remembers this node's incarnation until the node loses power (a file under /run), and which machine it is."""

    def machine(self) -> str:
        """The same for ever on this machine, and on no other."""
        ...

    def load(self) -> str:
        """The present incarnation, or "" when the node has started since."""
        ...

    def store(self, incarnation: str) -> None: ...

    def member_began(self) -> bool:
        """Was this node's member of the database started since the node lost power last? Having had a session says
        nothing of that: the database can be reached without an own member."""
        ...

    def note_member_began(self) -> None: ...

    def stop_of(self, resource: str) -> str:
        """What was noted last of this cluster's own stop of that resource; "" when nothing was, or the node has lost
        power since."""
        ...

    def note_stop(self, resource: str, word: str) -> None:
        """For a service that comes after this one. An empty word: there is nothing to know."""
        ...


@dataclass(frozen=True, slots=True)
class Environment:
    clock: Clock
    random: Random
    database: Database
    hosts: Hosts
    fence: Fence
    watchdog: Watchdog | None
    incarnations: Incarnations
    peers: Peers | None = None
    """None: nodes that share one file (SQLite in the lab) need no links of their own."""
    members: Members | None = None
    """None: the database has no members that vote, or they are somebody else's."""
    upkeep: Upkeep | None = None
    """None: the database keeps its disks in order by itself, or somebody else does."""
    local_member: LocalMember | None = None
    """None: no member of the database runs on this node, or somebody else sees to it."""
    secrets: Secrets | None = None
    """None: nothing secret can be kept."""
    backups: Backups | None = None
    """None: there is no place for backups of the database."""
    trust: Trust | None = None
    """None: there are no certificates, and nobody joins (SQLite)."""
    links: Links | None = None
    """None: nobody can tell how the networks of guests are here."""
    passwords: Passwords | None = None
    """None: nobody can sign in."""
    pam: Pam | None = None
    """None: users of this host cannot sign in."""
    openid: OpenId | None = None
    """None: nobody signs in at a provider."""
    web_certificate: WebCertificate | None = None
    """None: no certificates can be made for `outlast-web`."""
    receivers: Receivers | None = None
    """None: nobody outside of the cluster is told anything."""
    load: LoadRecord | None = None
    """None: nobody can tell what this machine has to do."""
    capacity: Capacity = UNKNOWN
    processor: str = ""
    """As `Session.processor` has it."""
    """What this machine has."""
