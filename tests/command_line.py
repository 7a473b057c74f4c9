"""What a command left behind when it ended, and what tests call to run one (the fixture `outlast`)."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.out.splitlines()]


Outlast = Callable[..., Ended]
