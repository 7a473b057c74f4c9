"""What Outlast needs from a watchdog: something outside our control that cuts this node's power unless it is fed.

It enforces rule 3 when both the service and the resource hosts are frozen. Calls are cheap and do not block.
"""

from typing import Protocol

from outlast.model.watchdog import Strength


class Watchdog(Protocol):
    @property
    def strength(self) -> Strength:
        """What it really survives."""
        ...

    @property
    def words(self) -> str:
        """What it is, for people: the device and its own name for itself."""
        ...

    @property
    def counts_on(self) -> bool:
        """It was disarmed and counts all the same, since it cannot be stopped: it must be fed until the node ends."""
        ...

    def length_s(self, timeout_s: float) -> float:
        """How long a countdown of at least `timeout_s` would be, without starting it. Raises OSError with words when
        it certainly cannot be armed with that."""
        ...

    def arm(self, timeout_s: float) -> float:
        """Start the countdown, or start it anew; returns how long it really is, never less than `timeout_s`.

        Raises OSError with words when there is no such device, or it cannot count for that long.
        """
        ...

    def feed(self) -> None:
        """Start the countdown again. Raises OSError when the device is gone."""
        ...

    def disarm(self) -> None:
        """End the countdown in order, also one that an earlier life of the service left. Safe to repeat."""
        ...
