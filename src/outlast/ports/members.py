"""What Outlast needs to know and change about the members that carry the cluster database: who votes.

Two halves. `Members` is the engine's own membership, asked through any member that answers. `LocalMember` is the
process of this node's own member. SQLite has neither.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from outlast.model.member import Member, MemberStatus
from outlast.ports.database import Unavailable

__all__ = [
    "FIRST_START",
    "LocalMember",
    "Member",
    "MemberStatus",
    "Members",
    "NotReady",
    "NotWhole",
    "Start",
    "Unavailable",
]


class NotReady(Exception):
    """A learner that has not caught up yet cannot vote. Try again."""


class NotWhole(OSError):
    """The log of this node's own member cannot be kept whole. Nothing was changed, and nothing was started."""


class Members(Protocol):
    """Every call but `status`, `disk_s` and `known_to` needs a quorum, and raises `Unavailable` without one."""

    def reach_at(self, client_urls: Sequence[str]) -> None:
        """Another machine says that members can be asked at these addresses too. So a node that has just started finds
        the others also when its own member is out of order."""
        ...

    async def list(self, *, timeout_s: float) -> Sequence[Member]: ...

    async def add_learner(self, peer_urls: Sequence[str], *, timeout_s: float) -> Member:
        """Raises ValueError when the engine refuses (already there, too many learners), with its words."""
        ...

    async def promote(self, id: str, *, timeout_s: float) -> None:
        """Raises `NotReady`."""
        ...

    async def remove(self, id: str, *, timeout_s: float) -> None:
        """No error when it is gone already. Raises ValueError when the engine refuses."""
        ...

    async def move_leader(self, id: str, *, timeout_s: float) -> None:
        """Make a voting member lead. Best effort; raises ValueError when it cannot."""
        ...

    async def status(self, client_url: str, *, timeout_s: float) -> MemberStatus:
        """Of the one member at that address. Raises `Unavailable`."""
        ...

    async def disk_s(self, client_url: str, *, within_s: float) -> float:
        """How long the disk of the member at that address took for a write that is to last, on average of those that
        ended within the next seconds; it takes so long to find out. 0: none ended, or the member does not say."""
        ...

    async def known_to(self, client_url: str, *, timeout_s: float) -> Sequence[Member]:
        """The members as the one at that address knows them, without asking the others: what it has applied of its own
        log, which may be old. Raises `Unavailable`."""
        ...


class Start(msgspec.Struct, frozen=True):
    """How this node's member starts."""

    initial: Mapping[str, str]
    """Name to peer address of all members it is to find; only read when it has no data yet."""
    existing: bool = True
    """It joins members that run already, rather than founding a cluster."""
    alone: bool = False
    """It goes on as the only member, with the data it has: all others are out for good. Nothing but a proof that they
    run nothing may lead to this."""
    whole_log: bool = False
    """With `alone`: every entry on its disk counts, also those of which it has not heard that they were committed. Only
    right for one of two that voted: it has all that was committed, and no other has committed anything in its place."""


FIRST_START = "first-start"
"""The mark that setting up a node leaves: how its member starts for the first time (`Start` as JSON). A member without
data and without this mark is not started: what it belonged to is not known here."""


class LocalMember(Protocol):
    """This node's own member process (a unit of systemd, a supervised process in the lab)."""

    client_url: str
    peer_url: str

    def has_data(self) -> bool: ...

    def marks(self) -> Mapping[str, str]:
        """What was noted beside the data, on the same disk, by `mark`. Empty when nothing was."""
        ...

    def mark(self, marks: Mapping[str, str]) -> None:
        """Note it durably (fsync) in place of what was noted before."""
        ...

    async def start(self, how: Start) -> None:
        """Returns when the process has been started; it may not serve yet. No error when it runs already.
        Raises OSError with words when it cannot be started, or nobody knows whether it was; `NotWhole` when its log
        cannot be kept whole."""
        ...

    async def stop(self) -> None:
        """Returns when the process is gone. Safe to repeat."""
        ...

    async def runs(self) -> bool: ...

    async def wipe(self) -> None:
        """Stop it and throw its data away (kept aside once, as DIR.old, for people). The marks stay."""
        ...
