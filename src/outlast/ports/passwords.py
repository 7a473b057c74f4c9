"""What Outlast needs to know a password again without keeping it."""

from typing import Protocol


class Passwords(Protocol):
    async def hash(self, password: str) -> str:
        """Slow and of much memory on purpose, salted; at most a few at once."""
        ...

    async def matches(self, hashed: str, password: str) -> bool:
        """Takes as long for an empty `hashed`, which nothing matches: nobody can tell by the time which users exist."""
        ...
