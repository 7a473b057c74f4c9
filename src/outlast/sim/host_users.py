"""The users of the simulated hosts, and their PAM: one table for all nodes, as a directory server would be."""

import asyncio
from dataclasses import dataclass, field

from outlast.ports.pam import HostUser, NoAnswer, WrongPassword

ANSWERS_AFTER_S = 0.05
HANGS_S = 20.0


@dataclass
class HostUsers:
    passwords: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    """How the host calls who it finds by that name, if otherwise."""
    hangs: bool = False
    asked: list[str] = field(default_factory=list)
    """Names, in the order in which PAM was asked for them."""


class SimPam:
    def __init__(self, users: HostUsers) -> None:
        self._users = users

    async def ask(self, service: str, name: str, password: str, address: str) -> HostUser:
        self._users.asked.append(name)
        if self._users.hangs:
            await asyncio.sleep(HANGS_S)
            raise NoAnswer(f"PAM did not answer within {HANGS_S:g} s; try again")
        await asyncio.sleep(ANSWERS_AFTER_S)
        name = name.lower()  # as many a directory server takes it
        if not password or self._users.passwords.get(name) != password:
            raise WrongPassword
        return HostUser(self._users.called.get(name, name), self._users.groups.get(name, ()))

    async def why_not(self, service: str) -> str:
        return ""
