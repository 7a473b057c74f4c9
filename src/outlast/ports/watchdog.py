"""What Outlast needs from a watchdog: a device outside our control that cuts this node's power unless it is fed.

It enforces rule 3 when both the service and the resource host are frozen. Calls are cheap and do not block.
"""

from typing import Protocol


class Watchdog(Protocol):
    kind: str
    """What it really is, in a word for people: "lab", "hardware", "softdog"."""

    def arm(self, timeout_s: float) -> None:
        """Start the countdown, or change its length. Raises OSError when there is no such device."""
        ...

    def feed(self) -> None:
        """Start the countdown again from `timeout_s`. Raises OSError when the device is gone."""
        ...

    def disarm(self) -> None:
        """End the countdown in order. Safe to repeat."""
        ...
