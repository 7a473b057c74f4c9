"""What Outlast needs to prove a node's death by switching it off."""

from collections.abc import Sequence
from typing import Protocol

from outlast.model.fence import FenceAgent, FenceDevice, Power


class FenceFailed(Exception):
    """The device did not do or say what it was asked. The text says why, and holds no secret."""


class Fence(Protocol):
    """Devices come with all their parameters; those named in `hidden` never leave in words, errors or command lines.

    Everything raises `FenceFailed` for whatever else may happen: refused, unreachable, no answer in time, no such
    agent. A call that is cancelled leaves nothing running.
    """

    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        """Switch the node off and return only when the device confirms that it is off, with its word for people."""
        ...

    async def on(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        """Switch the node on, with the device's word for people. That it starts is not waited for."""
        ...

    async def status(self, node: str, device: FenceDevice, *, timeout_s: float) -> Power:
        """Ask only; switches nothing."""
        ...

    async def agents(self) -> Sequence[str]:
        """The programs that are installed on this node, whether they are well or not."""
        ...

    async def describe(self, agent: str, *, timeout_s: float) -> FenceAgent: ...
