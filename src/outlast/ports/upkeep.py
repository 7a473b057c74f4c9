"""What Outlast needs so that the disks of the cluster database do not fill up with what is forgotten.

Only of a database that Outlast runs itself: history on somebody else's is theirs to keep.
"""

from collections.abc import Sequence
from typing import Protocol

from outlast.model.upkeep import Size


class Upkeep(Protocol):
    async def sizes(self, *, timeout_s: float) -> Sequence[Size]:
        """Of all members, in order of their names. Needs no quorum. Raises `Unavailable` when nobody knows them."""
        ...

    async def reclaim(self, url: str, *, timeout_s: float) -> None:
        """Give the free space of that member back to its disk. It answers nobody meanwhile (about a second for each
        100 MiB that are in use). Raises `Unavailable`."""
        ...

    async def call_off(self, *, timeout_s: float) -> None:
        """Let all members write again. They refuse anew as soon as the limit is reached again. Raises `Unavailable`."""
        ...
