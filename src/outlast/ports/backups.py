"""What Outlast needs to keep backups: files on this node, which only root can read."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Stored(msgspec.Struct, frozen=True):
    path: str
    size_bytes: int


class Backups(Protocol):
    """Paths are whole, or names in this node's own place for backups. Every call raises OSError."""

    async def stored(self) -> Sequence[Stored]:
        """What lies in this node's own place, by name."""
        ...

    async def write(self, path: str, data: bytes) -> str:
        """Durably, all or nothing, over what was there; returns the whole path."""
        ...

    async def read(self, path: str) -> bytes: ...

    async def remove(self, path: str) -> None:
        """No error when it is gone."""
        ...
