"""What a machine that joins and a node of the cluster say to each other. Topic `enrol`, as JSON.

Every question but `Renew` carries the token's secret: it comes from a stranger, over a link whose other end is proven
by the fingerprint of the authority in the token.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.member import Part

TOPIC = "enrol"


class Enrol(msgspec.Struct, frozen=True, tag="enrol"):
    """Who are you, who am I, may I? Safe to repeat."""

    secret: str
    name: str
    address: str
    machine: str
    request: str
    """For a certificate, PEM."""
    part: Part = Part.NODE


class AskMember(msgspec.Struct, frozen=True, tag="member"):
    """Add a member for me: I have no data. Safe to repeat. `Done` means: none is needed now."""

    secret: str
    client_url: str
    peer_url: str


class AskVote(msgspec.Struct, frozen=True, tag="vote"):
    """Does my member vote now? If not, try to let it."""

    secret: str


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """All is done: the token is used up."""

    secret: str


class Abandon(msgspec.Struct, frozen=True, tag="abandon"):
    """It failed on my side, and nothing of it is left here: forget it too. The same machine may try again."""

    secret: str


class Renew(msgspec.Struct, frozen=True, tag="renew"):
    """A new certificate for a machine that has one which is still good."""

    request: str


Question = Enrol | AskMember | AskVote | Finish | Abandon | Renew


class Enrolled(msgspec.Struct, frozen=True, tag="enrolled"):
    cluster: str
    cluster_id: str
    node: str
    """Who answers."""
    authority: str
    certificate: str
    endpoints: tuple[str, ...]
    prefix: str
    user: str
    node_timeout_s: float
    ours: bool
    """Whether Outlast runs etcd for this cluster, so each machine is ready to carry a member; else `files` has what
    the other one asks for."""
    at_s: float
    """By the wall clock of who answers."""
    files: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What it shall have below /etc/outlast as well. Secret."""


class MayStart(msgspec.Struct, frozen=True, tag="may-start"):
    """Start your member now."""

    initial: Mapping[str, str]
    """Name to peer address of all members."""


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Not yet; ask again."""

    words: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    words: str = ""


class Renewed(msgspec.Struct, frozen=True, tag="renewed"):
    certificate: str


Answer = Enrolled | MayStart | Wait | Done | Renewed
