"""Passwords hashed with Argon2id, in threads, so that the cluster service goes on meanwhile.

The library is imported when somebody signs in: most nodes never need it.
"""

import asyncio

MEMORY_KIB = 19 * 1024
PASSES = 2
AT_ONCE = 2
"""Each takes its memory: a crowd at the door must not starve the service."""
_NOBODY: list[str] = []
"""A hash that nothing is let in by."""


class Argon2Passwords:
    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(_hash, password)

    async def matches(self, hashed: str, password: str) -> bool:
        async with self._turns:
            return await asyncio.to_thread(_matches, hashed, password)


def _hash(password: str) -> str:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1).hash(password)


def _matches(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    if not hashed and not _NOBODY:
        _NOBODY.append(_hash("nobody has this password"))
    try:
        right = PasswordHasher().verify(hashed or _NOBODY[0], password)
    except (VerificationError, InvalidHashError):
        return False
    return right and bool(hashed)
