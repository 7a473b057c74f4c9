"""Passwords in the simulated world: the same answers at once."""

import hashlib


class SimPasswords:
    async def hash(self, password: str) -> str:
        return "simulated:" + hashlib.sha256(password.encode()).hexdigest()

    async def matches(self, hashed: str, password: str) -> bool:
        return bool(hashed) and hashed == await self.hash(password)
