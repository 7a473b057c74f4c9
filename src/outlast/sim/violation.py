"""What a check of the simulator says when an invariant does not hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    at_s: float
    rule: int
    words: str

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s: invariant {self.rule}: {self.words}"
