"""Receivers of notices in the simulated world: one outside of the cluster, which remembers what it was told."""

import asyncio
from dataclasses import dataclass, field

from outlast.model.notice import Notice, NoticeRule
from outlast.ports.notices import NotTaken

ANSWERS_AFTER_S = 0.05


@dataclass
class Outside:
    """What lives on whichever node dies."""

    taken: list[tuple[str, Notice]] = field(default_factory=list)
    """Who sent it, and what."""
    rules: list[NoticeRule] = field(default_factory=list)
    """By which, with all their parameters."""
    refuses: str = ""
    """Why it takes nothing now."""
    answers: bool = True
    """False: it takes what is sent, and nobody hears that it has."""


class SimReceivers:
    def __init__(self, outside: Outside, node: str) -> None:
        self._outside = outside
        self._node = node

    async def send(self, rule: NoticeRule, notice: Notice, *, at_s: float, timeout_s: float) -> str:
        await asyncio.sleep(ANSWERS_AFTER_S)
        if self._outside.refuses:
            raise NotTaken(self._outside.refuses)
        self._outside.taken.append((self._node, notice))
        self._outside.rules.append(rule)
        if not self._outside.answers:
            await asyncio.sleep(timeout_s)
            raise NotTaken(f"no answer within {timeout_s:g} s")
        return "thank you"
