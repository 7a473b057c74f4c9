"""What Outlast needs from the links between its own services.

Nothing is decided here, and nothing that is said here changes who owns what: that stands in the database alone
(rule 1). Peers tell each other only what the database cannot carry at that moment: that they will not decide without
each other while it is away, who they are after a boot, and how a new machine becomes a member; and what is asked so
often that it must write nothing, as who sees which disks.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[str, bytes], Awaitable[bytes]]
"""Gets who asks (the node's name as its certificate says, "" for a stranger) and what; returns the answer.
It raises `NotAnswered` to refuse, with words for the asker."""


class PeerUnreachable(Exception):
    """No answer: not there, cut off, frozen, or it took too long. Says nothing about what the other one did."""


class NotAnswered(Exception):
    """The other one is there and refuses. The text says why, for people."""


class Peers(Protocol):
    """Used from one event loop; calls overlap."""

    async def ask(self, node: str, address: str, topic: str, question: bytes, *, timeout_s: float) -> bytes:
        """Ask the service of `node` at `address` ("host" or "host:port"). Never retried by an adapter.

        Raises `PeerUnreachable` or `NotAnswered`. Who answers is certainly `node`: its certificate says so, where the
        cluster has certificates.
        """
        ...

    def answer(self, topic: str, handler: Handler, *, strangers: bool = False) -> None:
        """From now on this is what answers to the topic. `strangers`: also to those without a certificate."""
        ...

    async def serve(self) -> None:
        """Listen and answer until cancelled."""
        ...
