"""What Outlast needs to tell what the machine had to do: readings of its kernel, and a record that outlives us."""

from collections.abc import Sequence
from typing import Protocol

from outlast.model.load import Load, Reading


class LoadRecord(Protocol):
    """All of it raises OSError. The record holds a day of minutes and never becomes larger."""

    def read(self) -> Reading:
        """At once: it asks the kernel, and no disk."""
        ...

    async def kept(self) -> Sequence[Load]:
        """In any order. What is damaged is left out, and minutes that are older than a day may be among them."""
        ...

    async def keep(self, minute: Load) -> None:
        """In place of the minute of the day before. It need not be durable: of a machine that loses its power some
        minutes may be missing."""
        ...
