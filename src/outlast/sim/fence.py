"""How do simulated fence devices switch a node off, or fail to?

A node hangs on one outlet or on several (`NodePower`). On a *ladder* each of them cuts all its power, and they are
tried one after the other: a management board, then a switched outlet. With two *supplies* the power is gone when both
are off.
"""

import asyncio
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from outlast.model.fence import FenceAgent, FenceDevice, FenceParameter, Power
from outlast.ports.fence import FenceFailed
from outlast.sim.machine import Machine
from outlast.sim.process import OUTSIDE

AGENT = FenceAgent(
    "fence_sim",
    "A simulated device",
    parameters=(
        FenceParameter("plug", required=True, words="The node"),
        FenceParameter("outlet", words="Which of its outlets"),
    ),
)
_TAKES_S = 0.5


class FenceMode(enum.Enum):
    CONFIRMS = "confirms"
    FAILS = "fails"
    HANGS = "hangs"
    LIES = "lies"
    """Confirms and does nothing. Without links between the services nobody notices: for tests that must go red."""


class Style(enum.Enum):
    """How the nodes can be fenced. The value is the word in `world`."""

    NONE = "unfenced"
    ONE = "one"
    LADDER = "ladder"
    SUPPLIES = "supplies"


OUTLETS = {Style.NONE: (), Style.ONE: ("",), Style.LADDER: ("board", "switch"), Style.SUPPLIES: ("left", "right")}


@dataclass(slots=True)
class Outlet:
    """One fence device, and what it switches."""

    mode: FenceMode = FenceMode.CONFIRMS
    takes_s: float = _TAKES_S
    dies_with_node: bool = False
    """It hangs on the same power as the node (many management boards do): no answer when that is gone."""
    powered: bool = True
    closed: bool = True
    """It lets the power through."""


@dataclass(slots=True)
class NodePower:
    """What one node is fed by."""

    node: str
    style: Style
    outlets: dict[str, Outlet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outlets = {name: Outlet() for name in OUTLETS[self.style]}

    @property
    def devices(self) -> tuple[FenceDevice, ...]:
        if self.style is Style.ONE:
            return (FenceDevice("fence_sim", {"plug": self.node}, name="fence_sim"),)
        ladder = self.style is Style.LADDER
        return tuple(
            FenceDevice("fence_sim", {"plug": self.node, "outlet": name}, name=name, level=level if ladder else 1)
            for level, name in enumerate(self.outlets, 1)
        )

    @property
    def feeds(self) -> bool:
        return self.style is not Style.SUPPLIES or any(outlet.closed for outlet in self.outlets.values())

    def gone(self) -> None:
        """The node has lost its power, by whatever hand."""
        for outlet in self.outlets.values():
            outlet.powered = not outlet.dies_with_node

    def back(self) -> None:
        """Somebody has switched it on."""
        for outlet in self.outlets.values():
            outlet.powered = outlet.closed = True

    def whole(self) -> None:
        self.back()
        for outlet in self.outlets.values():
            outlet.mode, outlet.takes_s, outlet.dies_with_node = FenceMode.CONFIRMS, _TAKES_S, False


class SimFence:
    """The port, as one node's service holds it."""

    def __init__(
        self,
        machines: Mapping[str, Machine],
        powers: Mapping[str, NodePower],
        power_on: Callable[[str], None],
        on_fenced: Callable[[str], None],
    ) -> None:
        self._machines = machines
        self._powers = powers
        self._power_on = power_on
        self._on_fenced = on_fenced

    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        outlet = await self._reached(node, device, f"switch {node} off", timeout_s)
        if outlet.mode is FenceMode.CONFIRMS:
            self._soon(outlet, self._open, node, outlet, device.name)
        await asyncio.sleep(outlet.takes_s)
        return f"{device.agent} says that {node} is off"

    async def on(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        outlet = await self._reached(node, device, f"switch {node} on", timeout_s)
        if outlet.mode is FenceMode.CONFIRMS:
            self._soon(outlet, self._close, node, outlet)
        await asyncio.sleep(outlet.takes_s)
        return f"{device.agent} says that {node} is on"

    async def status(self, node: str, device: FenceDevice, *, timeout_s: float) -> Power:
        outlet = await self._reached(node, device, f"tell whether {node} is on", timeout_s)
        await asyncio.sleep(outlet.takes_s)
        if self._powers[node].style is Style.SUPPLIES:
            return Power.ON if outlet.closed and outlet.mode is not FenceMode.LIES else Power.OFF
        return Power.ON if self._machines[node].on and outlet.mode is not FenceMode.LIES else Power.OFF

    async def agents(self) -> Sequence[str]:
        return [AGENT.name]

    async def describe(self, agent: str, *, timeout_s: float) -> FenceAgent:
        if agent != AGENT.name:
            raise FenceFailed(f"there is no fence agent {agent} on this node")
        return AGENT

    async def _reached(self, node: str, device: FenceDevice, to_do: str, timeout_s: float) -> Outlet:
        outlet = self._powers[node].outlets[device.parameters.get("outlet", "")]
        if not outlet.powered:
            await asyncio.sleep(timeout_s)
            raise FenceFailed(f"cannot {to_do} with {device.agent}: its management board does not answer")
        if outlet.mode is FenceMode.HANGS or outlet.takes_s > timeout_s:
            await asyncio.sleep(timeout_s)
            raise FenceFailed(f"cannot {to_do} with {device.agent}: no answer within {timeout_s:g} s")
        if outlet.mode is FenceMode.FAILS:
            await asyncio.sleep(outlet.takes_s)
            raise FenceFailed(f"cannot {to_do} with {device.agent}: the device refused")
        return outlet

    def _soon(self, outlet: Outlet, switch: Callable[..., None], *arguments: object) -> None:
        asyncio.get_running_loop().call_later(outlet.takes_s * 0.9, switch, *arguments, context=OUTSIDE)

    def _open(self, node: str, outlet: Outlet, by: str) -> None:
        outlet.closed = False
        power = self._powers[node]
        if power.style is not Style.SUPPLIES or not power.feeds:
            if self._machines[node].on:
                self._on_fenced(node)
            self._machines[node].power_off(f"fenced by {by}")

    def _close(self, node: str, outlet: Outlet) -> None:
        outlet.closed = True
        if not self._machines[node].on:
            self._power_on(node)
