"""Whom is an administrator of a random world at work on?"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

Lines = list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Hand:
    dice: Random
    node: str
    by: str
    """Where he sits."""
    group: str
    resource: str
    groups: Sequence[str] = ()
    """All that the world began with."""
    apps: Sequence[str] = ()
    """Those of them that have several resources."""
    number: int = 0
    """Of this deed, so that what is made has a name of its own."""
    memory: bool = False
    """Whether memory is counted in this world."""

    def some_s(self) -> float:
        return self.dice.choice(
            (self.dice.uniform(0.01, 3.0), self.dice.uniform(3.0, 15.0), self.dice.uniform(10.0, 60.0))
        )
