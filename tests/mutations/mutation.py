"""What is a mutation? One rule, broken in the running code."""

from dataclasses import dataclass

from mutations.broken import Break


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    rule: int
    words: str
    shown_by: str
    """The test that must turn red, below `tests/`."""
    apply: Break
