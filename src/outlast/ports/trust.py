"""What Outlast needs to know about who belongs to the cluster: this node's certificate, and the authority behind it."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class WrongRequest(ValueError):
    """What should be signed is no request for a certificate of this cluster; the text says why."""


class Trust(Protocol):
    """Lies on this node's disk, readable by root alone. Calls are quick; they raise OSError when the disk fails."""

    def authority(self) -> str:
        """The authority's certificate, PEM."""
        ...

    def fingerprint(self) -> bytes:
        """SHA-256 of the authority's certificate."""
        ...

    def can_sign(self) -> bool:
        """Nodes hold the authority's key; witnesses do not."""
        ...

    def sign(self, request: str, names: Sequence[str]) -> str:
        """A certificate for these names and addresses. Raises `WrongRequest`."""
        ...

    def lifetime_s(self) -> tuple[float, float]:
        """How long this node's certificate is good in all, and how much of that is left, by the wall clock."""
        ...

    def request(self) -> str:
        """For a new certificate with this node's present key."""
        ...

    def names(self) -> Sequence[str]:
        """Those that its present certificate has."""
        ...

    def install(self, certificate: str) -> None:
        """From now on this is the node's certificate: who uses the file reads it again by itself."""
        ...

    def shared(self) -> Mapping[str, str]:
        """What every node holds and a new one must get: file names below /etc/outlast, and what they contain."""
        ...

    def settled(self) -> None:
        """This machine is one of the cluster's now: that it was just being set up is over, whoever did it. Safe to
        repeat."""
        ...
