"""The machines that carry a member of the cluster database, and joins under way."""

import enum

import msgspec


class Part(enum.Enum):
    NODE = "node"
    WITNESS = "witness"
    """It votes, and runs nothing."""


class MemberRecord(msgspec.Struct, frozen=True):
    """A machine that carries a member. Key `members/NAME`; written when it joins, deleted when it is evicted."""

    name: str
    part: Part = Part.NODE
    address: str = ""
    client_url: str = ""
    peer_url: str = ""


class Member(msgspec.Struct, frozen=True):
    id: str
    """The engine's own id, hex without 0x. A member that was removed and came back has another."""
    name: str
    """The node's or witness's name; "" for one that was added and has not started yet."""
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...] = ()
    learner: bool = False
    """A learner gets everything that is written and does not vote."""


class MemberStatus(msgspec.Struct, frozen=True):
    """What one member says of itself. Needs no quorum."""

    id: str
    leader: str
    """The id of the member that leads as this one sees it; "" when it sees none."""
    term: int
    index: int
    """How far its log is committed, as it knows."""
    version: str
    database_bytes: int = 0
    problems: tuple[str, ...] = ()
    """Alarms (no space, corrupt), for people; empty when it is well."""


class Join(msgspec.Struct, frozen=True):
    """A token that was given out, and what became of it. Key `joins/HASH`, with the hash of the token's secret.

    Its times are of the wall clock: like certificates, tokens are for machines whose clocks are right within minutes.
    No VM depends on them.
    """

    part: Part = Part.NODE
    given_at_s: float = 0.0
    lifetime_s: float = 3600.0
    machine: str = ""
    """The first machine that used it; from then on nobody else can."""
    name: str = ""
    """What that machine calls itself; empty when no join is under way with it."""
    address: str = ""
    began_at_s: float = 0.0
