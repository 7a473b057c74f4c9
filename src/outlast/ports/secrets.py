"""What Outlast needs to keep passwords in the cluster database, where nobody can read them there."""

from collections.abc import Mapping
from typing import Protocol


class NoSecret(Exception):
    """It cannot be sealed or opened. The text says why and what to do, and holds nothing secret."""


class Secrets(Protocol):
    """One key for the whole cluster, in a file of root's on each node; never in the database."""

    def key_id(self) -> str:
        """Tells keys apart and betrays nothing of them; "" when this node has none."""
        ...

    def create(self) -> str:
        """Draw a key, unless there is one; returns its id. Raises `NoSecret` when it cannot be written down."""
        ...

    def seal(self, purpose: str, values: Mapping[str, str]) -> str:
        """Text that only holders of the key can open or could have made. Raises `NoSecret`."""
        ...

    def open(self, purpose: str, sealed: str) -> Mapping[str, str]:
        """Raises `NoSecret`: another key, damaged, or sealed for another purpose."""
        ...
