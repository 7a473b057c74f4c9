"""How does a simulated fence device switch a node off, or fail to?"""

import asyncio
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from outlast.model.fence import FenceAgent, FenceDevice, FenceParameter, Power
from outlast.ports.fence import FenceFailed
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE

AGENT = FenceAgent(
    "fence_sim", "A simulated device", parameters=(FenceParameter("plug", required=True, words="The node"),)
)


class FenceMode(enum.Enum):
    CONFIRMS = "confirms"
    FAILS = "fails"
    HANGS = "hangs"
    LIES = "lies"
    """Confirms and does nothing. Without links between the services nobody notices: for tests that must go red."""


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

    def __init__(
        self, machines: Mapping[str, Machine], powers: Mapping[str, FencePower], power_on: Callable[[str], None]
    ) -> None:
        self._machines = machines
        self._powers = powers
        self._power_on = power_on

    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        power = await self._reached(node, device, f"switch {node} off", timeout_s)
        if power.mode is FenceMode.CONFIRMS:
            self._soon(power, self._machines[node].power_off, f"fenced by {device.agent}")
        await asyncio.sleep(power.takes_s)
        return f"{device.agent} says that {node} is off"

    async def on(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        power = await self._reached(node, device, f"switch {node} on", timeout_s)
        if power.mode is FenceMode.CONFIRMS and not self._machines[node].on:
            self._soon(power, self._power_on, node)
        await asyncio.sleep(power.takes_s)
        return f"{device.agent} says that {node} is on"

    async def status(self, node: str, device: FenceDevice, *, timeout_s: float) -> Power:
        power = await self._reached(node, device, f"tell whether {node} is on", timeout_s)
        await asyncio.sleep(power.takes_s)
        return Power.ON if self._machines[node].on and power.mode is not FenceMode.LIES else Power.OFF

    async def agents(self) -> Sequence[str]:
        return [AGENT.name]

    async def describe(self, agent: str, *, timeout_s: float) -> FenceAgent:
        if agent != AGENT.name:
            raise FenceFailed(f"there is no fence agent {agent} on this node")
        return AGENT

    async def _reached(self, node: str, device: FenceDevice, to_do: str, timeout_s: float) -> FencePower:
        power = self._powers[node]
        if not power.powered:
            await asyncio.sleep(timeout_s)
            raise FenceFailed(f"cannot {to_do} with {device.agent}: its management board does not answer")
        if power.mode is FenceMode.HANGS or power.takes_s > timeout_s:
            await asyncio.sleep(timeout_s)
            raise FenceFailed(f"cannot {to_do} with {device.agent}: no answer within {timeout_s:g} s")
        if power.mode is FenceMode.FAILS:
            await asyncio.sleep(power.takes_s)
            raise FenceFailed(f"cannot {to_do} with {device.agent}: the device refused")
        return power

    def _soon(self, power: FencePower, switch: Callable[[str], None], argument: str) -> None:
        asyncio.get_running_loop().call_later(power.takes_s * 0.9, switch, argument, context=OUTSIDE)
