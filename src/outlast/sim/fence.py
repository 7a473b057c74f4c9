"""How does a simulated fence device switch a node off, or fail to?"""

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass

from outlast.model.node import FenceDevice
from outlast.ports.fence import FenceFailed
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE


class FenceMode(enum.Enum):
    CONFIRMS = "confirms"
    FAILS = "fails"
    HANGS = "hangs"
    LIES = "lies"
    """Confirms and does nothing. No cluster is safe with such a device: only for tests that must go red."""


@dataclass(slots=True)
class FencePower:
    """The fence device of one node."""

    mode: FenceMode = FenceMode.CONFIRMS
    takes_s: float = 0.5
    dies_with_node: bool = False
    """It hangs on the same power as the node (many management boards do): no answer when that is gone."""
    powered: bool = True


class SimFence:
    """The port, as one node's service holds it."""

    def __init__(self, machines: Mapping[str, Machine], powers: Mapping[str, FencePower]) -> None:
        self._machines = machines
        self._powers = powers

    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        power = self._powers[node]
        machine = self._machines[node]
        if not power.powered:
            await asyncio.sleep(timeout_s)
            raise FenceFailed(f"cannot switch {node} off with {device.agent}: its management board does not answer")
        if power.mode is FenceMode.HANGS or power.takes_s > timeout_s:
            await asyncio.sleep(timeout_s)
            raise FenceFailed(f"cannot switch {node} off with {device.agent}: no answer within {timeout_s:g} s")
        if power.mode is FenceMode.FAILS:
            await asyncio.sleep(power.takes_s)
            raise FenceFailed(f"cannot switch {node} off with {device.agent}: the device refused")
        loop = asyncio.get_running_loop()
        if power.mode is FenceMode.CONFIRMS:
            loop.call_later(power.takes_s * 0.9, machine.power_off, f"fenced by {device.agent}", context=OUTSIDE)
        await asyncio.sleep(power.takes_s)
        return f"{device.agent} says that {node} is off"
