"""What Outlast needs to prove a node's death by switching it off."""

from typing import Protocol

from outlast.model.node import FenceDevice


class FenceFailed(Exception):
    """The node is not proven to be off. The text says why."""


class Fence(Protocol):
    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        """Switch the node off and return only when the device confirms that it is off, with its word for people.

        Raises `FenceFailed` for everything else: refused, unreachable, no answer in time, still on.
        """
        ...
