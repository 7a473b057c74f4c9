"""What does a type say about the programs that start, stop and ask its resources? The rest is the same for all."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from outlast.plugin import Health
from outlast.resources.programs import Ended, Running


class Action(enum.Enum):
    START = "start"
    STOP = "stop"
    TERMINATE = "terminate"
    ASK = "ask"


class NotUsable(Exception):
    """There is no such program on this node, or it cannot be used. The text is for people."""


@dataclass(frozen=True, slots=True)
class Acted:
    """How an action ended."""

    code: int
    words: str
    """The program's reason, for people; may be empty."""
    timed_out: bool = False


class Driver(Protocol):
    """For one resource with certain properties. Any method may raise `NotUsable`, and `begin` also OSError."""

    def name_of(self, action: Action) -> str:
        """For people, as the type calls it. Two actions of one name are one."""
        ...

    def timeout_s(self, action: Action) -> float: ...

    def problems(self) -> Sequence[str]:
        """What keeps it from being started, for people."""
        ...

    def begin(
        self,
        action: Action,
        *,
        thorough: bool,
        started: bool,
        timeout_s: float,
        extra: Mapping[str, str],
        cgroup: str,
    ) -> Running:
        """`started`: it was started here, as far as is written down. `extra`: more of its environment."""
        ...

    def reason(self, ended: Ended) -> str:
        """Why it ended so, for people; may be empty."""
        ...

    def told(self, acted: Acted) -> str:
        """The same with what its exit code means; not empty."""
        ...

    def done(self, acted: Acted) -> bool:
        """A start, stop or terminate did what it is for."""
        ...

    def health(self, acted: Acted, *, started: bool) -> Health:
        """What ASK says."""
        ...

    def gone(self, acted: Acted) -> bool:
        """ASK, after a stop that was done, proves that nothing runs."""
        ...


def acted(ended: Ended, name: str, timeout_s: float, driver: Driver) -> Acted:
    if ended.timed_out:
        return Acted(1, f"its {name} did not end within {timeout_s:g} s", timed_out=True)
    return Acted(ended.code, driver.reason(ended))
