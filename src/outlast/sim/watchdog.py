"""What cuts a simulated node's power when nobody feeds it?"""

from asyncio import TimerHandle

from outlast.model.watchdog import Strength
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE

_STANDS_STILL_S = 0.5


class SimWatchdog:
    """One per node. It outlives the service that armed it; a program stands still with its machine."""

    words = "a simulated watchdog"
    counts_on = False

    def __init__(self, machine: Machine, strength: Strength = Strength.HARDWARE) -> None:
        self.strength = strength
        self.gone = False
        """As when the device's driver was unloaded."""
        self._machine = machine
        self._timeout_s = 0.0
        self._due_s = 0.0
        self._timer: TimerHandle | None = None

    @property
    def armed(self) -> bool:
        return self._timeout_s > 0.0

    def length_s(self, timeout_s: float) -> float:
        self._must_be_there()
        return timeout_s

    def arm(self, timeout_s: float) -> float:
        self._must_be_there()
        self._timeout_s = timeout_s
        self.feed()
        return timeout_s

    def feed(self) -> None:
        self._must_be_there()
        if not self.armed:
            return
        loop = self._machine.loop
        self._due_s = loop.time() + self._timeout_s
        if self._timer is None or self._timer.when() > self._due_s:
            self._stop()
            self._timer = loop.call_at(self._due_s, self._bite, context=OUTSIDE)

    def disarm(self) -> None:
        self._timeout_s = 0.0
        self._stop()

    def _must_be_there(self) -> None:
        if self.gone:
            raise OSError("no such device")

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _bite(self) -> None:
        """One timer serves many feeds: when it was fed meanwhile, wait on."""
        self._timer = None
        loop = self._machine.loop
        if not self.armed or not self._machine.on:
            self._timeout_s = 0.0
        elif self._due_s > loop.time() + 1e-9:
            self._timer = loop.call_at(self._due_s, self._bite, context=OUTSIDE)
        elif self._machine.frozen and self.strength is Strength.PROCESS:
            self._timer = loop.call_later(_STANDS_STILL_S, self._bite, context=OUTSIDE)
        else:
            self._timeout_s = 0.0
            self._machine.power_off("its watchdog was not fed")
