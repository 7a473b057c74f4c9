"""What the cluster service answers about fence devices. The fields are a contract, as those in `answers.py` are."""

from collections.abc import Mapping

import msgspec


class FenceAgentRow(msgspec.Struct, frozen=True):
    """A fence agent that is installed on the answering node."""

    agent: str
    words: str
    problem: str
    """Why it cannot be used; empty when it can."""


class FenceDeviceRow(msgspec.Struct, frozen=True):
    node: str
    device: str
    agent: str
    level: int
    parameters: Mapping[str, str]
    """Secret ones as "***"."""
    timeout_s: float
    delay_s: float
    attempts: int
    from_file: bool
    """It stands in the node's outlast.toml."""
    no_proof: str = ""
    """Why it is never used: its word would be no proof of death."""


class FenceTest(msgspec.Struct, frozen=True):
    """What a fence device answered when it was asked for the node's power."""

    node: str
    device: str
    agent: str
    level: int
    power: str = ""
    """on | off | "": it did not say."""
    problem: str = ""
    dangerous: bool = False
    """It would "prove" the death of a node that lives."""
    proves: bool = True
    """False: its word would be no proof of death, so it is never used."""
    asked_by: str = ""
    """The node that asked it."""


class FenceAdded(msgspec.Struct, frozen=True):
    device: FenceDeviceRow
    test: FenceTest
    doubt: str = ""
    """What to make sure of first, since its agent is not known."""
